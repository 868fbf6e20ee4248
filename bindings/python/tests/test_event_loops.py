"""Event loops of all kinds, and many waits that leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import clipia_queue
from clipia_queue import AsyncClipia
from conftest import Server
from peer import ID, KEY, Peer
from test_sync import IMAGE

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop]
if sys.platform != "win32":
    import uvloop

    LOOPS.append(uvloop.new_event_loop)


@pytest.fixture(params=LOOPS, ids=lambda loop: loop.__module__)
def loop(request: pytest.FixtureRequest) -> Any:
    loop = request.param()
    yield loop
    loop.close()


def test_a_generation_on_any_loop(loop: asyncio.AbstractEventLoop, server: Server) -> None:
    async def generate() -> str:
        async with AsyncClipia(server.live_key, base_url=server.url) as clipia:
            job = await clipia.submit("nano-banana-2", IMAGE)
            waits = asyncio.gather(*(job.wait(timeout=60) for _ in range(10)))
            return {result.status for result in await waits}.pop()

    assert loop.run_until_complete(generate()) == "COMPLETED"


def test_cancellation_on_any_loop(loop: asyncio.AbstractEventLoop, peer: Peer) -> None:
    async def leave() -> None:
        clipia = AsyncClipia(KEY, base_url=peer.url)
        waits = [asyncio.create_task(clipia.generation(ID).wait()) for _ in range(20)]
        await asyncio.sleep(0.1)
        for wait in waits:
            wait.cancel()
        ended = await asyncio.gather(*waits, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)

    loop.run_until_complete(leave())


def test_loops_at_once_in_threads_share_a_client(server: Server) -> None:
    clipia = AsyncClipia(server.live_key, base_url=server.url)

    async def generate() -> list[str]:
        waits = (clipia.subscribe("nano-banana-2", IMAGE, timeout=60) for _ in range(5))
        return [result.status for result in await asyncio.gather(*waits)]

    with ThreadPoolExecutor(4) as threads:
        ended = list(threads.map(lambda _: asyncio.run(generate()), range(4)))
    assert ended == [["COMPLETED"] * 5] * 4


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with Python 3.11")
async def test_timeout_of_asyncio(peer: Peer) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):  # type: ignore[attr-defined,unused-ignore]
            await clipia.generation(ID).wait()
    assert time.monotonic() - begun < 5


async def test_no_thread_for_each_wait(peer: Peer) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)
    await clipia.status(ID)

    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir())) if sys.platform == "linux" else 0

    # The peer has a thread for each connection. All waits of one generation share a connection.
    before = threads()
    waits = [asyncio.create_task(clipia.generation(ID).wait()) for _ in range(1_000)]
    await asyncio.sleep(1)
    assert not any(wait.done() for wait in waits)
    assert threads() - before <= 10
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


async def test_a_cancelled_wait_leaves_nothing(peer: Peer) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)

    class Token:
        """An object of which a test sees whether anything still refers to it."""

    async def wait(token: Token) -> None:
        def note(_: clipia_queue.StatusResponse) -> None:
            assert token

        await clipia.subscribe("nano-banana-2", IMAGE, on_queue_update=note)

    tokens = []
    for _ in range(20):
        token = Token()
        tokens.append(weakref.ref(token))
        task = asyncio.create_task(wait(token))
        del token
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
    end = time.monotonic() + 10
    while any(token() for token in tokens) and time.monotonic() < end:
        gc.collect()
        await asyncio.sleep(0.05)
    assert not any(token() for token in tokens)


async def test_a_response_at_the_moment_of_cancelling(peer: Peer) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)
    for pause in [step / 2_000 for step in range(20)]:
        calls = [asyncio.create_task(clipia.status(ID)) for _ in range(5)]
        await asyncio.sleep(pause)
        calls[0].cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(end, clipia_queue.StatusResponse) for end in ended[1:])


def test_a_call_may_be_made_in_one_loop_and_awaited_in_another(peer: Peer) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)

    async def make() -> Coroutine[Any, Any, clipia_queue.StatusResponse]:
        return clipia.status(ID)

    call = asyncio.run(make())
    assert asyncio.run(call).request_id == ID
    assert threading.active_count() < 50
