"""The examples of both READMEs, the package's and the repository's, run as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import Server

READMES = [Path(__file__).parents[above] / "README.md" for above in (1, 3)]
SNIPPETS = [
    found for readme in READMES for found in re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet(snippet: str, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLIPIA_KEY", server.live_key)
    monkeypatch.setenv("CLIPIA_BASE_URL", server.url)
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "README.md", "exec"), {"__name__": "__main__"})
    assert list((tmp_path / "out").glob("*.png"))
