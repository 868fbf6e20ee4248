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
from typing import Literal

import pytest

from clipia_queue import AsyncClipia, Clipia, StatusResponse
from conftest import STUCK, Emulated

MODEL = "nano-banana-2"


def of_submit(emulated: Emulated, what: Literal["idempotency_key", "request_id"]) -> str:
    """The key or the id of the latest submit."""
    value: str = emulated.calls("submit")[-1][what]
    return value


@contextmanager
def pressed(emulated: Emulated, asks: int) -> Iterator[None]:
    """Presses Ctrl-C once the emulator has received this many calls."""

    def press() -> None:
        deadline = time.monotonic() + 10
        while len(emulated.calls()) < asks and time.monotonic() < deadline:
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
    "submit": lambda clipia: clipia.submit(MODEL, STUCK),
    "subscribe": lambda clipia: clipia.subscribe(MODEL, STUCK),
    "subscribe with a callback": lambda clipia: clipia.subscribe(MODEL, STUCK, on_queue_update=print),
    "wait": lambda clipia: clipia.submit(MODEL, STUCK).wait(),
    "updates": lambda clipia: list(clipia.submit(MODEL, STUCK).updates()),
    "wait for all": lambda clipia: clipia.wait_all([clipia.submit(MODEL, STUCK)]),
    "as completed": lambda clipia: list(clipia.as_completed([clipia.submit(MODEL, STUCK)])),
}


