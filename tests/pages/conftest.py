"""The servers and the browser that the tests of the dashboard's pages use."""

import json
import os
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
PROGRAM = os.environ.get("CLIPIA_TEST_PROGRAM", str(ROOT / "target/debug/clipia"))
PICTURES = Path(os.environ.get("CLIPIA_TEST_PAGES", ROOT / "target/pages"))

MARKUP = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"


@dataclass
class Server:
    """A running server: where it listens, its keys and its data directory."""

    url: str
    admin_url: str
    live_key: str
    test_key: str
    webhook_secret: str
    data: Path

    def call(self, path: str, body: Any = None, key: str | None = None) -> Any:
        """Calls the API with JSON."""
        headers = {"Authorization": f"Bearer {key or self.live_key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")

    def ticket_url(self) -> str:
        """An address that signs a browser in once."""
        command = [PROGRAM, "dashboard", "--print", "--json", "--data", str(self.data)]
        printed = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
        return str(json.loads(printed)["url"])


def started(arguments: list[str], data: Path) -> Iterator[Server]:
    """A server that runs until the fixture ends."""
    environment = {**os.environ, "RUST_LOG": "warn"}
    process = subprocess.Popen(
        [PROGRAM, *arguments, "--data", str(data), "--json"],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    yield Server(data=data, **{name: ready[name] for name in Server.__annotations__ if name != "data"})
    process.terminate()
    assert process.wait(timeout=60) == 0


@pytest.fixture(scope="session")
def receiver() -> Iterator[str]:
    """A receiver that takes every delivery."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"thanks")

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/webhook"
    server.shutdown()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, receiver: str) -> Iterator[Server]:
    """The emulator with a seeded store: two runs have the same ids and, as its clock stands, equal times."""
    data = tmp_path_factory.mktemp("emulator")
    arguments = ["emulate", "--clock", "manual", "--seed", "7", "--port", "0"]
    for server in started(arguments, data):
        seed(server, receiver)
        yield server


def seed(server: Server, receiver: str) -> None:
    """Forty requests in every state, and a caller's mistakes."""
    for number in range(40):
        prompt = {0: MARKUP, 7: "@fail a fox", 14: '@fail=content_policy:"too red" a fox'}.get(
            number % 20, f"a fox, picture {number}"
        )
        body: dict[str, Any] = {"input": {"prompt": prompt}}
        if number % 10 == 3:
            body["webhook_url"] = receiver
        server.call("/v1/models/nano-banana-2", body)
        if number % 10 == 9:
            server.call("/_emulator/clock", {"advance": "1m"})
    server.call("/_emulator/faults", {"fault": "status 503 x1"})
    server.call("/v1/models/nano-banana-2", {"input": {"prompt": "@stuck a fox that runs"}})
    server.call("/_emulator/clock", {"advance": "1s"})


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as an operator runs it."""
    data = tmp_path_factory.mktemp("server")
    yield from started(["serve", "--dev", "--listen", "127.0.0.1:0"], data)


@pytest.fixture(scope="session")
def read_only_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose dashboard changes nothing, below a path of a proxy."""
    options = ["--dashboard-read-only", "--dashboard-prefix", "/queue"]
    data = tmp_path_factory.mktemp("read-only")
    yield from started(["serve", "--dev", "--listen", "127.0.0.1:0", *options], data)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        message = "no Chromium: `apt-get install chromium`"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        # The tests run as root in a container, where Chromium has no sandbox and little shared memory.
        launched = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()
