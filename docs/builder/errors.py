"""The reference of the error codes: a page for each, from the list in `spec/openapi.yaml`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from .plain import code, escaped, fenced, table

INTRODUCTION = """# Error codes

A refusal or a failure has one form: a status of HTTP, and a body with a `type`, a `code` and a `message`.
Programs decide by the code. Codes may be added, so a program keeps one that it does not know.

"""

FORM = """
The SDKs repeat what may succeed later, within limits that the caller sets; then they return the error. A
submit is repeated with its own idempotency key, and is charged once.
"""


@dataclass(frozen=True)
class Code:
    """An entry of `x-codes`."""

    code: str
    status: int
    type: str
    retry: bool
    meaning: str
    remedy: str
    example: str
    python: str
    rust: str

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Code:
        name = "".join(word.capitalize() for word in entry["code"].split("_"))
        values = {"python": name, **entry}
        # What the caller passed wrongly has one variant.
        is_input = values.pop("input", False)
        return cls(rust="Input" if is_input else name, **values)


def codes(spec: dict[str, Any]) -> list[Code]:
    """The codes of the document."""
    return [Code.of(entry) for entry in spec["components"]["schemas"]["ErrorCode"]["x-codes"]]


def pages(spec: dict[str, Any], examples: Path) -> dict[str, str]:
    """The pages by their paths: an index, and one for each code."""
    listed = codes(spec)
    rows = [
        [
            f"[{code(each.code)}]({each.code}.md)",
            str(each.status),
            escaped(each.meaning),
            "yes" if each.retry else "no",
        ]
        for each in listed
    ]
    index = INTRODUCTION + table(["code", "status", "what it means", "may a repeat succeed"], rows) + FORM
    return {"index.md": index, **{f"{each.code}.md": page(each, examples) for each in listed}}


def page(entry: Code, examples: Path) -> str:
    """The page of a code."""
    example = json.loads((examples / f"ErrorEnvelope.{entry.code}.json").read_text())
    repeat = "The same call can succeed later." if entry.retry else "The same call would be refused again."
    rows = [
        ["status of HTTP", f"{entry.status} {HTTPStatus(entry.status).phrase}"],
        ["`type`", code(entry.type)],
        ["in Rust", code(f"clipia::Error::{entry.rust}")],
        ["in Python", code(f"clipia_queue.{entry.python}")],
    ]
    return (
        f"# {code(entry.code)}\n\n{escaped(entry.meaning)} {escaped(entry.remedy)} {repeat}\n\n"
        + table(["", ""], rows)
        + "A response with it:\n\n"
        + fenced("json", json.dumps(example, indent=2, ensure_ascii=False))
    )
