"""Jobs that the server sends: on stdin of a warm program, or one in a file."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipia_queue.worker._control import Control
from clipia_queue.worker._events import Events
from clipia_queue.worker._job import Job, fetched

MESSAGE_BYTES_MAX = 64 * 1024 * 1024
"""The longest line on stdin, in bytes."""

READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class Received:
    """A job that was received, and the two ends of its connection."""

    job: Job
    control: Control
    events: Events

    @classmethod
    def of(cls, message: dict[str, Any]) -> Received:
        """The job of a message. Its paths are absolute, since `make` may change the working directory."""
        directory, out = Path(message["in"]).absolute(), Path(message["out"]).absolute()
        events = Events(Path(message["events"]).absolute())
        control = Control(events)
        model, find = message.get("model"), fetched(directory)
        return cls(Job(message["job"], model, message["input"], out, find, control), control, events)


def take_stdin() -> int:
    """The file descriptor of stdin, which child processes do not inherit: ffmpeg would read the messages."""
    own, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return own


class Inbox:
    """Received jobs. A thread reads them, so that a cancel is heard while a job runs."""

    def __init__(self, file: int) -> None:
        self.is_broken = False
        """Whether stdin had a message that cannot be used."""
        self._file = file
        self._queue: queue.SimpleQueue[Received | None] = queue.SimpleQueue()
        self._received: dict[str, Received] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._read, name="clipia-stdin", daemon=True).start()

    def next(self) -> Received | None:
        """The next job, once there is one. None once stdin is closed."""
        return self._queue.get()

    def forget(self, received: Received) -> None:
        """Forgets a job that has ended. A cancel of it is ignored from now on."""
        with self._lock:
            # The next attempt of the same request may be here already.
            if self._received.get(received.job.id) is received:
                del self._received[received.job.id]

    def _read(self) -> None:
        try:
            for line in lines(self._file):
                self._hear(json.loads(line))
        except (KeyError, OSError, TypeError, ValueError) as error:
            # A job that is not taken would be waited for. The end of the process tells that it is lost.
            self.is_broken = True
            print(
                f"clipia: a message on stdin cannot be used, and no other is read: {error!r}", file=sys.stderr
            )
        finally:
            self._queue.put(None)

    def _hear(self, message: dict[str, Any]) -> None:
        if "cancel" in message:
            with self._lock:
                canceled = self._received.get(message["cancel"])
            if canceled is not None:
                canceled.control.cancel()
        elif "job" in message:
            received = Received.of(message)
            with self._lock:
                self._received[received.job.id] = received
            self._queue.put(received)


def lines(file: int) -> Iterator[bytes]:
    """The lines of a file descriptor, without a lock that the end of the process would wait for."""
    parts: list[bytes] = []
    length = 0
    while data := os.read(file, READ_BYTES):
        *ends, rest = data.split(b"\n")
        for end in ends:
            yield b"".join([*parts, end])
            parts, length = [], 0
        parts.append(rest)
        length += len(rest)
        if length > MESSAGE_BYTES_MAX:
            raise ValueError(f"it is longer than {MESSAGE_BYTES_MAX} bytes")
