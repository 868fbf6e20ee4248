"""The examples of the README run as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import Server

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_a_snippet(snippet: str, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLIPIA_KEY", server.live_key)
    monkeypatch.setenv("CLIPIA_BASE_URL", server.url)
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "README.md", "exec"), {"__name__": "__main__"})
    assert list((tmp_path / "out").glob("*.png"))
