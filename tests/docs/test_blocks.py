"""Every fenced block of the pages runs, in the order of its page.

Attributes behind the language of a block say how:

- `file="NAME"` writes the block to this file, which a later block of the page uses.
- `run="COMMAND"` then runs a command; `check="COMMAND"` starts a receiver of webhooks, which is then checked.
- `stays="TEXT"` starts a command that does not end, and goes on once it has printed the text.
- `server="stopped"` stops the server of the page before.
- `not-run="REASON"` runs nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml
from builder.fences import Block, blocks
from database import Postgres
from pages import PROSE, ROOT, all_blocks, left_out, named
from reader import Reader

PAGES_WITH_BLOCKS = sorted({page for page, block in all_blocks() if "not-run" not in block.attributes})
EXAMPLES = sorted((ROOT / "crates/clipia/examples").glob("*.rs"))
ATTRIBUTES = {"file", "run", "check", "stays", "server", "not-run"}
# What a page may need that a machine of the tests lacks.
REASONS = ("needs ", "builds ", "takes ", "is the command ")
# Programs of Debian that are models of a page.
PROGRAMS = ("espeak-ng", "convert", "ffmpeg")


def shell(reader: Reader, block: Block) -> None:
    if "stays" in block.attributes:
        reader.stay(block.code, block.attributes["stays"])
    else:
        reader.shell(block.code)


def python(reader: Reader, block: Block) -> None:
    if "file" not in block.attributes:
        kind = "test" if "import pytest" in block.code else "block"
        file = reader.directory / f"{kind}_{block.line}.py"
        file.write_text(reader.replaced(block.code))
        reader.bash(f"python {'-m pytest -q' if kind == 'test' else ''} {file.name}")


def rust(reader: Reader, block: Block) -> None:
    # Cargo builds the examples, and the tests of the whole system run them.
    assert any(block.code in example.read_text() for example in EXAMPLES), "not a part of an example"


def toml(reader: Reader, block: Block) -> None:
    settings = tomllib.loads(block.code)
    if "file" in block.attributes:
        return
    file = reader.directory / f"block_{block.line}.toml"
    file.write_text(block.code)
    if settings.keys() & {"executor", "model"}:
        reader.bash(f"clipia models check {file.name}")
    else:
        reader.bash(f"clipia serve --config {file.name} --print-config")


def nothing_more(reader: Reader, block: Block) -> None:
    """For a language whose blocks are files that a command of theirs uses."""
    assert {"run", "check"} & block.attributes.keys(), "neither `run` nor `check` nor `not-run`"


RUNNERS: dict[str, Callable[[Reader, Block], Any]] = {
    "sh": shell,
    "python": python,
    "rust": rust,
    "toml": toml,
    "js": nothing_more,
    "json": lambda _, block: json.loads(block.code),
    "yaml": lambda _, block: yaml.safe_load(block.code),
}


def run(reader: Reader, page: Path, block: Block) -> None:
    """Does what the block and its attributes say."""
    assert block.attributes.keys() <= ATTRIBUTES, block.attributes
    if block.attributes.get("server") == "stopped":
        reader.stop_server()
    if "file" in block.attributes:
        file = reader.directory / block.attributes["file"]
        file.parent.mkdir(exist_ok=True)
        file.write_text(reader.replaced(block.code))
        assert is_used(page, block), "no command uses the file"
    RUNNERS[block.language](reader, block)
    if "run" in block.attributes:
        reader.bash(block.attributes["run"])
    if "check" in block.attributes:
        reader.check_receiver(block.attributes["check"])


def is_used(page: Path, block: Block) -> bool:
    """Whether a command of the block or of a later one names its file, or starts the server that reads it."""
    used = Path(block.attributes["file"]).stem
    later = [each for each in blocks(page.read_text()) if each.line > block.line]
    commands = [*block.attributes.values(), *(each.code for each in later if each.language == "sh")]
    commands.remove(block.attributes["file"])
    return any(used in command or "clipia serve" in command for command in commands)


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES_WITH_BLOCKS]
)
def test_the_blocks_of_a_page(page: Path, tmp_path: Path, postgres: Postgres) -> None:
    if page.name == "your-own-model.md" and (
        missing := [each for each in PROGRAMS if shutil.which(each) is None]
    ):
        message = f"{missing} are missing: apt-get install espeak-ng imagemagick ffmpeg"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with Reader(tmp_path, postgres.url) as reader:
        for block in blocks(page.read_text()):
            if block.language not in PROSE and "not-run" not in block.attributes:
                try:
                    run(reader, page, block)
                except Exception as error:
                    error.add_note(named(page, block))
                    raise


def test_what_is_not_run_says_why() -> None:
    for page, block in left_out():
        assert block.attributes["not-run"].startswith(REASONS), named(page, block)


def test_the_blocks_in_python_are_well_typed(tmp_path: Path) -> None:
    untyped = "[mypy-torch.*,diffusers.*]\nignore_missing_imports = True\n"  # not installed
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = True\n{untyped}")
    names = []
    for page, block in all_blocks():
        if block.language == "python" and page.name != "README.md":
            names.append(f"{page.stem.replace('-', '_')}_{block.line}.py")
            (tmp_path / names[-1]).write_text(block.code)
    # Run in the directory of the blocks, so that they import nothing of the repository.
    check = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", *names]
    checked = subprocess.run(check, capture_output=True, text=True, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
