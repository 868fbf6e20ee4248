"""The bar of `progress=True`: of tqdm if it is installed, else of rich, else a plain line on stderr."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from clipia_queue._clipia_queue import printable
from clipia_queue._statuses import COMPLETED, IN_PROGRESS, IN_QUEUE, TERMINAL_STATUSES

if TYPE_CHECKING:
    from rich.progress import Progress

    from clipia_queue._clipia_queue import StatusResponse

LABEL_LENGTH = 8
"""Characters of the id in the label of a bar."""


class Drawn(Protocol):
    """A bar in the style of one of the packages."""

    def draw(self, percent: int, status: str) -> None: ...
    def close(self) -> None: ...

    @staticmethod
    def write_line(line: str) -> None:
        """Writes a line above all bars."""
        ...


class Bar:
    """Shows the status of one generation. The bar appears with the first update, and stays at the end."""

    def __init__(self) -> None:
        self._drawn: Drawn | None = None
        self._percent = 0
        _open.add(self)

    def __call__(self, update: StatusResponse) -> None:
        if self._drawn is None:
            self._drawn = _bar(one_line(update.request_id[:LABEL_LENGTH]))
        if update.status == COMPLETED:
            self._percent = 100
        elif update.status not in TERMINAL_STATUSES:
            self._percent = update.progress or 0
        self._drawn.draw(self._percent, one_line(status_text(update)))

    def close(self) -> None:
        _open.discard(self)
        if self._drawn is not None:
            self._drawn.close()
            self._drawn = None


_open: WeakSet[Bar] = WeakSet()
"""The bars whose call has not ended. The references are weak, because a coroutine may never be awaited."""


def show_beside_bars(pause: str) -> None:
    """Shows what a long pause waits for, if there is a bar, which would otherwise seem to hang."""
    if _open:
        for style in (Tqdm, Rich):
            try:
                style.write_line(pause)
            except ImportError:
                continue
            return
        Plain.write_line(pause)


def status_text(update: StatusResponse) -> str:
    """The status in words."""
    if update.status == IN_QUEUE and update.queue_position is not None:
        return f"in queue, {update.queue_position} ahead" if update.queue_position else "next in queue"
    words = "running" if update.status == IN_PROGRESS else update.status.lower().replace("_", " ")
    return words if update.progress is None else f"{words}, {update.progress} %"


def one_line(text: str) -> str:
    """A server's text on one line, with escapes for characters that a terminal would obey."""
    return " ".join(printable(text).split())


def _bar(label: str) -> Drawn:
    try:
        return Tqdm(label)
    except ImportError:
        pass
    try:
        return Rich(label)
    except ImportError:
        return Plain(label)


class Tqdm:
    """A bar of tqdm, which draws several below each other, and a widget in a notebook."""

    def __init__(self, label: str) -> None:
        from tqdm.auto import tqdm

        form = "{desc} {percentage:3.0f} %|{bar}| {elapsed}{postfix}"
        self._bar = tqdm(total=100, desc=label, bar_format=form, file=sys.stderr)

    def draw(self, percent: int, status: str) -> None:
        self._bar.n = percent
        # Refreshed below. Otherwise the bar would be drawn twice.
        self._bar.set_postfix_str(status, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()

    @staticmethod
    def write_line(line: str) -> None:
        from tqdm.auto import tqdm

        tqdm.write(line, file=sys.stderr)


class Rich:
    """A bar of rich. All open bars of the process share one display, because rich allows only one."""

    _lock = threading.RLock()  # reentrant, because a signal handler may interrupt its own thread
    _shared: Progress | None = None
    _open = 0

    def __init__(self, label: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        with Rich._lock:
            if Rich._shared is None:
                columns = (
                    TextColumn("{task.description}", markup=False),
                    BarColumn(),
                    TaskProgressColumn(),
                    TimeElapsedColumn(),
                    TextColumn("{task.fields[status]}", markup=False),
                )
                Rich._shared = Progress(*columns, console=Console(stderr=True))
                Rich._shared.start()
            Rich._open += 1
            self._progress = Rich._shared
        self._task = self._progress.add_task(label, total=100, status="")

    def draw(self, percent: int, status: str) -> None:
        self._progress.update(self._task, completed=percent, status=status)

    def close(self) -> None:
        self._progress.stop_task(self._task)
        with Rich._lock:
            Rich._open -= 1
            if Rich._open == 0:
                self._progress.stop()
                Rich._shared = None

    @staticmethod
    def write_line(line: str) -> None:
        from rich.console import Console

        with Rich._lock:
            console = Rich._shared.console if Rich._shared else Console(stderr=True)
        console.print(line, markup=False, highlight=False)


class Plain:
    """One line that is overwritten at each change; a new line if stderr is not a terminal."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._terminal = sys.stderr.isatty()

    def draw(self, percent: int, status: str) -> None:
        line = f"{self._label} {percent:3} %  {status}"
        # The escape sequence erases the line.
        sys.stderr.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        sys.stderr.flush()

    def close(self) -> None:
        if self._terminal:
            sys.stderr.write("\n")

    @staticmethod
    def write_line(line: str) -> None:
        erase = "\r\x1b[K" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{erase}{line}\n")
        sys.stderr.flush()
