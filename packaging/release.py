"""Prepares a release, and says what is in one.

    python3 release.py prepare 0.2.0   sets the version everywhere, and names the unreleased changes after it
    python3 release.py notes v0.2.0    prints the changes of the release at a tag; fails if they do not fit

Both work in the directory that they are called in.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timezone
from pathlib import Path

MANIFEST, LOCK, CHANGELOG = (Path(name) for name in ("Cargo.toml", "Cargo.lock", "CHANGELOG.md"))

UNRELEASED = "## Unreleased\n"

VERSION = r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?"


def version() -> str:
    """The version of the workspace."""
    found = re.search(r'^version = "(.+)"$', MANIFEST.read_text(), re.MULTILINE)
    return found[1] if found else sys.exit(f"error: `{MANIFEST}` has no version")


def section(name: str) -> str:
    """The changes under a heading of the changelog, without the heading; empty if it has no such heading."""
    heading = rf"^## {re.escape(name)}(?: [^\n]*)?\n"
    found = re.search(rf"{heading}(.*?)(?=^## |\Z)", CHANGELOG.read_text(), re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def notes(tag: str) -> str:
    """The changes of the release at `tag`."""
    current = version()
    if tag != f"v{current}":
        sys.exit(f"error: the version in {MANIFEST} is {current}: the tag must be `v{current}`, not `{tag}`")
    if not (changes := section(current)):
        remedy = f"run `python3 packaging/release.py prepare {current}`"
        sys.exit(f"error: {CHANGELOG} has no changes under `## {current}`: {remedy}")
    return changes + "\n"


def prepare(new: str) -> None:
    """Sets the version, and names the changes."""
    if not re.fullmatch(VERSION, new):
        sys.exit(f"error: `{new}` is no version, such as 0.2.0")
    if not section("Unreleased"):
        sys.exit(f"error: {CHANGELOG} has nothing under `{UNRELEASED.strip()}`: a release has changes")
    if section(new):
        sys.exit(f"error: {CHANGELOG} has changes under `## {new}` already")
    old = re.escape(version())
    manifest = re.sub(rf'^version = "{old}"', f'version = "{new}"', MANIFEST.read_text(), flags=re.MULTILINE)
    # The crates of this workspace that depend on one another.
    manifest = re.sub(rf'(path = "crates/[^"]+", version = )"{old}"', rf'\1"{new}"', manifest)
    # An entry of a crate from a registry has a source behind its version.
    entry = rf'^(name = "[^"]+"\nversion = )"{old}"\n(?!source = )'
    lock = re.sub(entry, rf'\1"{new}"\n', LOCK.read_text(), flags=re.MULTILINE)
    today = datetime.now(timezone.utc).date().isoformat()
    changelog = CHANGELOG.read_text().replace(UNRELEASED, f"{UNRELEASED}\n## {new} - {today}\n", 1)
    for file, text in (MANIFEST, manifest), (LOCK, lock), (CHANGELOG, changelog):
        file.write_text(text)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["notes", tag]:
            print(notes(tag), end="")
        case ["prepare", new]:
            prepare(new)
        case _:
            sys.exit("usage: release.py notes TAG | prepare VERSION")
