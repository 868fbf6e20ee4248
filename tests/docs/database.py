"""PostgreSQL for the pages about several servers: a server of the tests' own, as the Rust tests start it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "postgres/src/server.sh"


class Postgres:
    """A server in a temporary directory, from the first database that somebody asks for."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.directory = ""
        self.databases = 0

    def url(self) -> str:
        """The URL of a new database."""
        if self.process is None:
            self.start()
        if self.directory == "none":
            message = "PostgreSQL is not installed: `apt-get install postgresql`"
            pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
        self.databases += 1
        name = f"docs_{self.databases}"
        create = ["psql", "-q", "-h", self.directory, "-U", "clipia", "-d", "postgres"]
        subprocess.run([*create, "-c", f"CREATE DATABASE {name}"], check=True, timeout=60)
        return f"postgres:///{name}?host={self.directory}&user=clipia"

    def start(self) -> None:
        user = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []
        command = ["setsid", *user, "sh", "-c", SCRIPT.read_text(), "sh", "fsync = off"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.directory = self.process.stdout.readline().strip()

    def stop(self) -> None:
        """Ends the server: its script ends with its input."""
        if self.process is not None:
            self.process.communicate(timeout=60)
