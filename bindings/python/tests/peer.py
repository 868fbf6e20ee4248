"""A far side that says what a test wants, where the real server could not be made to say it."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[3] / "spec" / "examples"

KEY = "clipia_live_0123456789abcdefk3Qz"
ID = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de"


def example(name: str) -> dict[str, Any]:
    """One of the answers that the specification shows."""
    answer: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text())
    return answer


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int
    """Of the connection that it came by."""


@dataclass(frozen=True)
class Answer:
    """What the peer says to one."""

    body: dict[str, Any] | bytes
    """JSON, or what it is to send as it stands."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def running(request: Request) -> Answer:
    """Says of every generation that it runs, for ever."""
    if request.method == "POST":
        return Answer(example("SubmitResponse.queued") | {"request_id": ID})
    status = 200 if request.path.endswith("/status") else 202
    return Answer({"request_id": ID, "status": "IN_PROGRESS", "progress": 72}, status)


class Progressing:
    """Moves a generation one step on, each time it is asked for its status."""

    STEPS = (
        {"status": "IN_QUEUE", "queue_position": 2},
        {"status": "IN_QUEUE", "queue_position": 0},
        {"status": "IN_PROGRESS", "progress": 40},
        {"status": "COMPLETED"},
    )

    def __init__(self) -> None:
        self.step = -1

    def __call__(self, request: Request) -> Answer:
        if request.method == "POST":
            return running(request)
        if request.path.endswith("/status"):
            self.step = min(self.step + 1, len(self.STEPS) - 1)
            return Answer({"request_id": ID, **self.STEPS[self.step]})
        return Answer(example("ResultResponse.image"))


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a client that gave up waiting, which tests make it do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Peer:
    """An HTTP server in this process."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.answer: Callable[[Request], Answer] = running
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A body that waits until its head is acknowledged costs 40 ms.
            disable_nagle_algorithm = True

            def reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, body, self.client_address[1])
                peer.seen.append(request)
                answer = peer.answer(request)
                content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = reply

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.socket.close()