@pytest.mark.parametrize("call", [call for call in SYNC if call.startswith("sub")])
def test_ctrl_c_in_a_submit_has_its_key(
    emulated: Emulated, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    emulated.emulator.fault("submit hang")
    with pytest.raises(KeyboardInterrupt) as raised, pressed(emulated, 1):
        SYNC[call](emulated.client())
    key = of_submit(emulated, "idempotency_key")
    assert getattr(raised.value, "idempotency_key", None) == key
    assert sys.version_info < (3, 11) or f'idempotency_key="{key}"' in notes(raised.value)
    assert logged(caplog).count(key) == 1


@pytest.mark.parametrize("call", [call for call in SYNC if call != "submit"])
def test_ctrl_c_in_a_wait_has_the_id(emulated: Emulated, caplog: pytest.LogCaptureFixture, call: str) -> None:
    with pytest.raises(KeyboardInterrupt) as raised, pressed(emulated, 2):
        SYNC[call](emulated.client())
    many = call in ("wait for all", "as completed")
    left = getattr(raised.value, "request_ids" if many else "request_id", None)
    request_id = of_submit(emulated, "request_id")
    assert left == ([request_id] if many else request_id)
    assert logged(caplog).count("wait cut short") == 1
    assert request_id in logged(caplog)
    assert sys.version_info < (3, 11) or "resume with" in notes(raised.value)


class Interrupted(logging.Handler):
    """A handler of the log that Ctrl-C interrupts."""

    def emit(self, record: logging.LogRecord) -> None:
        if "tried operation=result" in record.getMessage():
            raise KeyboardInterrupt


def test_ctrl_c_while_something_is_logged_is_not_lost(emulated: Emulated) -> None:
    logger, handler = logging.getLogger("clipia_queue"), Interrupted()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        with pytest.raises(KeyboardInterrupt) as raised:
            emulated.client().submit(MODEL, STUCK).wait(timeout=30)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert getattr(raised.value, "request_id", None) == of_submit(emulated, "request_id")


async def follow(clipia: AsyncClipia) -> None:
    async for _ in (await clipia.submit(MODEL, STUCK)).updates():
        pass


async def wait(clipia: AsyncClipia) -> None:
    await (await clipia.submit(MODEL, STUCK)).wait()


async def wait_for_all(clipia: AsyncClipia) -> None:
    await clipia.wait_all([await clipia.submit(MODEL, STUCK)])


async def complete(clipia: AsyncClipia) -> None:
    async for _ in clipia.as_completed([await clipia.submit(MODEL, STUCK)]):
        pass


ASYNC: dict[str, Callable[[AsyncClipia], Awaitable[object]]] = {
    "submit": lambda clipia: clipia.submit(MODEL, STUCK),
    "subscribe": lambda clipia: clipia.subscribe(MODEL, STUCK),
    "subscribe with a callback": lambda clipia: clipia.subscribe(MODEL, STUCK, on_queue_update=print),
    "wait": wait,
    "updates": follow,
    "wait for all": wait_for_all,
    "as completed": complete,
}


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition that another thread makes true."""
    while not condition():  # noqa: ASYNC110 - another thread cannot set an event of this loop
        await asyncio.sleep(0.01)


async def cancelled(emulated: Emulated, call: str, asks: int) -> BaseException:
    """The exception of a task that is cancelled once the emulator has received this many calls."""
    task = asyncio.ensure_future(ASYNC[call](emulated.async_client()))
    await until(lambda: len(emulated.calls()) >= asks)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    # In Python 3.10 the task raises another exception, whose context is this one.
    return raised.value if sys.version_info >= (3, 11) else raised.value.__context__ or raised.value


@pytest.mark.parametrize("call", [call for call in ASYNC if call.startswith("sub")])
async def test_cancelling_a_submit_has_its_key(
    emulated: Emulated, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    emulated.emulator.fault("submit hang")
    exception = await cancelled(emulated, call, 1)
    key = of_submit(emulated, "idempotency_key")
    assert getattr(exception, "idempotency_key", None) == key
    assert sys.version_info < (3, 11) or f'idempotency_key="{key}"' in notes(exception)
    await until(lambda: key in logged(caplog))
    assert logged(caplog).count(key) == 1


@pytest.mark.parametrize("call", [call for call in ASYNC if call != "submit"])
async def test_cancelling_a_wait_has_the_id(
    emulated: Emulated, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    exception = await cancelled(emulated, call, 2)
    many = call in ("wait for all", "as completed")
    left = getattr(exception, "request_ids" if many else "request_id", None)
    request_id = of_submit(emulated, "request_id")
    assert left == ([request_id] if many else request_id)
    await until(lambda: request_id in logged(caplog))
    assert logged(caplog).count("wait cut short") == 1


@pytest.mark.parametrize("submits", [False, True], ids=["submitting", "waiting"])
@pytest.mark.parametrize("way", ["wait_for", "timeout"])
async def test_asyncio_timeouts_have_the_attribute_in_their_cause(
    emulated: Emulated, caplog: pytest.LogCaptureFixture, way: str, submits: bool
) -> None:
    if way == "timeout" and sys.version_info < (3, 11):
        pytest.skip("of Python 3.11")
    if not submits:
        emulated.emulator.fault("submit hang")

    async def limited(call: Awaitable[object]) -> None:
        if way == "wait_for":
            await asyncio.wait_for(call, 0.5)
        elif sys.version_info >= (3, 11):
            async with asyncio.timeout(0.5):
                await call

    with pytest.raises(asyncio.TimeoutError) as raised:
        await limited(emulated.async_client().subscribe(MODEL, STUCK))
    cause = raised.value.__cause__
    assert isinstance(cause, asyncio.CancelledError)
    left = of_submit(emulated, name := "request_id" if submits else "idempotency_key")
    assert getattr(cause, name, None) == left
    await until(lambda: left in logged(caplog))


async def test_an_exception_of_a_callback_has_the_id(emulated: Emulated) -> None:
    def fail(_: StatusResponse) -> None:
        raise KeyError("of the callback")

    with pytest.raises(KeyError) as raised:
        await emulated.async_client().subscribe(MODEL, STUCK, on_queue_update=fail)
    assert getattr(raised.value, "request_id", None) == of_submit(emulated, "request_id")


async def test_a_call_that_ends_by_itself_logs_nothing(
    emulated: Emulated, caplog: pytest.LogCaptureFixture
) -> None:
    clipia = emulated.async_client()
    job = await clipia.submit(MODEL, STUCK)
    with pytest.raises(TimeoutError):
        await job.wait(timeout=0.2)
    clipia.subscribe(MODEL, STUCK).close()
    assert logged(caplog) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_in_an_asyncio_program(emulated: Emulated) -> None:
    emulated.emulator.fault("submit hang")
    program = f"""
import asyncio, logging
from clipia_queue import AsyncClipia
logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
clipia = AsyncClipia({emulated.key!r}, base_url={emulated.emulator.url!r})
asyncio.run(clipia.subscribe({MODEL!r}, {STUCK!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    while not emulated.calls():
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert f'idempotency_key="{of_submit(emulated, "idempotency_key")}"' in said
    assert "clipia_queue WARNING submit cut short" in said
