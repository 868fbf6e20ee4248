"""The reference of the configuration, from the commented files that the first start of a server writes."""

from __future__ import annotations

import re

from .plain import code, escaped, fenced

# A key with its default, as the file has it commented out.
KEY = re.compile(r"^#: (?P<name>[a-z_]+) = (?P<default>.*)$")

INTRODUCTION = """# `clipia.toml`

The first start of a server writes this file to its data directory, with every key commented out at its
default. The environment overrides the file, and options of `clipia serve` override both. A key that does not
exist is refused. `clipia serve --print-config` prints the configuration in force.

"""

MODELS = """# `models.toml`

The first start of a server writes this file to its data directory. It is read when the server starts.
`clipia models check` says what it would serve, and every mistake with its line.
[Your own model](../guides/your-own-model.md) begins with an example.

"""

# Keys whose variable is not made of their name.
VARIABLES = {"database_url": "CLIPIA_DATABASE_URL", "database_listen_url": "CLIPIA_DATABASE_LISTEN_URL"}


def keys(file: str) -> dict[str, tuple[str, str]]:
    """The keys of the file, each with its default and what its comment says."""
    found: dict[str, tuple[str, str]] = {}
    for paragraph in file.split("\n\n"):
        *comment, last = paragraph.strip().splitlines()
        if key := KEY.match(last):
            text = " ".join(line.removeprefix("#").strip() for line in comment)
            found[key["name"]] = (key["default"], text)
    return found


def page(file: str, options: set[str]) -> str:
    """The page of `clipia.toml`. `options` are those of `clipia serve`."""
    text = INTRODUCTION
    for name, (default, comment) in keys(file).items():
        option = "--" + name.replace("_", "-")
        assert option in options, f"`clipia serve` has no option {option}"
        variable = VARIABLES.get(name, f"CLIPIA_SERVE_{name.upper()}")
        text += f"## {code(name)}\n\n{escaped(comment)}\n\n" + fenced("toml", f"{name} = {default}")
        text += f"The option is {code(option)}, the variable {code(variable)}.\n\n"
    return text


def models_page(file: str) -> str:
    """The page of `models.toml`: the file itself."""
    return MODELS + fenced("toml", file)
