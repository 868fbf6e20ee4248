"""The links of the site lead somewhere, and its reference is whole."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml
from builder.command_line import helps, said
from builder.fences import outside_blocks
from builder.links import faults
from builder.pages import LINK
from builder.plain import slug
from pages import PAGES, ROOT
from reader import PROGRAM

import clipia_queue
from clipia_queue import testing, worker

SITE = Path(os.environ.get("CLIPIA_TEST_SITE", ROOT / "target/site"))


@pytest.fixture(scope="session")
def site() -> Path:
    """The site, as the step before has built it."""
    assert (SITE / "index.html").exists(), "build the site first: `cargo xtask docs`"
    return SITE


def spec() -> Any:
    return yaml.safe_load((ROOT / "spec/openapi.yaml").read_text())


def test_every_link_leads_somewhere(site: Path) -> None:
    assert list(faults(site)) == []


def headings(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them too."""
    text = outside_blocks(page.read_text())
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def test_every_link_of_the_repository_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("crates/*/README.md"), ROOT / "bindings/python/README.md"]
    links = 0
    for page in [*pages, *PAGES]:
        for found in LINK.finditer(outside_blocks(page.read_text())):
            target, anchor = found["target"], (found["anchor"] or "").removeprefix("#")
            if ":" in target:
                continue
            file = page.parent / target if target else page
            assert file.exists(), f"{page.relative_to(ROOT)}: {target}"
            assert not anchor or anchor in headings(file), f"{page.relative_to(ROOT)}: {target}#{anchor}"
            links += 1
    assert links > 50, links


def test_a_wrong_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<h1 id="here">A page</h1><a href="#here">a</a><a href="#there">b</a><a href="gone.html">c</a>'
        '<a href="other.html#deep">d</a><a href="other.html">e</a><a href="https://example.com">f</a>'
        '<script src="https://example.com/a.js"></script><img src="none.png">'
    )
    (tmp_path / "other.html").write_text("<p>Nothing</p>")
    assert list(faults(tmp_path)) == [
        "index.html: #there has no such anchor",
        "index.html: gone.html does not exist",
        "index.html: other.html#deep has no such anchor",
        "index.html: https://example.com/a.js is loaded from another host",
        "index.html: none.png does not exist",
    ]


def test_every_page_is_in_the_navigation(site: Path) -> None:
    navigation = json.dumps(tomllib.loads((ROOT / "docs/zensical.toml").read_text())["project"]["nav"])
    for page in (ROOT / "docs").rglob("*.md"):
        path = page.relative_to(ROOT / "docs").as_posix()
        assert path == "reference.md" or f'"{path}"' in navigation, path


def test_every_page_is_there_as_text_and_can_be_searched(site: Path) -> None:
    listed = set(re.findall(r"\]\(([^)]+)\)", (site / "llms.txt").read_text()))
    assert listed == {page.relative_to(site).as_posix() for page in site.rglob("*.md")}
    found = {
        item["location"].partition("#")[0] for item in json.loads((site / "search.json").read_text())["items"]
    }
    for page in listed:
        html = page.removesuffix(".md") + ".html"
        assert (site / html).exists(), html
        assert found & {html, html.removesuffix("index.html")}, f"{html} is not in the index of the search"


def test_every_flag_is_in_the_reference(site: Path) -> None:
    root = helps(PROGRAM)
    everywhere = (site / "reference/program/index.md").read_text()
    flags = 0
    for command in root.all():
        page = (site / f"reference/program/{command.words[0] if command.words else 'index'}.md").read_text()
        # As the program prints it, and not as the builder reads it.
        for flag in re.findall(
            r"^ {2,6}(?:-\w, )?(--[a-z][a-z-]*)", said(PROGRAM, command.words), re.MULTILINE
        ):
            assert re.search(rf"{flag}\b(?!-)", page + everywhere), f"{command.name} {flag}"
            flags += 1
    assert flags > 150, flags


def test_every_key_is_in_the_reference(site: Path) -> None:
    page = (site / "reference/configuration.md").read_text()
    printed = subprocess.run(
        [PROGRAM, "serve", "--print-config"], check=True, capture_output=True, text=True
    ).stdout
    keys = set(tomllib.loads(printed))
    assert len(keys) > 15
    for key in keys:
        assert f"## `{key}`" in page, key


def test_every_call_is_in_the_reference(site: Path) -> None:
    page = (site / "reference/http.md").read_text()
    for path, item in spec()["paths"].items():
        for method in item:
            assert f"{method.upper()} {path}\n" in page, f"{method} {path}"


def test_every_error_code_has_a_page(site: Path) -> None:
    rust = (ROOT / "crates/clipia/src/error.rs").read_text()
    codes = spec()["components"]["schemas"]["ErrorCode"]["x-codes"]
    pages = {page.stem for page in (site / "reference/errors").glob("*.md")} - {"index"}
    assert pages == {entry["code"] for entry in codes}
    for entry in codes:
        page = (site / f"reference/errors/{entry['code']}.md").read_text()
        assert str(entry["status"]) in page
        (python,) = re.findall(r"`clipia_queue\.(\w+)`", page)
        assert issubclass(getattr(clipia_queue, python), clipia_queue.ClipiaApiError)
        (variant,) = re.findall(r"`clipia::Error::(\w+)`", page)
        assert re.search(rf"^    {variant}\(", rust, re.MULTILINE), variant


def test_every_name_in_python_is_in_the_reference(site: Path) -> None:
    page = (site / "reference/python.md").read_text()
    for name in clipia_queue.__all__:
        value = getattr(clipia_queue, name)
        if isinstance(value, type) or callable(value):
            assert f"### `{name}`" in page, name


def test_the_modules_beside_it_are_in_the_reference(site: Path) -> None:
    page = (site / "reference/python.md").read_text()
    for module in (testing, worker):
        for name in module.__all__:
            assert f"### `{name}`" in page, name


def test_every_metric_is_in_the_reference(site: Path) -> None:
    page = (site / "reference/metrics.md").read_text()
    sources = ROOT / "crates/clipia-server/src"
    registered = r'\.register(?:_with_unit)?\(\s*"([a-z_]+)"'
    names = {name for file in sources.rglob("*.rs") for name in re.findall(registered, file.read_text())}
    assert len(names) > 25, names
    for name in names:
        assert f"`clipia_{name}" in page, name


def test_the_chart_has_the_numbers_of_its_table(site: Path) -> None:
    page = (site / "benchmarks.html").read_text()
    (chart,) = re.findall(r'<figure class="bars">.*?</figure>', page, re.DOTALL)
    (table,) = re.findall(r"<!-- bars: .*? -->\n((?:\|.*\n)+)", (ROOT / "docs/benchmarks.md").read_text())
    numbers = [line.split("|")[2].strip() for line in table.splitlines()[2:]]
    assert re.findall(r">(\d+)</text>", chart) == numbers
    assert chart.count('class="bar"') == len(numbers)
    assert "currentColor" in chart, "its text has the colour of the page, light or dark"
