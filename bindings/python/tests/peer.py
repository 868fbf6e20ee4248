"""A scripted peer, for responses that neither the real server nor the emulator can be made to send."""

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
    """An example of the specification."""
    document: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text())
    return document


@dataclass(frozen=True)
class Request:
    """A request as it was received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int
    """The client's port of the connection."""


@dataclass(frozen=True)
class Reply:
    """The peer's reply to a request."""

    body: dict[str, Any] | bytes
    """JSON, or raw bytes."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def running(request: Request) -> Reply:
    """Replies that every generation runs."""
    if request.method == "POST":
        return Reply(example("SubmitResponse.queued") | {"request_id": ID})
    status = 200 if request.path.endswith("/status") else 202
    return Reply({"request_id": ID, "status": "IN_PROGRESS", "progress": 72}, status)


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores a client that closed its connection, as some tests make it do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Peer:
    """An HTTP server in this process, which closes a connection without requests after `idle_seconds`."""

    def __init__(self, idle_seconds: float | None = None) -> None:
        self.seen: list[Request] = []
        self.respond: Callable[[Request], Reply] = running
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Otherwise a body waits 40 ms for the acknowledgement of its head.
            disable_nagle_algorithm = True
            timeout = idle_seconds

            def handle_request(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, body, self.client_address[1])
                peer.seen.append(request)
                reply = peer.respond(request)
                content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = handle_request

            def log_message(self, format: str, *args: Any) -> None:
                """Logs nothing."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.socket.close()
