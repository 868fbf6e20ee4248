"""A program that the server runs: started once for all jobs, or once for each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from clipia_queue.worker._events import Events
from clipia_queue.worker._inbox import Inbox, Received, take_stdin
from clipia_queue.worker._job import Job
from clipia_queue.worker._run import EX_TEMPFAIL, run
from clipia_queue.worker._signals import Stopped

PROTOCOL = 1
"""The version of the messages on stdin and in the events files."""


def serve_warm(make: Callable[[Job], object], events_file: Path) -> int:
    """Runs the jobs of stdin until it is closed, and returns the exit code."""
    inbox = Inbox(take_stdin())
    process_events = Events(events_file)
    process_events.write({"ready": True, "protocol": PROTOCOL})
    process_events.close()
    while True:
        try:
            received = inbox.next()
        except (Stopped, KeyboardInterrupt):
            return 0  # no job is lost
        if received is None:
            return 1 if inbox.is_broken else 0
        try:
            end = run(make, received.job, received.control)
            if end.is_process_broken:
                return EX_TEMPFAIL  # which tells that the job is lost: no other one must come
            received.events.write(*end.events(), {"done": True})
        except (Stopped, KeyboardInterrupt):
            return EX_TEMPFAIL
        finally:
            inbox.forget(received)
            received.events.close()


def serve_once(make: Callable[[Job], object], job_file: Path, events_file: str | None) -> int:
    """Runs the one job of a file, and returns the exit code."""
    os.close(take_stdin())
    received = Received.of({"events": events_file} | json.loads(job_file.read_bytes()))
    try:
        end = run(make, received.job, received.control)
        received.events.write(*end.events())
    except (Stopped, KeyboardInterrupt):
        return EX_TEMPFAIL
    finally:
        received.events.close()
    return end.exit_code
