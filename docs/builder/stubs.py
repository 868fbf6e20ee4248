"""The reference of the Python package, from its stub and its sources, and what the module says of itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import warnings
from collections.abc import Iterator
from pathlib import Path

from .plain import code, fenced

MODULE = "clipia_queue"
SUBJECTS = {
    "Clients": ("Clipia", "AsyncClipia"),
    "Resources": ("ModelsResource", "AsyncModelsResource", "AccountResource", "AsyncAccountResource"),
    "Generations": ("Submitted", "AsyncSubmitted", "Generation", "AsyncGeneration", "Pending"),
    "Webhooks": ("Webhooks", "AsyncWebhooks", "Delivery", "AsyncDelivery", "verify_signature"),
}
REST = "Responses and files"
EXCEPTIONS = "Exceptions"

INTRODUCTION = """# Python

The names of the module `clipia_queue`. [Its introduction](../../bindings/python/README.md) teaches them. The
methods of an `Async…` class are those of the other one, awaited.

"""


def page(package: Path) -> str:
    """The page of the package, whose sources are in a directory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that a build of the tests is slow
        module = importlib.import_module(MODULE)
    definitions = dict(defined(package))
    names = [name for name in module.__all__ if name in definitions]
    subjects: dict[str, list[str]] = {title: list(members) for title, members in SUBJECTS.items()}
    placed = {name for members in subjects.values() for name in members}
    for name in names:
        if name not in placed:
            value = getattr(module, name)
            exception = isinstance(value, type) and issubclass(value, BaseException)
            subjects.setdefault(EXCEPTIONS if exception else REST, []).append(name)
    text = INTRODUCTION
    for title, members in subjects.items():
        text += f"## {title}\n\n"
        for name in members:
            text += section(name, definitions[name], getattr(module, name))
    return text


def defined(package: Path) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef]]:
    """The classes and functions of the stub and of the sources beside it."""
    for file in [*sorted(package.glob("_*.py")), *sorted(package.glob("*.pyi"))]:
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                yield node.name, node


def section(name: str, node: ast.ClassDef | ast.FunctionDef, value: object) -> str:
    """A class with its members, or a function."""
    if isinstance(node, ast.FunctionDef):
        return f"### {code(name)}\n\n" + fenced("python", signature(node)) + documentation(value)
    bases = f"({', '.join(ast.unparse(base) for base in node.bases)})" if node.bases else ""
    text = f"### {code(name)}\n\n" + fenced("python", f"class {name}{bases}") + documentation(value)
    for member in node.body:
        if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and shown(member.name):
            text += entry(name, member, value)
        elif isinstance(member, ast.AnnAssign):
            text += fenced("python", ast.unparse(member))
    return text


def shown(name: str) -> bool:
    return not name.startswith("_") or name == "__new__"


def entry(owner: str, member: ast.FunctionDef | ast.AsyncFunctionDef, value: object) -> str:
    """A method or a property."""
    found = inspect.getattr_static(value, member.name, None)
    if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in member.decorator_list):
        kind = ast.unparse(member.returns) if member.returns else "Any"
        return fenced("python", f"{owner}.{member.name}: {kind}".lstrip()) + documentation(found)
    if member.name == "__new__":
        return fenced("python", signature(member, owner).replace(".__new__", "").removesuffix(" -> Self"))
    return fenced("python", signature(member, owner)) + documentation(found)


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str = "") -> str:
    """How a function is called. Parameters are on lines of their own if there are many."""
    begin = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    named = f"{owner}.{node.name}" if owner else node.name
    arguments = node.args
    static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in node.decorator_list)
    if owner and not static:
        arguments.posonlyargs, arguments.args = (
            (arguments.posonlyargs[1:], arguments.args) if arguments.posonlyargs else ([], arguments.args[1:])
        )
    inside = ast.unparse(arguments)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{begin}{named}({inside}){returns}"
    if len(line) <= 100:
        return line
    return f"{begin}{named}(\n    " + ",\n    ".join(split(inside)) + f",\n){returns}"


def split(inside: str) -> list[str]:
    """The parameters of a signature. A comma in brackets separates none."""
    parts, depth = [""], 0
    for character in inside:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def documentation(value: object) -> str:
    """What the runtime says of a value."""
    text = inspect.getdoc(value) if value is not None else None
    return f"{text.strip()}\n\n" if text else ""
