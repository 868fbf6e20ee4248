"""SIGTERM as an exception, so that the job it ends leaves nothing behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn


class Stopped(BaseException):
    """The process was asked to stop by SIGTERM."""


@contextmanager
def sigterm_raises() -> Generator[None]:
    """SIGTERM raises `Stopped` in the block, unless the program has a handler of its own."""
    is_own = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    if is_own or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _stop(*_: object) -> NoReturn:
    # A second signal, while the first one is being handled, ends the process at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Stopped
