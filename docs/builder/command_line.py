"""The reference of the program: a page for each command, from its own `--help`."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from .plain import code, escaped, fenced, table

# An option or an argument of a list of clap, and what is said of it on the same line.
ITEM = re.compile(r"^ {2,8}(?P<name>(?:-|\[|<)\S.*?)(?: {2,}(?P<text>\S.*))?$")
COMMAND = re.compile(r"^ {2}(?P<name>[a-z-]+) {2,}(?P<text>\S.*)$")
CODE = re.compile(r"^ {2}(?P<name>\d+) {2}(?P<text>\S.*)$")

# What an entry of a list is called.
NAMES = {"Options": "option", "Arguments": "argument", "Exit codes": "exit code"}


@dataclass
class Item:
    """An option, an argument, a command or an exit code."""

    name: str
    text: str


@dataclass
class Help:
    """What a command says of itself."""

    words: list[str]
    about: str = ""
    usage: str = ""
    sections: dict[str, list[Item]] = field(default_factory=dict)
    after: str = ""  # as Markdown
    commands: list[Help] = field(default_factory=list)

    @property
    def name(self) -> str:
        return " ".join(["clipia", *self.words])

    def all(self) -> Iterator[Help]:
        """This command, and all below it."""
        yield self
        for command in self.commands:
            yield from command.all()

    def flags(self) -> set[str]:
        """The long names of the options."""
        names = " ".join(item.name for items in self.sections.values() for item in items)
        return set(re.findall(r"--[a-z][a-z-]*", names))


def said(program: Path, words: list[str]) -> str:
    """The help of a command as it prints it."""
    command = [str(program), *words, "--help"]
    # The help shows what variables are set to.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLIPIA")}
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=environment)
    return ran.stdout


def helps(program: Path, words: list[str] | None = None) -> Help:
    """The help of a command and of all below it."""
    read = parsed(words or [], said(program, words or []))
    for item in read.sections.get("Commands", []):
        if item.name != "help":
            read.commands.append(helps(program, [*read.words, item.name]))
    return read


def parsed(words: list[str], text: str) -> Help:
    """Reads what clap prints: paragraphs, `Usage:`, and lists under headings."""
    read = Help(words)
    before, _, rest = text.partition("Usage: ")
    read.about = before.strip()
    read.usage, _, rest = rest.partition("\n\n")
    for part in re.split(r"\n\n(?=\S)", rest.strip("\n")):
        heading, colon, body = part.partition(":\n")
        if colon and "\n" not in heading and form(heading).match(body.splitlines()[0]):
            read.sections[heading] = items(heading, body)
        elif colon and body.startswith("  "):
            read.after += f"{escaped(heading)}:\n\n" + fenced("text", dedent(body))
        else:
            read.after += paragraphs(part)
    return read


def form(heading: str) -> re.Pattern[str]:
    """What begins an entry of a list."""
    return {"Commands": COMMAND, "Exit codes": CODE}.get(heading, ITEM)


def items(heading: str, body: str) -> list[Item]:
    """The entries of a list. A line that begins none goes on with the one before."""
    found: list[Item] = []
    for line in body.splitlines():
        entry = form(heading).match(line)
        if entry:
            found.append(Item(entry["name"].strip(), entry["text"] or ""))
        else:
            found[-1].text += "\n" + line.strip()
    return found


def pages(root: Help) -> dict[str, str]:
    """The pages by their paths: an index, and one for each command with those below it."""
    written = {"index.md": index(root)}
    for command in root.commands:
        text = f"# {code(command.name)}\n\n" + body(command)
        for below in command.commands:
            text += "".join(f"## {code(each.name)}\n\n{body(each)}" for each in below.all())
        written[f"{command.words[0]}.md"] = text
    return written


def index(root: Help) -> str:
    rows = [
        [f"[{code(item.name)}]({item.name}.md)", escaped(item.text)]
        for item in root.sections["Commands"]
        if item.name != "help"
    ]
    text = f"# The program\n\n{escaped(root.about)}.\n\n" + table(["command", "what it does"], rows)
    return text + "## Options of every command\n\n" + lists(root, {"Commands"}, "##") + root.after


def body(command: Help) -> str:
    text = paragraphs(command.about) + fenced("text", command.usage)
    return text + lists(command, {"Commands"}) + command.after


def lists(command: Help, without: set[str], level: str = "") -> str:
    """The lists of a command, under headings of a level; without one, the usual ones have none."""
    text = ""
    for heading, entries in command.sections.items():
        if heading in without:
            continue
        rows = [[code(item.name), explained(item.text)] for item in entries]
        if level and heading != "Options":
            text += f"{level} {heading}\n\n"
        elif heading not in NAMES:
            text += f"**{heading}**\n\n"
        text += table([NAMES.get(heading, "option"), ""], rows)
    return text


def explained(text: str) -> str:
    """What clap says of an option. A list of its values keeps its lines."""
    lines = [escaped(line) for line in text.splitlines() if line.strip()]
    return "<br>".join(lines) if any(line.startswith("- ") for line in lines) else " ".join(lines)


def ended(text: str) -> str:
    """The lines of a paragraph, which clap does not wrap, as paragraphs; the last with its full stop."""
    return text.replace("\n", "\n\n") + ("" if text.endswith((".", ":")) else ".")


def paragraphs(text: str) -> str:
    found = [part for part in text.split("\n\n") if part.strip()]
    return "".join(ended(escaped(part).strip()) + "\n\n" for part in found)
