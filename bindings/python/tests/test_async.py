"""`AsyncClipia` against the real server."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
from contextvars import ContextVar
from pathlib import Path

import pytest

import clipia_queue
from clipia_queue import AsyncClipia, ClipiaTimeoutError, StatusResponse
from conftest import STEPS, Emulated, Server
from peer import ID, KEY, Peer
from test_sync import IMAGE, UNREADABLE


async def test_a_generation_from_submit_to_file(async_live: AsyncClipia, tmp_path: Path) -> None:
    async with async_live as clipia:
        job = await clipia.submit("nano-banana-2", IMAGE)
        assert isinstance(job, clipia_queue.SubmitResponse)
        assert (await clipia.status(job.request_id)).request_id == job.request_id
        result = await job.wait(timeout=60)
        assert isinstance(result, clipia_queue.ResultResponse)
        assert result.status == "COMPLETED"
        assert result.data == (await job.result()).data == (await clipia.result(job.request_id)).data
        (file,) = await result.download(tmp_path)
        assert file.read_bytes().startswith(b"\x89PNG")
        assert await job.download(tmp_path) == [file]
        assert (await clipia.generation(job.request_id).wait()).data == result.data


async def test_many_at_once(async_live: AsyncClipia) -> None:
    waits = [async_live.subscribe("nano-banana-2", IMAGE | {"seed": seed}, timeout=120) for seed in range(20)]
    results = await asyncio.gather(*waits)
    assert {result.status for result in results} == {"COMPLETED"}
    assert len({result.request_id for result in results}) == 20


async def test_callbacks_run_in_the_event_loop(async_live: AsyncClipia) -> None:
    loop = asyncio.get_running_loop()
    plain: list[StatusResponse] = []
    awaited: list[StatusResponse] = []

    def note(update: StatusResponse) -> None:
        assert asyncio.get_running_loop() is loop
        assert threading.current_thread() is threading.main_thread()
        plain.append(update)

    async def note_slowly(update: StatusResponse) -> None:
        await asyncio.sleep(0.01)
        assert asyncio.get_running_loop() is loop
        awaited.append(await async_live.status(update.request_id))

    await async_live.subscribe("nano-banana-2", IMAGE, on_queue_update=note)
    result = await async_live.subscribe("nano-banana-2", IMAGE, on_queue_update=note_slowly)
    assert plain[-1].status == "COMPLETED"
    assert awaited[-1].request_id == result.request_id


async def test_callbacks_belong_to_the_task_that_waits(emulated: Emulated) -> None:
    statuses: list[str] = []
    mine: ContextVar[str] = ContextVar("mine")
    mine.set("of the task")

    async def note(update: StatusResponse) -> None:
        assert mine.get() == "of the task"
        await asyncio.sleep(0)
        statuses.append(update.status)

    await emulated.async_client().subscribe("nano-banana-2", STEPS, on_queue_update=note)
    assert statuses == ["IN_QUEUE", "IN_QUEUE", "IN_PROGRESS", "COMPLETED"]


async def test_cancelling_ends_a_callback_too(peer: Peer) -> None:
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def hang(_: StatusResponse) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    clipia = AsyncClipia(KEY, base_url=peer.url)
    wait = asyncio.create_task(clipia.subscribe("nano-banana-2", IMAGE, on_queue_update=hang))
    await begun.wait()
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    assert ended.is_set()


async def test_an_exception_of_a_callback_ends_the_wait(async_live: AsyncClipia) -> None:
    def fail(_: StatusResponse) -> None:
        raise KeyError("of the callback")

    async def fail_slowly(_: StatusResponse) -> None:
        await asyncio.sleep(0)
        raise KeyError("of the coroutine")

    with pytest.raises(KeyError, match="of the callback"):
        await async_live.subscribe("nano-banana-2", IMAGE, on_queue_update=fail)
    with pytest.raises(KeyError, match="of the coroutine"):
        await async_live.subscribe("nano-banana-2", IMAGE, on_queue_update=fail_slowly)


async def test_a_failed_generation_is_a_result(async_live: AsyncClipia, tmp_path: Path) -> None:
    result = await async_live.subscribe("seedance-2-fast-i2v", UNREADABLE, timeout=60)
    assert (result.status, result.cost) == ("FAILED", 0)
    with pytest.raises(clipia_queue.GenerationFailed):
        await result.download(tmp_path)


async def test_the_catalogue_and_the_account(async_live: AsyncClipia) -> None:
    models = await async_live.models.list()
    assert "nano-banana-2" in [model["slug"] for model in models]
    assert models.data == models["data"]
    assert (await async_live.models.get("nano-banana-2"))["type"] == "image"
    assert (await async_live.models.estimate("nano-banana-2", IMAGE)).credits > 0
    assert (await async_live.account.get())["balance"]["credits"] > 0


async def test_a_handle_has_the_status_of_now(emulated: Emulated) -> None:
    clipia = emulated.async_client()
    job = await clipia.models.submit("nano-banana-2", input=STEPS)
    handle = clipia.generation(job.request_id)
    statuses = [await handle.status()]
    assert len(emulated.calls("status")) == 1
    while not statuses[-1].is_terminal:
        statuses.append(await handle.status())
    assert (statuses[0].request_id, statuses[-1].status) == (job.request_id, "COMPLETED")


async def test_the_sandbox(server: Server) -> None:
    async with AsyncClipia(server.test_key, base_url=server.url) as clipia:
        job = await clipia.submit("nano-banana-2", IMAGE)
        assert job.is_terminal
        assert (await job.wait()).status == "COMPLETED"


async def test_refusals(server: Server, async_live: AsyncClipia) -> None:
    with pytest.raises(clipia_queue.InvalidApiKey):
        await AsyncClipia("clipia_live_of_nobody", base_url=server.url).account.get()
    with pytest.raises(clipia_queue.ModelInputInvalid) as refused:
        await async_live.submit("nano-banana-2", {"prompt": 3})
    assert (refused.value.status, refused.value.code) == (422, "model_input_invalid")


async def test_a_wait_ends_at_its_deadline_with_the_id(peer: Peer) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)
    with pytest.raises(ClipiaTimeoutError) as raised:
        await clipia.generation(ID).wait(timeout=0.3)
    assert (raised.value.request_id, raised.value.timeout) == (ID, 0.3)
    with pytest.raises(ClipiaTimeoutError):
        await clipia.subscribe("nano-banana-2", IMAGE, timeout=0.3)


async def test_cancelling_ends_the_polls_too(peer: Peer) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)
    wait = asyncio.create_task(clipia.subscribe("nano-banana-2", IMAGE, on_queue_update=lambda _: None))
    await asyncio.sleep(1)
    assert len(peer.seen) > 1
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    await asyncio.sleep(0.2)
    asked = len(peer.seen)
    await asyncio.sleep(1.5)
    assert len(peer.seen) == asked


async def test_timeouts_of_asyncio(peer: Peer) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(clipia.generation(ID).wait(), 0.2)


def test_calls_are_coroutines_that_send_nothing_until_awaited(peer: Peer) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)
    call = clipia.submit("nano-banana-2", IMAGE)
    assert inspect.iscoroutine(call)
    assert peer.seen == []
    assert asyncio.run(call).request_id == ID


def test_a_client_serves_one_event_loop_after_another(server: Server) -> None:
    clipia = AsyncClipia(server.live_key, base_url=server.url)

    async def generate() -> str:
        return (await clipia.subscribe("nano-banana-2", IMAGE, timeout=60)).status

    assert [asyncio.run(generate()) for _ in range(3)] == ["COMPLETED"] * 3


def test_a_loop_that_ends_early_ends_only_its_own_waits(peer: Peer, server: Server) -> None:
    clipia = AsyncClipia(KEY, base_url=peer.url)

    async def leave() -> None:
        waits = [asyncio.create_task(clipia.generation(ID).wait()) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert not any(wait.done() for wait in waits)

    async def stay() -> None:
        with pytest.raises(ClipiaTimeoutError):
            await clipia.generation(ID).wait(timeout=0.3)

    asyncio.run(leave())
    asyncio.run(stay())


@pytest.mark.parametrize(
    "leave",
    [
        "asyncio.run(main())",
        "loop = asyncio.new_event_loop(); loop.run_until_complete(main())",
        "threading.Thread(target=Clipia(KEY, base_url=URL).generation(ID).wait, daemon=True).start()",
    ],
    ids=["cancelled", "abandoned", "daemon thread"],
)
def test_python_ends_quietly_while_something_waits(peer: Peer, leave: str) -> None:
    program = f"""
import asyncio, threading, time
from clipia_queue import AsyncClipia, Clipia
KEY, URL, ID = {KEY!r}, {peer.url!r}, {ID!r}

async def main():
    clipia = AsyncClipia(KEY, base_url=URL)
    global tasks
    tasks = [asyncio.ensure_future(clipia.generation(ID).wait()) for _ in range(20)]
    await asyncio.sleep(0.2)

{leave}
time.sleep(0.2)
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (0, "")
    # asyncio itself complains about tasks that are not awaited.
    assert ended.stderr == "" or "Task was destroyed but it is pending" in ended.stderr
    assert "panicked" not in ended.stderr
