"""The package as `pip` installs it, from the wheel and from the source."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

import clipia_queue
from conftest import ROOT, Server

PACKAGE = ROOT / "bindings" / "python"
PROGRAM = shutil.which("clipia", path=sysconfig.get_path("scripts"))
# A debug build warns that it is slow.
ENVIRONMENT = {**os.environ, "PYTHONWARNINGS": "ignore"}

unix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


def clipia(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    assert PROGRAM is not None, "the wheel brought no program"
    return subprocess.run(
        [PROGRAM, *arguments], env={**ENVIRONMENT, **environment}, capture_output=True, text=True, timeout=60
    )


def test_the_metadata() -> None:
    package = metadata("clipia-queue")
    assert package["version"] == clipia_queue.__version__
    assert package["license-expression"] == "MIT"
    description = package.json["description"]
    assert isinstance(description, str)
    assert description.strip() == (PACKAGE / "README.md").read_text().strip()
    assert "Typing :: Typed" in package.get_all("classifier", [])
    assert (PACKAGE / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_a_free_threaded_python_gets_no_wheel_or_the_gil() -> None:
    (wheel,) = Path(sysconfig.get_path("purelib")).glob("clipia_queue-*.dist-info/WHEEL")
    tags = re.findall("^Tag: (.*)$", wheel.read_text(), re.MULTILINE)
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        # It was built here, from the source.
        assert sys.version_info < (3, 13) or sys._is_gil_enabled()
    else:
        # Free-threaded Pythons do not have this ABI.
        assert tags
        assert all(tag.startswith("cp310-abi3-") for tag in tags)
    assert "#[pymodule(gil_used = true)]" in (PACKAGE / "src" / "lib.rs").read_text()


def test_the_licence_is_installed() -> None:
    (licence,) = Path(sysconfig.get_path("purelib")).glob("clipia_queue-*.dist-info/licenses/LICENSE")
    assert licence.read_text() == (ROOT / "LICENSE").read_text()


def test_the_program_comes_with_it(server: Server) -> None:
    assert clipia("--version").stdout == f"clipia {clipia_queue.__version__}\n"
    module = subprocess.run(
        [sys.executable, "-m", "clipia_queue", "--version"], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert module.stdout == f"clipia {clipia_queue.__version__}\n"
    # `uvx clipia-queue` looks for a program that is named like the package.
    named = shutil.which("clipia-queue", path=sysconfig.get_path("scripts"))
    assert named is not None
    same = subprocess.run([named, "--version"], env=ENVIRONMENT, capture_output=True, text=True)
    assert same.stdout == module.stdout
    account = clipia("account", CLIPIA_KEY=server.live_key, CLIPIA_BASE_URL=server.url)
    assert (account.returncode, '"credits"' in account.stdout) == (0, True)


def test_the_program_ends_with_its_own_exit_codes() -> None:
    refused = clipia("generate", "nano-banana-2", "-p")
    assert (refused.returncode, refused.stderr.splitlines()) == (
        2,
        [
            "error: `--prompt` needs a text",
            "hint: see what the model takes with `clipia models nano-banana-2`",
        ],
    )


@unix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_server_of_the_program_hears_signals(name: str, tmp_path: Path) -> None:
    arguments = ["serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"), "--json"]
    assert PROGRAM is not None
    with subprocess.Popen([PROGRAM, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), "it is ready"
        process.send_signal(signal.Signals[name])
        assert process.wait(timeout=30) == 0


@unix
def test_ctrl_c_ends_a_wait_of_the_program(server: Server, tmp_path: Path) -> None:
    assert PROGRAM is not None
    arguments = ["generate", "seedance-2-fast-t2v", "-p", "waves", "--wait", "-o", str(tmp_path)]
    environment = {**ENVIRONMENT, "CLIPIA_KEY": server.live_key, "CLIPIA_BASE_URL": server.url}
    pipe = subprocess.PIPE
    with subprocess.Popen([PROGRAM, *arguments], env=environment, stdout=pipe, stderr=pipe) as process:
        assert process.stderr is not None
        assert process.stderr.readline(), "it was submitted"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
        assert process.returncode == 130, said
        assert b"the generation goes on" in said


@pytest.mark.cargo
@pytest.mark.timeout(1200)  # for the case that nothing is built yet
def test_the_source_compiles_outside_of_the_checkout(tmp_path: Path) -> None:
    """Its archive has all that it needs. The job `sdist` of the workflow builds it, which takes minutes."""

    def run(*command: str | Path) -> None:
        # Third-party crates share the directory of the other builds.
        target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
        environment = {**ENVIRONMENT, "CARGO_TARGET_DIR": str(target)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    manifest = PACKAGE / "Cargo.toml"
    run(sys.executable, "-m", "maturin", "sdist", "--manifest-path", manifest, "--out", tmp_path)
    (archive,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    run("cargo", "check", "--quiet", "--manifest-path", source / "bindings/python/Cargo.toml")
    sources = PACKAGE / "python" / "clipia_queue"
    written = {
        path.relative_to(sources) for path in sources.rglob("*") if path.suffix in {".py", ".pyi", ".typed"}
    }
    (packed,) = source.rglob("clipia_queue/__init__.py")
    assert written == {path.relative_to(packed.parent) for path in packed.parent.rglob("*") if path.is_file()}
    assert (source / "LICENSE").is_file()


WORKFLOWS = sorted([*(ROOT / ".github/workflows").glob("*.yml"), *(ROOT / ".github/actions").glob("*/*.yml")])
WORKFLOW = ROOT / ".github" / "workflows" / "python.yml"


def test_the_workflow_holds_together() -> None:
    jobs: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    for name, job in jobs.items():
        needs = job.get("needs", [])
        assert {needs} if isinstance(needs, str) else set(needs) <= jobs.keys(), name
    built = {wheel["platform"] for wheel in jobs["wheels"]["strategy"]["matrix"]["include"]}
    tested = set(jobs["test"]["strategy"]["matrix"]["platform"])
    tested |= {f"linux-musl-{musl['arch']}" for musl in jobs["test-musl"]["strategy"]["matrix"]["include"]}
    assert built == tested, "no wheel is published that was not tested"
    assert jobs["publish"]["permissions"]["id-token"] == "write"


def test_what_the_workflows_run_is_pinned() -> None:
    action = re.compile(r"\s*(- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    files = [*WORKFLOWS, ROOT / ".ci" / "run", ROOT / "README.md"]
    assert WORKFLOW in files
    for path in files:
        for line in path.read_text().splitlines():
            # A workflow of this checkout has no version.
            if "uses:" in line and "uses: $/" not in line:
                assert action.fullmatch(line), f"{path.name}: no full hash with a version: {line}"
            if "cargo install" in line:
                assert "--locked" in line, f"{path.name}: {line}"
            # Whoever runs our action names what is installed.
            line = line.replace('--quiet --target "$RUNNER_TEMP/clipia" "$PACKAGE"', "")
            # Names without a version. A wheel, a group or a directory has its own.
            for name in re.findall(r"pip install (.*)", line) if path.suffix == ".yml" else []:
                loose = [word for word in name.split() if not re.search(r"==|/|^--group$|^(dev|test)$", word)]
                assert not loose, f"{path.name}: {line}"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: str(path.relative_to(ROOT / ".github")))
def test_a_linter_finds_nothing_in_the_workflow(workflow: Path) -> None:
    zizmor = shutil.which("zizmor", path=sysconfig.get_path("scripts"))
    assert zizmor is not None
    form = "github-actions" if workflow.name == "action.yml" else "github-workflows"
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{form}", str(workflow)]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    linted = subprocess.run(
        [zizmor, "--offline", "--no-progress", workflow], cwd=ROOT, capture_output=True, text=True
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
