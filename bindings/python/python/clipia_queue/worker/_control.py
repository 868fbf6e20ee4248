"""The connection between a job and its worker: progress and logs one way, the cancel the other way."""

from __future__ import annotations

import threading
from typing import Protocol


class Canceled(BaseException):
    """The request was canceled. `Job.progress` and the function of `Job.step` raise it in `make`.

    It is no `Exception`, so that an `except Exception` on the way does not keep the job running.
    """


class Refused(BaseException):
    """`Job.fail` or `Job.retry` was called. It is no `Exception` for the same reason."""

    def __init__(self, sentence: str, code: str | None, *, again: bool) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.again = again


class Reporter(Protocol):
    """Where a job reports to: its events file, or the terminal."""

    def progress(self, percent: int) -> None: ...
    def log(self, line: str) -> None: ...


class Control:
    """What the worker knows of a running job. Threads may share it."""

    def __init__(self, reporter: Reporter) -> None:
        self.drawn_seed: int | None = None
        self.refused: Refused | None = None
        self.reporter = reporter
        self._canceled = threading.Event()
        self._percent = 0

    def cancel(self) -> None:
        self._canceled.set()

    @property
    def is_canceled(self) -> bool:
        return self._canceled.is_set()

    def check(self) -> None:
        """Raises `Canceled` if the request was canceled."""
        if self._canceled.is_set():
            raise Canceled

    def progress(self, percent: float) -> None:
        """Reports progress. Only a whole percent more is an event, so that a job has at most 100 of them."""
        whole = int(min(percent, 100))
        if whole > self._percent:
            self._percent = whole
            self.reporter.progress(whole)
