"""A server of the builder's own, for what only a server tells: its configuration files and its metrics."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Running:
    """A server that runs: its addresses, a key, and its data directory."""

    url: str
    admin_url: str
    key: str
    data: Path

    def call(self, path: str, body: Any = None) -> Any:
        """Calls the API."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read())

    def metrics(self) -> str:
        """The metrics of a server that has been used. Some are told only from their first value on."""
        body = {"input": {"prompt": "a red fox in snow", "resolution": "0.5K"}}
        request_id = self.call("/v1/models/nano-banana-2", body)["request_id"]
        while self.call(f"/v1/requests/{request_id}/status")["status"] != "COMPLETED":
            time.sleep(0.1)
        with urllib.request.urlopen(f"{self.admin_url}/metrics", timeout=60) as response:
            return str(response.read().decode())


@contextmanager
def running(program: Path, data: Path) -> Iterator[Running]:
    """Starts a server with nothing in its data directory, and ends it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLIPIA")}
    command = [str(program), "serve", "--listen", "127.0.0.1:0", "--json", "--data", str(data)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield Running(ready["url"], ready["admin_url"], ready["live_key"], data)
        finally:
            process.terminate()
