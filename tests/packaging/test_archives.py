"""The archives of a release and the installer, which gets them from a server of files."""

import functools
import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import ENVIRONMENT, PACKAGING, TARGET, VERSION, needs, run, script, version

INSTALLER = PACKAGING / "install/install.sh"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory, small_program: Path) -> Iterator[tuple[str, Path]]:
    """A server of files with the archive of this platform: its URL, and the directory of the version."""
    directory = tmp_path_factory.mktemp("releases") / f"v{VERSION}"
    script("archives.py", small_program, TARGET, directory)
    (archive,) = directory.iterdir()
    sum = hashlib.sha256(archive.read_bytes()).hexdigest()
    (directory / "SHA256SUMS").write_text(f"{sum}  {archive.name}\n")
    handler = functools.partial(Quiet, directory=str(directory.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", directory
    server.shutdown()
    server.server_close()


def install(url: str, home: Path, code: int = 0, **environment: str) -> str:
    """Runs the installer as the release has it, with the version of the release in it."""
    home.mkdir(exist_ok=True)
    released = home / "install.sh"
    released.write_text(INSTALLER.read_text().replace("@VERSION@", VERSION))
    environment = {**ENVIRONMENT, "HOME": str(home), "CLIPIA_RELEASES": url, **environment}
    return run("sh", released, code=code, env=environment)


def test_the_archive_is_the_same_each_time(tmp_path: Path) -> None:
    program = tmp_path / "clipia"
    program.write_bytes(bytes(range(256)) * 1024)
    for target in TARGET, "x86_64-pc-windows-msvc":
        made = [script("archives.py", program, target, tmp_path / out).strip() for out in ("one", "other")]
        one, other = (Path(archive).read_bytes() for archive in made)
        assert one == other, target


def test_a_program_that_needs_a_newer_system_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "clipia"
    program.write_bytes(b"\x7fELF\0GLIBC_2.2.5\0GLIBC_2.4\0GLIBC_2.39\0")
    refused = script("archives.py", program, TARGET, tmp_path / "out", code=1)
    assert "the program needs glibc 2.39, not 2.34 at most" in refused


def test_the_installer_installs_and_updates(releases: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = releases
    home = tmp_path / "home"
    program = home / ".local/bin/clipia"
    said = install(url, home)
    assert f"installed clipia {VERSION} in {program.parent}\n" in said
    assert "is not in PATH" in said
    assert version(program) == VERSION
    # An update replaces it, whatever it is.
    program.write_text("broken")
    named = install(url, home, PATH=f"{program.parent}:{ENVIRONMENT['PATH']}")
    assert named == f"installed clipia {VERSION} in {program.parent}\n"
    assert version(program) == VERSION
    assert [entry.name for entry in program.parent.iterdir()] == ["clipia"]


def test_the_installer_takes_another_directory(releases: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = releases
    install(url, tmp_path / "home", CLIPIA_INSTALL_DIR=str(tmp_path / "my programs"))
    assert (tmp_path / "my programs/clipia").exists()
    assert not (tmp_path / "home/.local").exists()


def test_what_was_changed_on_the_way_is_not_installed(releases: tuple[str, Path], tmp_path: Path) -> None:
    url, directory = releases
    changed = directory.with_name("v0.0.1")
    changed.mkdir()
    name = f"clipia-queue-0.0.1-{TARGET}.tar.gz"
    (changed / name).write_bytes(b"another program")
    (changed / "SHA256SUMS").write_text((directory / "SHA256SUMS").read_text().replace(VERSION, "0.0.1"))
    said = install(url, tmp_path / "home", code=1, CLIPIA_VERSION="0.0.1")
    assert f"error: {name} is not the file that SHA256SUMS names" in said
    missing = install(url, tmp_path / "home", code=1, CLIPIA_VERSION="0.0.2")
    assert f"error: cannot download {url}/v0.0.2/SHA256SUMS" in missing
    assert not (tmp_path / "home/.local").exists()


@needs("shellcheck")
def test_a_linter_finds_nothing_in_the_scripts() -> None:
    run("shellcheck", "--severity=warning", *sorted(PACKAGING.rglob("*.sh")))
