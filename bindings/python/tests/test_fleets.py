"""Waiting for many generations at once."""

from __future__ import annotations

import _thread
import asyncio
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import clipia_queue
from clipia_queue import (
    AsyncClipia,
    AsyncGeneration,
    AsyncSubmitted,
    Clipia,
    ClipiaTimeoutError,
    Generation,
    Submitted,
)
from peer import KEY, Peer, Reply, Request, example
from test_sync import IMAGE

STATUS = Path("/proc/self/status")
NEVER = 1e9
UNKNOWN = -1.0


class Fleet:
    """Generations that end after these seconds, never end, or are unknown."""

    def __init__(self, ends: Sequence[float]) -> None:
        begun = time.monotonic()
        self.ids = [str(uuid.uuid4()) for _ in ends]
        self.ends = {
            id: end if end == UNKNOWN else begun + end for id, end in zip(self.ids, ends, strict=True)
        }

    def end(self, id: str) -> None:
        self.ends[id] = 0.0

    def __call__(self, request: Request) -> Reply:
        id = request.path.removesuffix("/status").rpartition("/")[2]
        if self.ends[id] == UNKNOWN:
            return Reply(example("ErrorEnvelope.not_found"), 404)
        if time.monotonic() < self.ends[id]:
            return Reply({"request_id": id, "status": "IN_PROGRESS"}, 202)
        return Reply(example("ResultResponse.image") | {"request_id": id})


def threads() -> int:
    return next(
        int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("Threads:")
    )


def ids(results: Sequence[clipia_queue.ResultResponse]) -> list[str]:
    return [result.request_id for result in results]


def test_the_real_server(live: Clipia) -> None:
    jobs = [live.submit("nano-banana-2", IMAGE | {"seed": seed}) for seed in range(12)]
    mixed: list[Submitted | Generation | str]
    mixed = [jobs[0], live.generation(jobs[1].request_id), *(job.request_id for job in jobs[2:])]
    assert ids(live.wait_all(mixed, timeout=60)) == [job.request_id for job in jobs]
    results = list(live.as_completed(mixed, timeout=60))
    assert sorted(ids(results)) == sorted(job.request_id for job in jobs)
    assert {result.raise_for_status().status for result in results} == {"COMPLETED"}


async def test_the_real_server_async(async_live: AsyncClipia) -> None:
    jobs = [await async_live.submit("nano-banana-2", IMAGE | {"seed": seed}) for seed in range(12)]
    mixed: list[AsyncSubmitted | AsyncGeneration | str]
    mixed = [jobs[0], async_live.generation(jobs[1].request_id), *(job.request_id for job in jobs[2:])]
    assert ids(await async_live.wait_all(mixed, timeout=60)) == [job.request_id for job in jobs]
    results = [result async for result in async_live.as_completed(mixed, timeout=60)]
    assert sorted(ids(results)) == sorted(job.request_id for job in jobs)


def test_results_come_in_the_order_in_which_they_end(peer: Peer) -> None:
    peer.respond = fleet = Fleet([NEVER] * 3)
    client = Clipia(KEY, base_url=peer.url)
    results = client.as_completed(fleet.ids)
    for id in (fleet.ids[1], fleet.ids[2], fleet.ids[0]):
        fleet.end(id)
        assert next(results).request_id == id
    # Now all have ended: the results are in the order of the handles.
    assert ids(client.wait_all(fleet.ids)) == fleet.ids


async def test_results_come_in_the_order_in_which_they_end_async(peer: Peer) -> None:
    peer.respond = fleet = Fleet([NEVER] * 3)
    client = AsyncClipia(KEY, base_url=peer.url)
    results = client.as_completed(fleet.ids)
    for id in (fleet.ids[1], fleet.ids[2], fleet.ids[0]):
        fleet.end(id)
        assert (await anext(results)).request_id == id
    assert ids(await client.wait_all(fleet.ids)) == fleet.ids


def test_nothing_to_wait_for(peer: Peer) -> None:
    client = Clipia(KEY, base_url=peer.url)
    assert client.wait_all([]) == []
    assert list(client.as_completed(iter(()))) == []


async def test_nothing_to_wait_for_async(peer: Peer) -> None:
    client = AsyncClipia(KEY, base_url=peer.url)
    assert await client.wait_all([]) == []
    assert [result async for result in client.as_completed(iter(()))] == []


def test_the_same_twice(peer: Peer) -> None:
    peer.respond = fleet = Fleet([0.1])
    client = Clipia(KEY, base_url=peer.url)
    assert ids(client.wait_all(fleet.ids * 2)) == fleet.ids * 2
    assert ids(list(client.as_completed(fleet.ids * 2))) == fleet.ids * 2


@pytest.mark.parametrize("handles", [[5], [None], 5, [""]])
def test_a_wrong_handle_raises_at_once(peer: Peer, handles: Any) -> None:
    client = Clipia(KEY, base_url=peer.url)
    for wait in (client.wait_all, client.as_completed):
        with pytest.raises((TypeError, ValueError)):
            wait(handles)


