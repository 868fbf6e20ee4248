"""The snippets of the READMEs, the repository's too, run as written. `tests/docs` runs the other pages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from conftest import ROOT, Server
from grading import assert_right
from programs import Program
from receivers import django_project, serving_asgi, serving_wsgi

PAGES = [ROOT / "README.md", ROOT / "bindings/python/README.md"]


def snippets() -> list[Any]:
    found = []
    for page in PAGES:
        text = page.read_text()
        for block in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
            line = text.count("\n", 0, block.start()) + 1
            name = f"{page.relative_to(ROOT)}:{line}"
            # Line numbers are those of the page.
            found.append(pytest.param("\n" * line + block[1], page, id=name))
    return found


def run_program(snippet: str, directory: Path) -> None:
    """Runs a program of `clipia_queue.worker` by hand."""
    ran = Program.of(directory, snippet).by_hand("--prompt", "teal", "--out", "out")
    assert ran.returncode == 0, ran.stderr
    (name,) = ran.stdout.split()
    with Image.open(directory / name) as picture:
        assert picture.getpixel((9, 9)) == (0, 128, 128)


def serve(names: dict[str, Any], secret: str) -> None:
    """Checks the receiver of a snippet."""
    if "urlpatterns" in names:
        with django_project(names["urlpatterns"]) as app, serving_wsgi(app) as url:
            assert_right(url, secret)
    elif type(names["app"]).__name__ == "Flask":
        with serving_wsgi(names["app"]) as url:
            assert_right(url, secret)
    else:
        with serving_asgi(names["app"]) as url:
            assert_right(url, secret)


@pytest.mark.parametrize(("snippet", "page"), snippets())
def test_a_snippet(
    snippet: str,
    page: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("CLIPIA_KEY", server.live_key)
    monkeypatch.setenv("CLIPIA_BASE_URL", server.url)
    monkeypatch.setenv("CLIPIA_WEBHOOK_SECRET", server.webhook_secret)
    monkeypatch.chdir(tmp_path)
    if "clipia_queue.worker" in snippet:
        run_program(snippet, tmp_path)
        return
    Image.new("RGB", (64, 36), "orange").save("fox.png")
    if "import pytest" in snippet:
        monkeypatch.setenv("PYTHONWARNINGS", "ignore")  # a debug build warns that it is slow
        monkeypatch.setenv("PATH", sysconfig.get_path("scripts"), prepend=os.pathsep)
        (tmp_path / "test_fox.py").write_text(snippet)
        ran = subprocess.run([sys.executable, "-m", "pytest"], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert " passed" in ran.stdout
        return
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(snippet, page.name, "exec"), names)
    if "CLIPIA_WEBHOOK_SECRET" in snippet:
        serve(names, server.webhook_secret)
    if ".download(" in snippet:
        assert list((tmp_path / "out").glob("*.png"))


def test_the_snippets_are_well_typed(tmp_path: Path) -> None:
    settings = tmp_path / "mypy.ini"
    untyped = "[mypy-django.*]\nignore_missing_imports = True\n"  # Django has no types
    settings.write_text(f"[mypy]\nstrict = True\n{untyped}")
    names = []
    for number, snippet in enumerate(snippets()):
        names.append(f"snippet_{number}.py")
        (tmp_path / names[-1]).write_text(snippet.values[0])
    # Run in the directory of the snippets, so that they import nothing of the repository.
    check = [sys.executable, "-m", "mypy", "--config-file", str(settings), *names]
    checked = subprocess.run(check, capture_output=True, text=True, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_the_readme_links_to_exists() -> None:
    readme = (ROOT / "bindings/python/README.md").read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / "bindings/python" / link).exists(), link
