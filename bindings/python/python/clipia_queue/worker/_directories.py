"""Files of an output in their directories."""

from __future__ import annotations

import re
import shutil
from pathlib import Path


def unused(path: Path) -> Path:
    """The path if nothing is there, or else one with the next number before its suffix."""
    stem, _, last = path.stem.rpartition("-")
    stem, number = (stem, int(last)) if stem and last.isdecimal() else (path.stem, 1)
    free = path
    while free.exists():
        number += 1
        free = path.with_name(f"{stem}-{number}{path.suffix}")
    return free


def empty(directory: Path) -> None:
    """Removes what is in a directory, if there is one. What cannot be removed stays."""
    for entry in list(directory.iterdir()) if directory.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            try:
                entry.unlink()
            except OSError:
                continue


def move_files(directory: Path, to: Path) -> list[Path]:
    """Moves what is in a directory to another one, under names that are not in use there."""
    entries = sorted(directory.iterdir(), key=natural_order)
    return [entry.rename(unused(to / entry.name)) for entry in entries]


def natural_order(path: Path) -> list[tuple[str, int]]:
    """A key by which `image-10.png` comes after `image-2.png`."""
    return [(text, int(number or 0)) for text, number in re.findall(r"([^0-9]*)([0-9]*)", path.name)]
