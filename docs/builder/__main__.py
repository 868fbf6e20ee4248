"""`python -m builder SITE`: builds the site into a directory. `cargo xtask docs` runs it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from . import command_line, configuration, errors, metrics, stubs
from .links import faults
from .pages import Pages
from .running import running
from .wire import Wire

ROOT = Path(__file__).parents[2]
PROGRAM = Path(os.environ.get("CLIPIA_TEST_PROGRAM", ROOT / "target/debug/clipia"))
PACKAGE = ROOT / "bindings/python/python/clipia_queue"

# The wires: a page, the document, the directory of its examples.
WIRES = [
    ("http.md", "openapi.yaml", "examples"),
    ("administration.md", "administration.yaml", "examples-administration"),
    ("workers.md", "workers.yaml", "examples-workers"),
]


def document(name: str) -> dict[str, Any]:
    """A document of `spec`."""
    read = yaml.safe_load((ROOT / "spec" / name).read_text())
    assert isinstance(read, dict)
    return read


def reference() -> dict[str, str]:
    """The pages of the reference, by their paths below `reference`."""
    root = command_line.helps(PROGRAM)
    pages = {f"program/{path}": text for path, text in command_line.pages(root).items()}
    (serve,) = (command for command in root.commands if command.words == ["serve"])
    with tempfile.TemporaryDirectory() as directory, running(PROGRAM, Path(directory)) as server:
        pages["configuration.md"] = configuration.page(
            (server.data / "clipia.toml").read_text(), serve.flags()
        )
        pages["models.md"] = configuration.models_page((server.data / "models.toml").read_text())
        pages["metrics.md"] = metrics.page(server.metrics())
    for page, name, examples in WIRES:
        pages[page] = Wire(document(name), ROOT / "spec" / examples).page()
    pages["python.md"] = stubs.page(PACKAGE)
    written = errors.pages(document("openapi.yaml"), ROOT / "spec/examples")
    return pages | {f"errors/{path}": text for path, text in written.items()}


def navigation(pages: dict[str, str]) -> str:
    """The reference in the form of the key `nav`: an index first, then the pages below it."""

    def below(directory: str) -> list[dict[str, str]]:
        paths = [
            path for path in pages if path.startswith(f"{directory}/") and not path.endswith("/index.md")
        ]
        return [{title(pages[path]): f"reference/{path}"} for path in paths]

    alone = [{title(text): f"reference/{path}"} for path, text in pages.items() if "/" not in path]
    nested = [
        {title(pages[f"{name}/index.md"]): [f"reference/{name}/index.md", *below(name)]}
        for name in ("program", "errors")
    ]
    listed = ["reference.md", nested[0], *alone, nested[1]]
    return toml(listed)


def toml(value: Any) -> str:
    """A value of lists, tables and strings as TOML."""
    if isinstance(value, list):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


def title(text: str) -> str:
    """The first heading of a page."""
    return text.partition("\n")[0].removeprefix("# ").replace("`", "")


def introduction(pages: dict[str, str]) -> str:
    """The list of the reference's pages, for `reference.md`."""
    paths = [path for path in pages if "/" not in path or path.endswith("/index.md")]
    return "".join(f"- [{title(pages[path])}](reference/{path})\n" for path in paths)


def texts(staged: Path, site: Path, paths: list[Path]) -> None:
    """Puts each page beside its HTML as it was written, and a list of them, for readers that want text."""
    lines = ["# Clipia Queue\n", "> Images, video and audio through an asynchronous queue.\n"]
    for path in paths:
        target = site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(staged / path, target)
        lines.append(f"- [{title((staged / path).read_text())}]({path.as_posix()})")
    (site / "llms.txt").write_text("\n".join(lines) + "\n")


def build(site: Path) -> list[str]:
    """Builds the site, and returns what is wrong with its links. Raises an error if Zensical warns."""
    if sys.version_info < (3, 11):
        sys.exit("error: the site needs Python 3.11 or later, as Zensical does")
    work = site.parent / "site-work"
    shutil.rmtree(work, ignore_errors=True)
    staged = Pages(ROOT, work / "pages")
    paths = staged.stage()
    written = reference()
    for path, text in written.items():
        staged.write(Path("reference") / path, text)
    start = work / "pages/reference.md"
    start.write_text(start.read_text().replace("<!-- reference -->", introduction(written)))
    shutil.copyfile(ROOT / "docs/site.css", work / "pages/site.css")
    settings = (ROOT / "docs/zensical.toml").read_text()
    settings = settings.replace('"reference/**"', navigation(written))
    (work / "zensical.toml").write_text(settings)
    zensical = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    subprocess.run(zensical, check=True, cwd=work)
    shutil.rmtree(site, ignore_errors=True)
    (work / "site").rename(site)
    texts(work / "pages", site, [*paths, *(Path("reference") / path for path in written)])
    return list(faults(site))


def main() -> int:
    arguments = argparse.ArgumentParser(prog="builder", description=__doc__)
    arguments.add_argument("site", type=Path, help="the directory of the site, which is replaced")
    site = arguments.parse_args().site.absolute()
    wrong = build(site)
    for fault in wrong:
        print(f"error: {fault}", file=sys.stderr)
    print(f"the site: {site / 'index.html'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
