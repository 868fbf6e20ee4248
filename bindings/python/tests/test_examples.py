"""The programs in `examples`, run unchanged against the real server."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from clipia_queue import Clipia
from conftest import ROOT, Server
from grading import assert_right

EXAMPLES = ROOT / "bindings/python/examples"


@pytest.fixture
def environment(server: Server) -> dict[str, str]:
    return {
        **os.environ,
        "CLIPIA_KEY": server.live_key,
        "CLIPIA_BASE_URL": server.url,
        "CLIPIA_WEBHOOK_SECRET": server.webhook_secret,
        "PYTHONWARNINGS": "ignore",  # a build of the tests warns that it is slow
    }


def run(environment: dict[str, str], directory: Path, name: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quickstart(environment: dict[str, str], tmp_path: Path) -> None:
    output = run(environment, tmp_path, "quickstart.py")
    (file,) = (tmp_path / "out").glob("*.png")
    assert str(file.relative_to(tmp_path)) in output


def test_fleet(environment: dict[str, str], tmp_path: Path) -> None:
    assert "6 of 6 completed" in run(environment, tmp_path, "fleet.py", "6")
    assert len(list((tmp_path / "out").glob("*.png"))) == 6


def test_download(environment: dict[str, str], tmp_path: Path, live: Clipia) -> None:
    job = live.submit("nano-banana-2", {"prompt": "a fox", "resolution": "0.5K"})
    job.wait(timeout=60)
    assert "bytes" in run(environment, tmp_path, "download.py", job.request_id, "out")
    assert list((tmp_path / "out").glob("*.png"))


def test_resume_after_a_kill(environment: dict[str, str], tmp_path: Path, live: Clipia) -> None:
    before, saved = live.account.get()["balance"]["credits"], tmp_path / "pictures.json"
    with subprocess.Popen(
        [sys.executable, EXAMPLES / "resume.py", saved], env=environment, stdout=subprocess.DEVNULL
    ) as first:
        while not (saved.exists() and "request_id" in saved.read_text()):
            assert first.poll() is None
            time.sleep(0.005)
        first.kill()
    output = run(environment, tmp_path, "resume.py", str(saved))
    ids = [picture["request_id"] for picture in json.loads(saved.read_text())]
    assert output.splitlines() == [f"{request_id} COMPLETED" for request_id in ids]
    cost = sum(live.result(request_id).cost or 0 for request_id in ids)
    assert before - live.account.get()["balance"]["credits"] == cost, "each was paid for once"


def test_webhook_server(environment: dict[str, str], tmp_path: Path, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        options = ["--app-dir", str(EXAMPLES), "--fd", str(listener.fileno())]
        if sys.platform == "win32":
            pytest.skip("uvicorn takes no open socket there")
        with subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *options, "webhook_server:app"],
            env={**environment, "PUBLIC_URL": url},
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            before = server.calls()
            request = Request(f"{url}/pictures?prompt={quote('a fox')}", method="POST")
            with urlopen(request, timeout=60) as response:
                assert json.load(response)["images"]
            assert server.calls() - before == 1, "the wait ended with the delivery"
            assert_right(url, server.webhook_secret)
            process.terminate()
            _, output = process.communicate(timeout=30)
    assert re.search(r"ended OK", output), output
