"""Fixtures: one real server for all tests, the emulator, and a scripted peer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.request import urlopen

import pytest

from clipia_queue import AsyncClipia, Clipia
from clipia_queue.testing import Emulator
from peer import Peer

pytest_plugins = ["clipia_queue.testing"]

ROOT = Path(__file__).parents[3]

# A process that was started in the background may ignore Ctrl-C, which the tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Server:
    url: str
    admin_url: str
    live_key: str
    test_key: str
    webhook_secret: str

    def calls(self) -> int:
        """The number of calls that the server has answered."""
        with urlopen(f"{self.admin_url}/metrics") as response:
            lines = response.read().decode().splitlines()
        return sum(int(line.split()[-1]) for line in lines if line.startswith("clipia_http_requests_total{"))


def program() -> Path:
    """The program `clipia`: the one that `cargo xtask test` has built, or else a new build."""
    if named := os.environ.get("CLIPIA_TEST_PROGRAM"):
        return Path(named)
    subprocess.run(["cargo", "build", "-p", "clipia-cli"], cwd=ROOT, check=True)
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / "clipia"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@contextmanager
def serving(data: Path) -> Iterator[Server]:
    """A server with this data directory."""
    # The tests make more than a key's 120 requests a minute.
    options = ["--listen", "127.0.0.1:0", "--data", str(data), "--json", "--dev", "--rpm", "0"]
    with open(data / "log.txt", "w") as log:
        process = subprocess.Popen([program(), "serve", *options], stdout=PIPE, stderr=log, text=True)
    with process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready, (data / "log.txt").read_text()
            ready_values = json.loads(ready)
            yield Server(**{field.name: ready_values[field.name] for field in fields(Server)})
            process.terminate()
            # Windows has no signal for this.
            assert process.wait(timeout=30) == (1 if sys.platform == "win32" else 0)
        finally:
            # If the code above failed, the server was not asked to stop, and would not end.
            process.kill()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the machine's own settings from the environment of clients."""
    own = {
        "CLIPIA_KEY",
        "CLIPIA_API_KEY",
        "CLIPIA_BASE_URL",
        "CLIPIA_ALLOW_HTTP",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    }
    for name in list(os.environ):
        if name in own or name.upper().endswith(("_PROXY", "_CA_BUNDLE")):
            monkeypatch.delenv(name)


@pytest.fixture
def live(server: Server) -> Iterator[Clipia]:
    with Clipia(server.live_key, base_url=server.url) as clipia:
        yield clipia


@pytest.fixture
def sandbox(server: Server) -> Iterator[Clipia]:
    with Clipia(server.test_key, base_url=server.url) as clipia:
        yield clipia


@pytest.fixture
def async_live(server: Server) -> AsyncClipia:
    return AsyncClipia(server.live_key, base_url=server.url)


# A generation that goes a step on with each poll.
STEPS = {"prompt": "@position=2,0 @progress=40 a fox"}
# One that never ends.
STUCK = {"prompt": "@stuck a fox"}


class Emulated:
    """The emulator, as the account of one test sees it."""

    def __init__(self, emulator: Emulator, key: str) -> None:
        self.emulator, self.key = emulator, key

    def client(self) -> Clipia:
        return self.emulator.client(self.key)

    def async_client(self) -> AsyncClipia:
        return self.emulator.async_client(self.key)

    def calls(self, operation: str | None = None) -> list[dict[str, Any]]:
        """What was called so far."""
        return self.emulator.journal(operation=operation, key=self.key)


@pytest.fixture
def emulated(clipia_emulator: Emulator, clipia_key: str) -> Iterator[Emulated]:
    yield Emulated(clipia_emulator, clipia_key)
    # The faults that the test has added.
    clipia_emulator.reset()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()