def test_the_deadline_has_the_missing_ids(peer: Peer) -> None:
    peer.respond = fleet = Fleet([0.0, NEVER, 0.0, NEVER])
    client = Clipia(KEY, base_url=peer.url)
    begun = time.monotonic()
    with pytest.raises(
        ClipiaTimeoutError, match="gave up waiting for 2 of 4 generations after 1 s"
    ) as raised:
        client.wait_all(fleet.ids, timeout=1)
    assert time.monotonic() - begun < 3
    assert raised.value.request_ids == [fleet.ids[1], fleet.ids[3]]
    assert (raised.value.request_id, raised.value.timeout) == (fleet.ids[1], 1)

    results = client.as_completed(fleet.ids, timeout=1)
    assert {next(results).request_id, next(results).request_id} == {fleet.ids[0], fleet.ids[2]}
    with pytest.raises(ClipiaTimeoutError) as raised:
        next(results)
    assert raised.value.request_ids == [fleet.ids[1], fleet.ids[3]]
    assert list(results) == []


async def test_the_deadline_has_the_missing_ids_async(peer: Peer) -> None:
    peer.respond = fleet = Fleet([0.0, NEVER, 0.0, NEVER])
    client = AsyncClipia(KEY, base_url=peer.url)
    with pytest.raises(
        ClipiaTimeoutError, match="gave up waiting for 2 of 4 generations after 1 s"
    ) as raised:
        await client.wait_all(fleet.ids, timeout=1)
    assert raised.value.request_ids == [fleet.ids[1], fleet.ids[3]]

    seen: list[str] = []
    with pytest.raises(ClipiaTimeoutError) as raised:  # noqa: PT012 - a loop is what raises
        async for result in client.as_completed(fleet.ids, timeout=1):
            seen.append(result.request_id)
    assert sorted(seen) == sorted([fleet.ids[0], fleet.ids[2]])
    assert raised.value.request_ids == [fleet.ids[1], fleet.ids[3]]


def test_an_unknown_generation_does_not_lose_the_others(peer: Peer) -> None:
    peer.respond = fleet = Fleet([0.5, UNKNOWN, 0.5])
    client = Clipia(KEY, base_url=peer.url)
    with pytest.raises(clipia_queue.NotFound) as raised:
        client.wait_all(fleet.ids)
    assert raised.value.request_id == fleet.ids[1]
    assert raised.value.request_ids == fleet.ids

    results = client.as_completed(fleet.ids)
    with pytest.raises(clipia_queue.NotFound) as raised:
        next(results)
    assert raised.value.request_id == fleet.ids[1]
    assert sorted(ids(list(results))) == sorted([fleet.ids[0], fleet.ids[2]])


async def test_an_unknown_generation_does_not_lose_the_others_async(peer: Peer) -> None:
    peer.respond = fleet = Fleet([0.5, UNKNOWN, 0.5])
    client = AsyncClipia(KEY, base_url=peer.url)
    with pytest.raises(clipia_queue.NotFound) as raised:
        await client.wait_all(fleet.ids)
    assert (raised.value.request_id, raised.value.request_ids) == (fleet.ids[1], fleet.ids)

    results = client.as_completed(fleet.ids)
    with pytest.raises(clipia_queue.NotFound):
        await anext(results)
    assert sorted(ids([result async for result in results])) == sorted([fleet.ids[0], fleet.ids[2]])


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux counts the threads of a process there")
def test_there_is_no_thread_for_each(peer: Peer) -> None:
    peer.respond = fleet = Fleet([NEVER] * 300)
    client = Clipia(KEY, base_url=peer.url)
    client.generation(fleet.ids[0]).result()
    before, during = threads(), list[int]()
    # The peer has a thread for each connection, at most as many as simultaneous calls.
    timer = threading.Timer(1.0, lambda: during.append(threads()))
    timer.start()
    with pytest.raises(ClipiaTimeoutError) as raised:
        client.wait_all(fleet.ids, timeout=2)
    timer.join()
    assert len(raised.value.request_ids) == 300
    assert during[0] - before < 100


def test_ctrl_c_has_the_ids(peer: Peer) -> None:
    peer.respond = fleet = Fleet([0.0, NEVER])
    client = Clipia(KEY, base_url=peer.url)
    results = client.as_completed(fleet.ids)
    assert next(results).request_id == fleet.ids[0]
    for wait in (lambda: next(results), lambda: client.wait_all(fleet.ids)):
        timer = threading.Timer(0.5, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt) as raised:
            wait()
        timer.join()
        assert getattr(raised.value, "request_ids", None) == fleet.ids[1:]


async def test_a_cancelled_step_loses_no_result(peer: Peer) -> None:
    peer.respond = fleet = Fleet([0.05 * step for step in range(12)])
    results = AsyncClipia(KEY, base_url=peer.url).as_completed(fleet.ids)
    seen: list[str] = []
    while len(seen) < 12:
        try:
            seen.append((await asyncio.wait_for(anext(results), 0.01)).request_id)
        except asyncio.TimeoutError:
            continue
    assert sorted(seen) == sorted(fleet.ids)
    with pytest.raises(StopAsyncIteration):
        await anext(results)


async def test_leaving_early_ends_the_waits(peer: Peer) -> None:
    peer.respond = fleet = Fleet([0.0, *[NEVER] * 20])
    client = AsyncClipia(KEY, base_url=peer.url)
    async for result in client.as_completed(fleet.ids):
        assert result.request_id == fleet.ids[0]
        break
    await quiet(peer)
    wait = asyncio.create_task(client.wait_all(fleet.ids[1:]))
    await asyncio.sleep(0.5)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    await quiet(peer)


async def quiet(peer: Peer) -> None:
    """No more requests arrive, except those in flight."""
    await asyncio.sleep(0.3)
    asked = len(peer.seen)
    await asyncio.sleep(1.5)
    assert len(peer.seen) == asked
