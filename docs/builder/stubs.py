"""The reference of the Python package, from its stub and its sources, and what the module says of itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
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
# Modules beside it: what they are for, and where their sources are in the package.
BESIDE = {
    "clipia_queue.testing": ("Module `clipia_queue.testing`", "testing.py"),
    "clipia_queue.worker": ("Module `clipia_queue.worker`", "worker/*.py"),
}
# What makes a value of a class.
MAKERS = ("__new__", "__init__")
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
    definitions = dict(defined([*sorted(package.glob("_*.py")), *sorted(package.glob("*.pyi"))]))
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
    for name, (title, sources) in BESIDE.items():
        text += f"## {title}\n\n" + beside(name, sorted(package.glob(sources)))
    return text


def beside(name: str, files: list[Path]) -> str:
    """The public names of a module beside the package's own."""
    module = importlib.import_module(name)
    definitions = dict(defined(files))
    introduction = documentation(module).partition("\n\n")[0] + "\n\n"
    return introduction + "".join(
        section(each, definitions[each], getattr(module, each)) for each in module.__all__
    )


def defined(files: list[Path]) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef]]:
    """The classes and functions of stubs and sources."""
    for file in files:
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                yield node.name, node


def section(name: str, node: ast.ClassDef | ast.FunctionDef, value: object) -> str:
    """A class with its members, or a function."""
    if isinstance(node, ast.FunctionDef):
        return f"### {code(name)}\n\n" + fenced("python", signature(node)) + documentation(value)
    bases = f"({', '.join(ast.unparse(base) for base in node.bases)})" if node.bases else ""
    text = f"### {code(name)}\n\n" + fenced("python", f"class {name}{bases}") + documentation(value)
    for member in node.body[1:] if ast.get_docstring(node) else node.body:
        match member:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if shown(member.name, value):
                text += entry(name, member, value)
            case ast.AnnAssign():
                text += fenced("python", f"{name}.{ast.unparse(member)}")
            case ast.Expr(ast.Constant(str(said))):
                text += f"{said}\n\n"  # of the attribute before
    return text


def shown(name: str, owner: object) -> bool:
    """Whether a member is for callers. They make no exceptions, and `serve` makes jobs."""
    if name in MAKERS:
        return isinstance(owner, type) and not issubclass(owner, BaseException) and owner.__name__ != "Job"
    return not name.startswith("_")


def entry(owner: str, member: ast.FunctionDef | ast.AsyncFunctionDef, value: object) -> str:
    """A method or a property."""
    found = inspect.getattr_static(value, member.name, None)
    if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in member.decorator_list):
        kind = ast.unparse(member.returns) if member.returns else "Any"
        return fenced("python", f"{owner}.{member.name}: {kind}".lstrip()) + documentation(found)
    if member.name in MAKERS:
        made = signature(member, owner).replace(f".{member.name}", "")
        return fenced("python", made.removesuffix(" -> Self").removesuffix(" -> None"))
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
    if not text:
        return ""
    # Some are written for Sphinx.
    text = re.sub(r":[a-z]+:`([^`]+)`", r"`\1`", text.strip()).replace("``", "`")
    return f"{text}\n\n"
