"""The fenced blocks of a page of Markdown, and the attributes behind their language.

A block begins with three backticks, its language, and attributes such as `file="models.toml"`. Renderers of
Markdown ignore the attributes; `tests/docs` runs a block as they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(r"^```(?P<info>\S[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
ATTRIBUTE = re.compile(r"""\s+([a-z-]+)="([^"]*)\"""")
INFO = re.compile(r"""(?P<language>[a-z]+)(?P<attributes>(?:\s+[a-z-]+="[^"]*")*)""")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it is in its page, and what is in it."""

    line: int
    language: str
    attributes: dict[str, str]
    code: str


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in their order. Raises `ValueError` for a malformed fence."""
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        info = INFO.fullmatch(found["info"])
        if info is None:
            raise ValueError(f"line {line}: ```{found['info']}: not a language and attributes")
        yield Block(line, info["language"], dict(ATTRIBUTE.findall(info["attributes"])), found["code"])


def without_attributes(text: str) -> str:
    """The page with the languages of its blocks alone."""
    return FENCE.sub(lambda found: found[0].replace(found["info"], found["info"].split()[0], 1), text)


def outside_blocks(text: str) -> str:
    """The page with its blocks emptied, line by line, so that what is in them is not taken for Markdown."""
    return FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
