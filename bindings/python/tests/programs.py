"""A program of `serve`, and the server's side of its contract."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60
"""How long anything is waited for."""

Events = list[dict[str, Any]]


def environment(**more: str) -> dict[str, str]:
    """The environment of a program, without the settings of this machine."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CLIPIA_")}
    # A build of the tests warns that it is slow.
    return {**own, "PYTHONWARNINGS": "ignore", **more}


@dataclass(frozen=True)
class Attempt:
    """The directories and the events file of one job."""

    id: str
    input: dict[str, Any]
    directory: Path

    @classmethod
    def new(cls, directory: Path, id: str, input: dict[str, Any], files: dict[str, bytes]) -> Attempt:
        """An attempt in a new directory."""
        attempt = cls(id, input, directory)
        attempt.out.mkdir(parents=True)
        (attempt.directory / "in").mkdir()
        for name, content in files.items():
            (attempt.directory / "in" / name).write_bytes(content)
        return attempt

    @property
    def out(self) -> Path:
        return self.directory / "out"

    @property
    def events_file(self) -> Path:
        return self.directory / "events.jsonl"

    @property
    def message(self) -> dict[str, Any]:
        return {
            "job": self.id,
            "model": "fox-1",
            "input": self.input,
            "in": str(self.directory / "in"),
            "out": str(self.out),
            "events": str(self.events_file),
        }

    def events(self) -> Events:
        """The whole lines of the events file so far."""
        return read_events(self.events_file)

    def told(self) -> Events:
        """The events without the logs."""
        return [event for event in self.events() if "log" not in event]

    def logs(self) -> list[str]:
        """The logs among the events."""
        return [event["log"] for event in self.events() if "log" in event]

    def made(self) -> list[str]:
        """The names of the outputs."""
        return sorted(path.name for path in self.out.iterdir())


def read_events(path: Path) -> Events:
    """The events of whole lines. A write under way is seen page by page, so half a line may come last."""
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines]


class Warm:
    """A warm program that runs."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        self.process = process
        self._directory = directory
        self._jobs = 0

    @property
    def stdout(self) -> str:
        return (self._directory / "stdout").read_text(encoding="utf-8", errors="replace")

    @property
    def stderr(self) -> str:
        return (self._directory / "stderr").read_text(encoding="utf-8", errors="replace")

    def process_events(self) -> Events:
        return read_events(self._directory / "process.jsonl")

    def send(self, message: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def start(
        self, input: dict[str, Any], files: dict[str, bytes] | None = None, id: str | None = None
    ) -> Attempt:
        """Sends a job."""
        self._jobs += 1
        name = f"job-{self._jobs}"
        attempt = Attempt.new(self._directory / name, id or name, input, files or {})
        self.send(attempt.message)
        return attempt

    def run(self, input: dict[str, Any], files: dict[str, bytes] | None = None) -> Attempt:
        """Sends a job, and waits until it is done."""
        attempt = self.start(input, files)
        self.until_done(attempt)
        return attempt

    def until_done(self, attempt: Attempt) -> None:
        self.until(lambda: {"done": True} in attempt.events())
        assert attempt.events()[-1] == {"done": True}, "the last event"
        assert attempt.events_file.read_bytes().endswith(b"\n"), "nothing comes after it"

    def until(self, is_so: Callable[[], bool]) -> None:
        """Waits until something is so."""
        wait_until(
            is_so, lambda: f"exit code {self.process.poll()}\n{self.stdout}\n{self.stderr}", self.process
        )

    def close_stdin(self) -> int:
        """Closes stdin, and returns the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(SECONDS)


def wait_until(is_so: Callable[[], bool], state: Callable[[], str], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        # What a process has written before its end is seen after it.
        if process.poll() is not None and not is_so():
            raise AssertionError(f"the program ended: {state()}")
        assert time.monotonic() < deadline, state()
        time.sleep(0.005)


@dataclass(frozen=True)
class Program:
    """The file of a program, in a directory of its own."""

    file: Path

    @classmethod
    def of(cls, directory: Path, source: str) -> Program:
        file = directory / "program.py"
        file.write_text(source, encoding="utf-8")
        return cls(file)

    @contextmanager
    def start(self, *options: str, **more: str) -> Iterator[Warm]:
        """Starts it as a warm program."""
        directory = self.file.parent / "warm"
        directory.mkdir()
        settings = environment(CLIPIA_EVENTS=str(directory / "process.jsonl"), **more)
        with open(directory / "stdout", "wb") as stdout, open(directory / "stderr", "wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, *options, self.file],
                cwd=directory,
                env=settings,
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
            )
        with process:
            try:
                yield Warm(process, directory)
            finally:
                process.kill()

    @contextmanager
    def warm(self, *options: str, **more: str) -> Iterator[Warm]:
        """Starts it as a warm program, and waits until it is ready."""
        with self.start(*options, **more) as warm:
            warm.until(lambda: warm.process_events() != [])
            assert warm.process_events() == [{"ready": True, "protocol": 1}]
            yield warm

    @contextmanager
    def once(
        self, input: dict[str, Any], files: dict[str, bytes] | None = None
    ) -> Iterator[tuple[subprocess.Popen[bytes], Attempt]]:
        """Starts it for one job."""
        attempt = Attempt.new(self.file.parent / "once", "once", input, files or {})
        job_file = attempt.directory / "job.json"
        job_file.write_text(json.dumps(attempt.message))
        settings = environment(CLIPIA_JOB=str(job_file), CLIPIA_EVENTS=str(attempt.events_file))
        with subprocess.Popen(
            [sys.executable, self.file],
            cwd=attempt.directory,
            env=settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                yield process, attempt
            finally:
                process.kill()

    def run_once(
        self, input: dict[str, Any], files: dict[str, bytes] | None = None
    ) -> tuple[int, str, Attempt]:
        """Runs it for one job. Returns the exit code, stderr and the job's directories."""
        with self.once(input, files) as (process, attempt):
            _, stderr = process.communicate(json.dumps(attempt.message).encode() + b"\n", SECONDS)
            return process.returncode, stderr.decode(), attempt

    def by_hand(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs it as a person does, in its directory."""
        return subprocess.run(
            [sys.executable, self.file.name, *arguments],
            cwd=self.file.parent,
            env=environment(PYTHONUTF8="1"),
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
        )


def program(directory: Path, make: str, before: str = "") -> Program:
    """A program of a function `make`, and of lines before it."""
    return Program.of(
        directory, f"from clipia_queue.worker import Canceled, Job, serve\n{before}\n{make}\nserve(make)\n"
    )
