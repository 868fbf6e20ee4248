"""Finds out who runs the program, and serves them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clipia_queue.worker._hand import serve_by_hand
from clipia_queue.worker._job import Job
from clipia_queue.worker._server import serve_once, serve_warm
from clipia_queue.worker._signals import sigterm_raises

IS_COROUTINE_FUNCTION = 0x80
"""The flag of the code of an `async def`. `inspect`, which names it, is slow to import."""


def serve(make: Callable[[Job], object]) -> None:
    """Makes the outputs of jobs with `make`. It is the last line of a program. What comes before is the
    setup, such as loading weights, and no job begins before the setup has ended.

    `make` gets a `Job`, and returns what it made:

    | `make` returns | the output |
    |---|---|
    | a picture of Pillow, or an array of NumPy or torch | an image |
    | a path, as text or `Path` | that file |
    | bytes of a media file | that file |
    | a dict | fields of the output, and files where its values are pictures, `Path`s or bytes |
    | a list or a generator of these | all of them, in their order |
    | None | the files in `job.out` |

    The files in `job.out` are always outputs. If `make` raises, the request fails with the message of the
    exception, and its traceback is in the logs. If there was no memory left, another attempt is made. Then
    the next job begins. `job.fail` and `job.retry` end a job with a sentence of your own.

    Under the server, `$CLIPIA_JOB` names the one job of this process. If only `$CLIPIA_EVENTS` is set, jobs
    come on stdin. Without either, the command line is the input: see `--help`.

    Returns when there is no more to do. Raises `SystemExit` if the exit code of the process must not be 0.
    """
    if is_child_of_multiprocessing():
        return
    code = getattr(make, "__code__", None)
    if not callable(make) or (code is not None and code.co_flags & IS_COROUTINE_FUNCTION):
        raise TypeError("`serve` needs a function of one job that is not async; use `asyncio.run` in it")
    job_file, events = os.environ.get("CLIPIA_JOB"), os.environ.get("CLIPIA_EVENTS")
    with sigterm_raises():
        if job_file:
            write_logs_at_once()
            exit_code = serve_once(make, Path(job_file), events)
        elif events:
            write_logs_at_once()
            exit_code = serve_warm(make, Path(events))
        else:
            exit_code = serve_by_hand(make, sys.argv[1:])
    if exit_code:
        sys.exit(exit_code)


def write_logs_at_once() -> None:
    """Writes each line when it is printed, whatever its characters. To a pipe, Python would write blocks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


def is_child_of_multiprocessing() -> bool:
    """Whether `multiprocessing` has started this process, which then runs the file of the program again."""
    module: Any = sys.modules.get("multiprocessing.process")
    # The name is set before the file is run, and `parent_process` only afterwards.
    return module is not None and module.current_process().name != "MainProcess"
