"""Interruptions by Ctrl-C, asyncio timeouts and cancellation: the exception and the log say how to resume."""

from __future__ import annotations

import _thread
import asyncio
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from clipia_queue import AsyncClipia, Clipia, StatusResponse
from peer import ID, KEY, Peer, Reply, Request, running

INPUT = {"prompt": "a fox"}


def hanging(peer: Peer, *, submits: bool = True) -> None:
    """The peer accepts submits, or does not respond to them. Generations run for ever."""

    def respond(request: Request) -> Reply:
        if request.method == "POST" and not submits:
            time.sleep(3)
        return running(request)

    peer.respond = respond


def key_of(peer: Peer) -> str:
    """The idempotency key of the latest submit."""
    return [request.headers["idempotency-key"] for request in peer.seen if request.method == "POST"][-1]


@contextmanager
def pressed(peer: Peer, asks: int) -> Iterator[None]:
    """Presses Ctrl-C once the peer has received this many requests."""

    def press() -> None:
        deadline = time.monotonic() + 10
        while len(peer.seen) < asks and time.monotonic() < deadline:
            time.sleep(0.01)
        # Until the call waits again.
        time.sleep(0.1)
        _thread.interrupt_main()

    presser = threading.Thread(target=press)
    presser.start()
    yield
    presser.join()


def notes(exception: BaseException | None) -> str:
    # Python 3.10 has no notes.
    return "\n".join(getattr(exception, "__notes__", []))


def logged(caplog: pytest.LogCaptureFixture) -> str:
    records = [record for record in caplog.records if record.name.startswith("clipia_queue")]
    return "\n".join(record.getMessage() for record in records if record.levelno == logging.WARNING)


SYNC: dict[str, Callable[[Clipia], object]] = {
    "submit": lambda clipia: clipia.submit("m", INPUT),
    "subscribe": lambda clipia: clipia.subscribe("m", INPUT),
    "subscribe with a callback": lambda clipia: clipia.subscribe("m", INPUT, on_queue_update=print),
    "wait": lambda clipia: clipia.generation(ID).wait(),
    "updates": lambda clipia: list(clipia.generation(ID).updates()),
    "wait for all": lambda clipia: clipia.wait_all([ID]),
    "as completed": lambda clipia: list(clipia.as_completed([ID])),
}


@pytest.mark.parametrize("call", [call for call in SYNC if call.startswith("sub")])
def test_ctrl_c_in_a_submit_has_its_key(peer: Peer, caplog: pytest.LogCaptureFixture, call: str) -> None:
    hanging(peer, submits=False)
    with pytest.raises(KeyboardInterrupt) as raised, pressed(peer, 1):
        SYNC[call](Clipia(KEY, base_url=peer.url))
    key = key_of(peer)
    assert getattr(raised.value, "idempotency_key", None) == key
    assert sys.version_info < (3, 11) or f'idempotency_key="{key}"' in notes(raised.value)
    assert logged(caplog).count(key) == 1


@pytest.mark.parametrize("call", [call for call in SYNC if call != "submit"])
def test_ctrl_c_in_a_wait_has_the_id(peer: Peer, caplog: pytest.LogCaptureFixture, call: str) -> None:
    hanging(peer)
    with pytest.raises(KeyboardInterrupt) as raised, pressed(peer, 2):
        SYNC[call](Clipia(KEY, base_url=peer.url))
    many = call in ("wait for all", "as completed")
    left = getattr(raised.value, "request_ids" if many else "request_id", None)
    assert left == ([ID] if many else ID)
    assert logged(caplog).count("wait cut short") == 1
    assert ID in logged(caplog)
    assert sys.version_info < (3, 11) or "resume with" in notes(raised.value)


async def follow(clipia: AsyncClipia) -> None:
    async for _ in clipia.generation(ID).updates():
        pass


async def complete(clipia: AsyncClipia) -> None:
    async for _ in clipia.as_completed([ID]):
        pass


