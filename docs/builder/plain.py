"""Text of programs and documents as Markdown."""

from __future__ import annotations

import re

SPAN = re.compile(r"(`[^`]+`)")


def escaped(text: str) -> str:
    """Text in which code spans stay, and nothing else is Markdown or HTML."""
    parts = SPAN.split(text)
    return "".join(part if number % 2 else _bare(part) for number, part in enumerate(parts))


def _bare(text: str) -> str:
    # An underscore within a word is no mark.
    return re.sub(r"(\*|\b_|_\b)", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))


def code(text: str) -> str:
    """A code span."""
    return f"`{text}`"


def one_line(text: str) -> str:
    """Paragraphs and wrapped lines as one line, for a cell of a table."""
    return re.sub(r"\s+", " ", text).strip()


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; empty if it has no rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(one_line(cell) for cell in line) + " |\n" for line in lines) + "\n"


def fenced(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```\n\n"


def slug(heading: str) -> str:
    """The anchor that the site gives a heading."""
    bare = re.sub(r"[^\w\s-]", "", heading.replace("`", "").lower()).strip()
    return re.sub(r"[-\s]+", "-", bare)
