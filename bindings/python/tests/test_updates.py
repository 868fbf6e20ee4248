"""Updates of one generation."""

from __future__ import annotations

import _thread
import asyncio
import threading
from collections.abc import Callable

import pytest

import clipia_queue
from clipia_queue import AsyncClipia, Clipia, StatusResponse
from conftest import STEPS, Emulated
from peer import ID, KEY, Peer, Reply, Request, example, running
from test_fleets import quiet
from test_sync import IMAGE

CHANGES = [("IN_QUEUE", 2, None), ("IN_QUEUE", 0, None), ("IN_PROGRESS", None, 40), ("COMPLETED", None, None)]


@pytest.mark.parametrize("submitted", [True, False])
def test_the_changes_in_order(emulated: Emulated, submitted: bool) -> None:
    client = emulated.client()
    job = client.submit("nano-banana-2", STEPS)
    handle = job if submitted else client.generation(job.request_id)
    updates = handle.updates()
    seen = [(update.status, update.queue_position, update.progress) for update in updates]
    assert seen == CHANGES
    assert list(updates) == []


@pytest.mark.parametrize("submitted", [True, False])
async def test_the_changes_in_order_async(emulated: Emulated, submitted: bool) -> None:
    client = emulated.async_client()
    job = await client.submit("nano-banana-2", STEPS)
    handle = job if submitted else client.generation(job.request_id)
    updates = handle.updates()
    seen = [(update.status, update.queue_position, update.progress) async for update in updates]
    assert seen == CHANGES
    assert [update async for update in updates] == []


def test_logs_and_unknown_fields_are_passed_on(peer: Peer) -> None:
    responses = [
        {"status": "IN_PROGRESS", "logs": ["loading"], "region": "north"},
        {"status": "IN_PROGRESS", "logs": ["loading", "drawing"], "region": "north"},
        {"status": "COMPLETED", "logs": ["loading", "drawing"], "region": "north"},
    ]
    expected = [{"request_id": ID, **response} for response in responses]

    def expecting() -> Callable[[Request], Reply]:
        left = iter(expected)
        ended = Reply(example("ResultResponse.image"))

        def respond(request: Request) -> Reply:
            if request.method == "POST":
                return running(request)
            return Reply(next(left)) if request.path.endswith("/status") else ended

        return respond

    client = Clipia(KEY, base_url=peer.url)
    peer.respond = expecting()
    assert [update.data for update in client.generation(ID).updates()] == expected
    peer.respond = expecting()
    seen: list[StatusResponse] = []
    client.subscribe("nano-banana-2", IMAGE, on_queue_update=seen.append)
    assert [update.data for update in seen] == expected
    assert seen[-1].logs == ["loading", "drawing"]


def test_the_real_server(live: Clipia) -> None:
    job = live.submit("nano-banana-2", IMAGE)
    updates = list(job.updates())
    assert {update.request_id for update in updates} == {job.request_id}
    assert [update.is_terminal for update in updates] == [False] * (len(updates) - 1) + [True]


async def test_an_error_is_the_last_item(emulated: Emulated) -> None:
    updates = emulated.client().generation(ID).updates()
    with pytest.raises(clipia_queue.NotFound) as raised:
        next(updates)
    assert raised.value.request_id == ID
    assert list(updates) == []
    later = emulated.async_client().generation(ID).updates()
    with pytest.raises(clipia_queue.NotFound):
        await anext(later)
    with pytest.raises(StopAsyncIteration):
        await anext(later)


def test_ctrl_c_has_the_id(peer: Peer) -> None:
    updates = Clipia(KEY, base_url=peer.url).generation(ID).updates()
    next(updates)
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt) as raised:
        next(updates)
    timer.join()
    assert getattr(raised.value, "request_id", None) == ID


async def test_leaving_early_ends_the_polls(peer: Peer) -> None:
    async for _ in AsyncClipia(KEY, base_url=peer.url).generation(ID).updates():
        break
    await quiet(peer)
    updates = AsyncClipia(KEY, base_url=peer.url).generation(ID).updates()
    await anext(updates)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(anext(updates), 0.2)
    del updates
    await quiet(peer)


def test_leaving_early_ends_the_polls_sync(peer: Peer) -> None:
    for _ in Clipia(KEY, base_url=peer.url).generation(ID).updates():
        break
    asyncio.run(quiet(peer))
