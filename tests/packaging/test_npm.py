"""The npm packages: packed, installed without a network, and run."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import ENVIRONMENT, PROGRAM, TARGET, VERSION, needs, run, script, version

pytestmark = needs("npm")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, small_program: Path) -> Path:
    """A directory in which both packages are installed from their archives."""
    packages = tmp_path_factory.mktemp("npm") / "packages"
    script("npm/packages.py", packages, f"{TARGET}={small_program}")
    made = [manifest.parent for manifest in packages.rglob("package.json")]
    for package in made:
        run("npm", "pack", "--silent", "--pack-destination", packages, cwd=package)
    archives = sorted(packages.glob("*.tgz"))
    assert len(archives) == len(made) == 2
    project = tmp_path_factory.mktemp("project")
    (project / "package.json").write_text('{"private": true}')
    run("npm", "install", "--offline", "--no-audit", "--no-fund", *archives, cwd=project)
    return project


def test_both_names_start_the_program(installed: Path) -> None:
    for name in "clipia-queue", "clipia":
        assert version("npx", "--offline", name, cwd=installed) == VERSION
    assert run("npx", "--offline", "clipia", "serve", "--print-config", cwd=installed) == run(
        PROGRAM, "serve", "--print-config", cwd=installed
    )


def test_its_exit_code_is_that_of_the_program(installed: Path) -> None:
    assert "--help" in run("npx", "--offline", "clipia-queue", "status", cwd=installed, code=2)


def test_a_server_that_is_asked_to_end_ends_by_itself(installed: Path, tmp_path: Path) -> None:
    launcher = installed / "node_modules/.bin/clipia-queue"
    arguments = ["serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"), "--json"]
    for asked in signal.SIGTERM, signal.SIGINT:
        # In a session of its own, without a terminal: as under a supervisor.
        with subprocess.Popen(
            [launcher, *arguments],
            env=ENVIRONMENT,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert "url" in json.loads(process.stdout.readline())
            process.send_signal(asked)
            assert process.wait(timeout=60) == 0


def test_a_signal_that_ended_the_program_ends_the_launcher(installed: Path, tmp_path: Path) -> None:
    launcher = installed / "node_modules/.bin/clipia-queue"
    arguments = ["serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"), "--json"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [launcher, *arguments], env=ENVIRONMENT, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
        (program,) = (int(child) for task in tasks for child in task.read_text().split())
        os.kill(program, signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL


def test_without_the_package_of_the_platform_it_says_what_to_do(installed: Path, tmp_path: Path) -> None:
    alone = tmp_path / "clipia.js"
    alone.write_text((installed / "node_modules/clipia-queue/bin/clipia.js").read_text())
    said = run("node", alone, "--version", code=1)
    assert said.startswith("error: the package `@clipia-queue/linux-")
    assert "hint: install without `--omit=optional`" in said
