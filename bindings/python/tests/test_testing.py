"""`clipia_queue.testing`: the emulator as a user of the wheel has it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipia_queue import ClipiaApiError, GenerationFailed
from clipia_queue.testing import Emulator, EmulatorError

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
