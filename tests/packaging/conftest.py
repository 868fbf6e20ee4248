"""The program and the scripts that the tests of the packages use."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
PROGRAM = Path(os.environ.get("CLIPIA_TEST_PROGRAM", ROOT / "target/debug/clipia"))
VERSION = re.findall(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[0]

# Rust's name of this platform.
TARGET = f"{platform.machine()}-unknown-linux-gnu"

# Nothing of the caller's settings.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CLIPIA_")}


def run(*command: str | Path, code: int = 0, **options: Any) -> str:
    """Runs a command that must end with the exit code `code`; returns what it printed on stdout."""
    options = {"env": ENVIRONMENT, "timeout": 120, **options}
    options |= {"capture_output": True, "text": True}
    ended: subprocess.CompletedProcess[str] = subprocess.run(command, **options)
    assert ended.returncode == code, f"{command}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
    return ended.stdout + (ended.stderr if code else "")


def version(*command: str | Path, **options: Any) -> str:
    """The version that the program says; a release says its commit besides."""
    program, said, *_ = run(*command, "--version", **options).split()
    assert program == "clipia"
    return said


def script(name: str, *arguments: str | Path, code: int = 0) -> str:
    """Runs a script of `packaging/`."""
    return run(sys.executable, PACKAGING / name, *arguments, code=code)


def needs(*programs: str) -> pytest.MarkDecorator:
    """Leaves a test out where a program is missing, but not in CI."""
    missing = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing) and "CI" not in os.environ, reason=f"needs {', '.join(missing)}")


@pytest.fixture(scope="session")
def small_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program without what debuggers read, as a release has it: copying the whole takes long."""
    stripped = tmp_path_factory.mktemp("program") / "clipia"
    run("strip", "-o", stripped, PROGRAM)
    return stripped


@contextmanager
def started(*command: str | Path, **options: Any) -> Iterator[dict[str, str]]:
    """Runs a server, which prints a line of JSON when it is ready, and ends it by SIGTERM."""
    options = {"env": ENVIRONMENT, **options}
    with subprocess.Popen(command, stdout=subprocess.PIPE, **options) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        try:
            assert ready, "it ended before it was ready"
            yield json.loads(ready)
        finally:
            process.terminate()
            assert process.wait(timeout=60) == 0
