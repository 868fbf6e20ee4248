"""A run by hand: the input comes from the command line, and the files go to a directory."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from clipia_queue.worker._control import Control
from clipia_queue.worker._directories import move_files
from clipia_queue.worker._events import encoded_json
from clipia_queue.worker._job import Job
from clipia_queue.worker._run import End, run
from clipia_queue.worker._signals import Stopped

NAME = re.compile(r"--([A-Za-z_][\w-]*)(?:=(.*))?", re.DOTALL)

HELP = """usage: python {program} --prompt "a red fox" --seed 7 --out pictures
{description}
  --NAME VALUE  the input `NAME`. A value that is JSON is read as JSON: 7, true, [1, 2]. Any other is text.
                Without a value it is true. A repeated option is a list. A file is given by its path.
  --out DIR     the directory of the files; `out` if not given. No file in it is replaced.
  --help        this text

exit codes: 0 made, 1 failed, 2 wrong options, 75 another attempt may succeed
"""


class UsageError(Exception):
    """The command line cannot be understood."""


def serve_by_hand(make: Callable[[Job], object], arguments: Sequence[str]) -> int:
    """Makes one output, and returns the exit code."""
    if {"--help", "-h"} & set(arguments):
        print(help_text(make), end="")
        return 0
    try:
        input, directory = parse(arguments)
    except UsageError as error:
        print(f"error: {error}\nhint: see `python {sys.argv[0]} --help`", file=sys.stderr)
        return 2
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # Below the directory, so that its files are moved there and not copied.
        out = Path(tempfile.mkdtemp(prefix=".clipia-", dir=directory)).absolute()
    except OSError as error:
        print(f"error: no file can be made in `{directory}`: {error}", file=sys.stderr)
        return 2
    terminal = Terminal()
    control = Control(terminal)
    job = Job(str(uuid.uuid4()), None, input, out, named(input), control)
    try:
        end = run(make, job, control)
        terminal.clear()
        return tell(end, move_files(out, directory))
    except KeyboardInterrupt:
        return 130
    except Stopped:
        return 143
    finally:
        shutil.rmtree(out, ignore_errors=True)


def tell(end: End, files: list[Path]) -> int:
    """Prints what was made, and returns the exit code."""
    for path in files:
        print(path)
    if end.fields:
        print(encoded_json(end.fields).decode())
    return end.exit_code


def parse(arguments: Sequence[str]) -> tuple[dict[str, Any], Path]:
    """The input of a command line, and the directory of the files."""
    input: dict[str, Any] = {}
    repeated: set[str] = set()
    directory = Path("out")
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        option = NAME.fullmatch(argument)
        if option is None:
            raise UsageError(f"`{argument}` has no name before it, such as `--prompt`")
        name, value = option[1].replace("-", "_"), option[2]
        if value is None and rest and not rest[0].startswith("--"):
            value = rest.pop(0)
        if name == "out":
            if not value:
                raise UsageError("`--out` needs a directory")
            directory = Path(value)
        elif name not in input:
            input[name] = parsed(value)
        elif name in repeated:
            input[name].append(parsed(value))
        else:
            repeated.add(name)
            input[name] = [input[name], parsed(value)]
    return input, directory


def parsed(value: str | None) -> Any:
    """A value of the command line: JSON if it is JSON, or else text. None is an option without a value."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    if value is None:
        return True
    try:
        return json.loads(value, parse_constant=refuse)
    except (ValueError, RecursionError):
        return value


def named(input: dict[str, Any]) -> Callable[[str], list[Path]]:
    """Finds the files of an input by the paths on the command line."""

    def find(name: str) -> list[Path]:
        value: Any = input.get(name, [])
        values = cast("list[object]", value if isinstance(value, list) else [value])
        paths = [Path(str(each)).absolute() for each in values]
        for path, given in zip(paths, values, strict=True):
            if not path.is_file():
                raise LookupError(
                    f"`--{name}`: by hand it is the path of a file, and there is no file {given}"
                )
        return paths

    return find


def help_text(make: Callable[[Job], object]) -> str:
    documented = (sys.modules["__main__"].__doc__, make.__doc__)
    description = "".join(f"\n{text.strip()}\n" for text in documented if text)
    return HELP.format(program=sys.argv[0], description=description)


class Terminal:
    """Progress and logs on stderr: one line that is overwritten if it is a terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def progress(self, percent: int) -> None:
        self._write(f"\r\x1b[K{percent:3} %" if self._terminal else f"{percent:3} %\n")

    def log(self, line: str) -> None:
        self.clear()
        self._write(f"{line}\n")

    def clear(self) -> None:
        """Erases the line of the progress."""
        if self._terminal:
            self._write("\r\x1b[K")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
