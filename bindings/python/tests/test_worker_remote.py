"""`serve` as the program of a worker on another machine: `clipia work`, beside a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

import conftest
from clipia_queue import Clipia, GenerationResult, StatusResponse, Submitted
from conftest import Server
from programs import SECONDS, Program, environment, program
from test_worker_examples import EXAMPLES, INDIGO, ORANGE, look_at

T = TypeVar("T")

unix = pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM is what ends a worker in order")

MODELS = """
[[executor]]
name = "gpu"

[[model]]
slug = "poster"
executor = "gpu"
type = "image"
pricing = { credits = 3 }

[[model.input_schema.parameters]]
name = "prompt"
type = "string"
required = true
label = "Words"

[[model.input_schema.parameters]]
name = "seed"
type = "integer"
label = "Seed"
"""


class Elsewhere:
    """A server whose executor `gpu` is made by workers on other machines."""

    def __init__(self, server: Server, data: Path) -> None:
        self.server = server
        self.data = data
        self.client = Clipia(server.live_key, base_url=server.url)
        self.token = data / "token"
        self.token.write_text(self.administer("workers", "create", "box-1", "--executors", "gpu")["token"])

    def administer(self, *arguments: str) -> Any:
        command: list[str | Path] = [conftest.program(), *arguments, "--data", str(self.data), "--json"]
        ran = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=SECONDS)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    @contextmanager
    def worker(self, program: Program, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker with a warm program, whose environment has `settings`."""
        named = [option for name, value in settings.items() for option in ("--env", f"{name}={value}")]
        command: list[str | Path] = [
            conftest.program(),
            "work",
            "--server",
            self.server.url,
            "--executor",
            "gpu",
        ]
        command += ["--token-file", self.token, "--warm", *named, "--", sys.executable, program.file]
        with open(program.file.with_suffix(".log"), "wb") as log:
            process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=log)
        with process:
            try:
                yield process
            finally:
                process.kill()

    def workers_of(self, request: str) -> list[str | None]:
        """The worker of each attempt at a request."""
        timeline = self.administer("requests", "show", request)["timeline"]
        return [event.get("worker") for event in timeline if event["what"] == "started"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    data = tmp_path / "server"
    data.mkdir()
    (data / "models.toml").write_text(MODELS)
    with conftest.serving(data) as server:
        elsewhere = Elsewhere(server, data)
        with elsewhere.client:
            yield elsewhere


def wait_for(what: str, look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + SECONDS
    while (found := look()) is None:
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
    return found


def wait_for_progress(generation: Submitted, percent: int) -> StatusResponse:
    return next(update for update in generation.updates() if update.progress == percent)


def test_a_poster_is_made_on_another_machine(elsewhere: Elsewhere, tmp_path: Path) -> None:
    file = tmp_path / "poster.py"
    file.write_bytes((EXAMPLES / "poster.py").read_bytes())
    with elsewhere.worker(Program(file)):
        words = {"prompt": "Fresh figs", "seed": 112}
        done = elsewhere.client.subscribe("poster", words, timeout=SECONDS)
        (picture,) = done.download(tmp_path / "saved")
        look_at(picture, INDIGO, ORANGE)  # which this seed draws
        failed = elsewhere.client.subscribe("poster", {"prompt": "words " * 40}, timeout=SECONDS)
        error = failed.error or {}
        assert (failed.status, error["code"]) == ("FAILED", "prompt_too_long")
    assert elsewhere.workers_of(done.request_id) == ["box-1"]


def output(result: GenerationResult) -> dict[str, Any]:
    assert result.status == "COMPLETED", result.data
    assert result.output is not None
    return result.output


STEPS = """
import os, pathlib, time

MARKS = pathlib.Path(os.environ["MARKS"])

def make(job: Job) -> object:
    step = job.step(4)
    step()
    job.log("the first step")
    try:
        while not (MARKS / job.input["prompt"]).exists():
            job.progress(25)
            time.sleep(0.005)
    except Canceled:
        (MARKS / "cleaned").touch()
        raise
    for _ in range(3):
        step()
    (job.out / "words.txt").write_text(job.input["prompt"])
    return {"pid": os.getpid()}
"""


@unix
def test_progress_and_a_cancel_pass_between_the_machines(elsewhere: Elsewhere, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    client = elsewhere.client
    with elsewhere.worker(program(tmp_path, STEPS), MARKS=str(marks)) as worker:
        first = client.submit("poster", {"prompt": "first"})
        assert wait_for_progress(first, 25).logs == ["the first step"]
        (marks / "first").touch()
        made = first.wait(timeout=SECONDS)
        pid = output(made)["pid"]

        canceled = client.submit("poster", {"prompt": "canceled"})
        wait_for_progress(canceled, 25)
        before = client.account.get()["balance"]["credits"]
        assert elsewhere.administer("requests", "cancel", canceled.request_id)["returned"] == 3
        assert canceled.wait(timeout=SECONDS).status == "CANCELED"
        wait_for("the end of the job", lambda: True if (marks / "cleaned").exists() else None)
        assert client.account.get()["balance"]["credits"] == before + 3

        (marks / "last").touch()
        last = client.subscribe("poster", {"prompt": "last"}, timeout=SECONDS)
        assert output(last)["pid"] == pid, "the program goes on"
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(SECONDS) == 0
        wait_for("the end of the program", lambda: None if os.path.exists(f"/proc/{pid}") else True)
    for generation in (first, canceled, last):
        assert elsewhere.workers_of(generation.request_id) == ["box-1"]
