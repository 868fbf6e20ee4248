"""The events file of a job or of a warm program, to which JSON lines are appended.

It is a regular file, so that a write never blocks, and what a program prints can never be taken for an event.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path, PurePath
from typing import Any

EVENT_BYTES_MAX = 60 * 1024
"""The longest line in bytes. A line of more than 64 KiB ends the job."""

LOG_LINE_CHARACTERS_MAX = 1024
"""The longest line of a log in characters, which are at most 4 KiB. Longer lines are cut."""

LOG_BYTES_MAX = 8 * 1024 * 1024
"""The bytes of all log lines of a job. Later ones are dropped: a file of more than 16 MiB ends the job."""


class Events:
    """An events file. Threads may share it."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._file: int | None = os.open(path, flags, 0o644)
        self._lock = threading.Lock()
        self._log_bytes = 0

    def write(self, *events: dict[str, Any]) -> None:
        """Appends events, in one call of the system so that those of other processes do not mix."""
        self._append(b"".join(map(event_line, events)))

    def progress(self, percent: int) -> None:
        self.write({"progress": percent})

    def log(self, line: str) -> None:
        encoded = event_line({"log": line[:LOG_LINE_CHARACTERS_MAX]})
        with self._lock:
            before = self._log_bytes
            self._log_bytes += len(encoded)
        if self._log_bytes <= LOG_BYTES_MAX:
            self._append(encoded)
        elif before <= LOG_BYTES_MAX:
            print("clipia: the job has logged 8 MiB; the rest of its `job.log` is dropped", file=sys.stderr)

    def close(self) -> None:
        """Closes the file. What a thread that the job left behind reports afterwards is dropped."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _append(self, lines: bytes) -> None:
        with self._lock:
            while lines and self._file is not None:
                lines = lines[os.write(self._file, lines) :]


def event_line(event: dict[str, Any]) -> bytes:
    """The line of an event. Half a surrogate pair, which JSON in UTF-8 cannot have, becomes `?`."""
    return encoded_json(event) + b"\n"


def encoded_json(value: dict[str, Any]) -> bytes:
    """JSON in UTF-8.

    Raises `TypeError` for a value that JSON does not have, and `ValueError` for NaN and infinity.
    """
    text = json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", errors="replace")


def _plain(value: object) -> object:
    """Numbers and lists of NumPy and torch as those of Python, and paths as text."""
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return to_list()
    if isinstance(value, PurePath):
        return str(value)
    kind: type = type(value)
    raise TypeError(f"the output has a {kind.__module__}.{kind.__qualname__} where it may only have JSON")
