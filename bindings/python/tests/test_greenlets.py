"""Calls in programs that are patched for gevent or eventlet, each in a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from conftest import Emulated

LIBRARIES = [
    pytest.param(name, marks=pytest.mark.skipif(not importlib.util.find_spec(name), reason="not installed"))
    for name in ("gevent", "eventlet")
]

BEGINNINGS = {
    "gevent": """
from gevent import monkey
monkey.patch_all()
import gevent, gevent.threadpool
from gevent import spawn, sleep, Timeout
def joined(greenlets):
    return [greenlet.get() for greenlet in greenlets]
def in_a_thread(function):
    return gevent.get_hub().threadpool.apply(function)
""",
    "eventlet": """
import eventlet
eventlet.monkey_patch()
from eventlet import spawn, sleep, Timeout, tpool
def joined(greenlets):
    return [greenlet.wait() for greenlet in greenlets]
def in_a_thread(function):
    return tpool.execute(function)
""",
}

MIDDLE = """
import warnings
warnings.filterwarnings("ignore", "clipia_queue was built without optimisation")
from clipia_queue import Clipia
clipia = Clipia(KEY, base_url=URL)
ticks = 0
def tick():
    global ticks
    while True:
        sleep(0.001)
        ticks += 1
ticker = spawn(tick)
"""

STUCK = {"prompt": "@stuck a fox"}


def run(library: str, emulated: Emulated, program: str) -> str:
    names = f"KEY, URL, STUCK = {emulated.key!r}, {emulated.emulator.url!r}, {STUCK!r}\n"
    program = names + BEGINNINGS[library] + MIDDLE + program
    # eventlet warns that it is in maintenance.
    command = [sys.executable, "-W", "ignore", "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_call_lets_the_other_greenlets_run(library: str, emulated: Emulated) -> None:
    program = """
def generate(number):
    updates = []
    fox = {"prompt": f"@takes=1m fox {number}"}
    result = clipia.subscribe("nano-banana-2", fox, on_queue_update=updates.append)
    return result.status, updates[-1].is_terminal
# Few enough calls for the rate limit of a key.
assert set(joined([spawn(generate, number) for number in range(10)])) == {("COMPLETED", True)}
jobs = [clipia.submit("nano-banana-2", {"prompt": f"a fox {number}"}) for number in range(5)]
assert [result.status for result in clipia.wait_all(jobs)] == ["COMPLETED"] * 5
assert {result.request_id for result in clipia.as_completed(jobs)} == {job.request_id for job in jobs}
assert list(clipia.generation(jobs[0].request_id).updates())[-1].is_terminal
# While one greenlet waits for a generation that does not end, the main one goes on.
stuck = clipia.submit("nano-banana-2", STUCK)
waiting = spawn(stuck.wait)
before = ticks
while ticks < before + 50:
    sleep(0.001)
assert not clipia.status(stuck.request_id).is_terminal
waiting.kill()
print("done")
"""
    assert run(library, emulated, program) == "done\n"


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_ends_a_greenlet_ends_its_wait(library: str, emulated: Emulated) -> None:
    program = """
job = clipia.submit("nano-banana-2", STUCK)
for wait in (job.wait, lambda: next(clipia.as_completed([job])), lambda: clipia.wait_all([job])):
    before = ticks
    try:
        with Timeout(0.2):
            wait()
    except Timeout as timeout:
        left = getattr(timeout, "request_id", None) or timeout.request_ids[0]
        assert left == job.request_id
    else:
        raise SystemExit("it ended by itself")
    assert ticks > before
# The calls after an interrupted one.
assert clipia.status(job.request_id).request_id == job.request_id
print("done")
"""
    assert run(library, emulated, program) == "done\n"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_call_in_a_real_thread(library: str, emulated: Emulated) -> None:
    program = """
job = clipia.submit("nano-banana-2", {"prompt": "a fox"})
assert in_a_thread(job.wait).status == "COMPLETED"
print("done")
"""
    assert run(library, emulated, program) == "done\n"


def test_without_patches_a_call_blocks_its_thread(emulated: Emulated) -> None:
    pytest.importorskip("gevent")
    program = f"""
import warnings
warnings.simplefilter("ignore")
import gevent
from clipia_queue import Clipia
clipia = Clipia({emulated.key!r}, base_url={emulated.emulator.url!r})
ran = []
gevent.spawn(ran.append, True)
assert clipia.subscribe("nano-banana-2", {{"prompt": "a fox"}}).status == "COMPLETED"
assert not ran
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90)
    assert (ended.returncode, ended.stderr) == (0, "")