ASYNC: dict[str, Callable[[AsyncClipia], Awaitable[object]]] = {
    "submit": lambda clipia: clipia.submit("m", INPUT),
    "subscribe": lambda clipia: clipia.subscribe("m", INPUT),
    "subscribe with a callback": lambda clipia: clipia.subscribe("m", INPUT, on_queue_update=print),
    "wait": lambda clipia: clipia.generation(ID).wait(),
    "updates": follow,
    "wait for all": lambda clipia: clipia.wait_all([ID]),
    "as completed": complete,
}


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition that another thread makes true."""
    while not condition():  # noqa: ASYNC110 - another thread cannot set an event of this loop
        await asyncio.sleep(0.01)


async def cancelled(peer: Peer, call: Awaitable[object], asks: int) -> BaseException:
    """The exception of a task that is cancelled once the peer has received this many requests."""
    task = asyncio.ensure_future(call)
    await until(lambda: len(peer.seen) >= asks)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    # In Python 3.10 the task raises another exception, whose context is this one.
    return raised.value if sys.version_info >= (3, 11) else raised.value.__context__ or raised.value


@pytest.mark.parametrize("call", [call for call in ASYNC if call.startswith("sub")])
async def test_cancelling_a_submit_has_its_key(
    peer: Peer, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    hanging(peer, submits=False)
    exception = await cancelled(peer, ASYNC[call](AsyncClipia(KEY, base_url=peer.url)), 1)
    key = key_of(peer)
    assert getattr(exception, "idempotency_key", None) == key
    assert sys.version_info < (3, 11) or f'idempotency_key="{key}"' in notes(exception)
    await until(lambda: key in logged(caplog))
    assert logged(caplog).count(key) == 1


@pytest.mark.parametrize("call", [call for call in ASYNC if call != "submit"])
async def test_cancelling_a_wait_has_the_id(peer: Peer, caplog: pytest.LogCaptureFixture, call: str) -> None:
    hanging(peer)
    exception = await cancelled(peer, ASYNC[call](AsyncClipia(KEY, base_url=peer.url)), 2)
    many = call in ("wait for all", "as completed")
    left = getattr(exception, "request_ids" if many else "request_id", None)
    assert left == ([ID] if many else ID)
    await until(lambda: ID in logged(caplog))
    assert logged(caplog).count("wait cut short") == 1


@pytest.mark.parametrize("submits", [False, True], ids=["submitting", "waiting"])
@pytest.mark.parametrize("way", ["wait_for", "timeout"])
async def test_asyncio_timeouts_have_the_attribute_in_their_cause(
    peer: Peer, caplog: pytest.LogCaptureFixture, way: str, submits: bool
) -> None:
    if way == "timeout" and sys.version_info < (3, 11):
        pytest.skip("of Python 3.11")
    hanging(peer, submits=submits)

    async def limited(call: Awaitable[object]) -> None:
        if way == "wait_for":
            await asyncio.wait_for(call, 0.5)
        elif sys.version_info >= (3, 11):
            async with asyncio.timeout(0.5):
                await call

    with pytest.raises(asyncio.TimeoutError) as raised:
        await limited(AsyncClipia(KEY, base_url=peer.url).subscribe("m", INPUT))
    cause = raised.value.__cause__
    assert isinstance(cause, asyncio.CancelledError)
    name, left = ("request_id", ID) if submits else ("idempotency_key", key_of(peer))
    assert getattr(cause, name, None) == left
    await until(lambda: left in logged(caplog))


async def test_an_exception_of_a_callback_has_the_id(peer: Peer) -> None:
    def fail(_: StatusResponse) -> None:
        raise KeyError("of the callback")

    with pytest.raises(KeyError) as raised:
        await AsyncClipia(KEY, base_url=peer.url).subscribe("m", INPUT, on_queue_update=fail)
    assert getattr(raised.value, "request_id", None) == ID


async def test_a_call_that_ends_by_itself_logs_nothing(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)
    job = await clipia.submit("m", INPUT)
    with pytest.raises(TimeoutError):
        await job.wait(timeout=0.2)
    clipia.subscribe("m", INPUT).close()
    assert logged(caplog) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_in_an_asyncio_program(peer: Peer) -> None:
    hanging(peer, submits=False)
    program = f"""
import asyncio, logging
from clipia_queue import AsyncClipia
logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
asyncio.run(AsyncClipia({KEY!r}, base_url={peer.url!r}).subscribe("m", {INPUT!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    while not peer.seen:
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert f'idempotency_key="{key_of(peer)}"' in said
    assert "clipia_queue WARNING submit cut short" in said
