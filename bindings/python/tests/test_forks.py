"""Programs that fork after they have made and used a client."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conftest import Server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")

# The clients, and a handle that the parent has used already. Logging is on, because it has locks. It goes to
# memory, because Python itself does not reset the lock of a file that another thread wrote to.
PARENT = """
import asyncio, logging.handlers, multiprocessing, os, sys, threading, warnings
warnings.simplefilter("ignore")
from clipia_queue import AsyncClipia, Clipia
logging.basicConfig(level=logging.DEBUG, handlers=[logging.handlers.BufferingHandler(1_000)])
IMAGE = {"prompt": "a fox", "resolution": "0.5K"}
clipia = Clipia(KEY, base_url=URL)
concurrent = AsyncClipia(KEY, base_url=URL)
fox = clipia.submit("nano-banana-2", IMAGE)
done = fox.wait(timeout=60)

async def generate():
    job = await concurrent.submit("nano-banana-2", IMAGE)
    return (await job.wait(timeout=60)).status

async def many():
    return await asyncio.gather(*(generate() for _ in range(5)))

assert asyncio.run(many()) == ["COMPLETED"] * 5

def work():
    assert fox.wait(timeout=60).data == done.data == clipia.result(fox.request_id).data
    assert clipia.subscribe("nano-banana-2", IMAGE, timeout=60).status == "COMPLETED"
    assert asyncio.run(many()) == ["COMPLETED"] * 5
    (file,) = done.download(DIR + f"/{os.getpid()}")
    assert file.read_bytes().startswith(b"\\x89PNG")
    return True
"""

FORK = """
def fork(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child

def join(child):
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
"""


def run(server: Server, directory: object, program: str) -> None:
    names = f"KEY, URL, DIR = {server.live_key!r}, {server.url!r}, {str(directory)!r}\n"
    command = [sys.executable, "-c", names + PARENT + FORK + program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_child_uses_the_client_of_its_parent(server: Server, tmp_path: object) -> None:
    run(server, tmp_path, "join(fork(work)); work(); join(fork(lambda: join(fork(work))))")


def test_workers_of_a_server_that_forks_after_loading(server: Server, tmp_path: object) -> None:
    workers = "children = [fork(work) for _ in range(3)]"
    run(server, tmp_path, f"{workers}; work(); [join(child) for child in children]")


def test_multiprocessing(server: Server, tmp_path: object) -> None:
    pool = "with multiprocessing.get_context('fork').Pool(2) as pool: assert pool.apply(work)"
    run(server, tmp_path, f"{pool}\nwork()")


def test_a_fork_during_calls_of_other_threads(server: Server, tmp_path: object) -> None:
    program = """
stop = threading.Event()
def ask():
    while not stop.is_set():
        clipia.status(fox.request_id)
def wait():
    while not stop.is_set():
        asyncio.run(many())
threads = [threading.Thread(target=target, daemon=True) for target in (ask, ask, wait)]
[thread.start() for thread in threads]
for _ in range(20):
    join(fork(lambda: clipia.status(fox.request_id)))
join(fork(work))
stop.set()
[thread.join() for thread in threads]
"""
    run(server, tmp_path, program)
