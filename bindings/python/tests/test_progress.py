"""The bar of `progress=True`, drawn by each supported package."""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

import clipia_queue
from clipia_queue import AsyncClipia, Clipia, ClipiaApiError, ClipiaTimeoutError, StatusResponse
from conftest import STEPS, STUCK, Emulated
from peer import ID, KEY, Peer, Reply, Request, example
from test_sync import IMAGE


@pytest.fixture(params=["tqdm", "rich", "neither"])
def drawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The package that can be imported. Both are installed."""
    for absent in {"tqdm": [], "rich": ["tqdm"], "neither": ["tqdm", "rich"]}[request.param]:
        for name in [absent, *(name for name in sys.modules if name.startswith(f"{absent}."))]:
            monkeypatch.setitem(sys.modules, name, None)
    which: str = request.param
    return which


def by_all(client: Clipia) -> list[Callable[[], Any]]:
    return [
        lambda: client.subscribe("nano-banana-2", STEPS, progress=True),
        lambda: client.submit("nano-banana-2", STEPS).wait(progress=True),
        lambda: client.generation(client.submit("nano-banana-2", STEPS).request_id).wait(progress=True),
    ]


def complete(drawn: str, request_id: str, text: str) -> None:
    label = request_id[:8]
    marks = {"tqdm": rf"{label} 100 %\|█+\|", "rich": rf"{label} ━+ +100%", "neither": f"{label} 100 %"}
    assert re.search(marks[drawn] + ".*completed", text), text


def test_a_bar(emulated: Emulated, drawn: str, capsys: pytest.CaptureFixture[str]) -> None:
    client = emulated.client()
    waits = by_all(client)
    for wait in waits if drawn == "neither" else waits[:1]:
        result = wait()
        assert result.status == "COMPLETED"
        captured = capsys.readouterr()
        complete(drawn, result.request_id, captured.err)
        assert captured.out == ""
        # No bar without `progress=True`.
        assert client.subscribe("nano-banana-2", STEPS).status == "COMPLETED"
        assert capsys.readouterr().err == ""


async def test_a_bar_async(emulated: Emulated, drawn: str, capsys: pytest.CaptureFixture[str]) -> None:
    client = emulated.async_client()
    result = await client.subscribe("nano-banana-2", STEPS, progress=True)
    complete(drawn, result.request_id, capsys.readouterr().err)
    job = await client.submit("nano-banana-2", STEPS)
    assert (await job.wait(progress=True)).is_terminal
    complete(drawn, job.request_id, capsys.readouterr().err)


def test_a_line_for_each_change(emulated: Emulated, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as context:
        context.setitem(sys.modules, "tqdm", None)
        context.setitem(sys.modules, "tqdm.auto", None)
        context.setitem(sys.modules, "rich.console", None)
        label = emulated.client().subscribe("nano-banana-2", STEPS, progress=True).request_id[:8]
    assert capsys.readouterr().err.splitlines() == [
        f"{label}   0 %  in queue, 2 ahead",
        f"{label}   0 %  next in queue",
        f"{label}  40 %  running, 40 %",
        f"{label} 100 %  completed",
    ]


def test_a_terminal_gets_one_line(emulated: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("tqdm", "tqdm.auto", "rich.console"):
        monkeypatch.setitem(sys.modules, name, None)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    result = emulated.client().subscribe("nano-banana-2", STEPS, progress=True)
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().endswith(f"\r\x1b[K{result.request_id[:8]} 100 %  completed\n")


def test_a_bar_and_a_callback(emulated: Emulated, drawn: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    result = emulated.client().subscribe(
        "nano-banana-2",
        STEPS,
        on_queue_update=lambda update: seen.append(update.status),
        progress=True,
        # The first drawing imports its package, and what changes twice meanwhile is told once.
        poll_interval=1,
    )
    assert seen == ["IN_QUEUE", "IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    complete(drawn, result.request_id, capsys.readouterr().err)


async def test_many_bars_at_once(
    async_live: AsyncClipia, drawn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = [
        async_live.subscribe("nano-banana-2", IMAGE | {"seed": seed}, progress=True, timeout=60)
        for seed in range(3)
    ]
    results = await asyncio.gather(*waits)
    shown = capsys.readouterr().err
    assert all(result.request_id[:8] in shown for result in results)


async def test_a_long_pause_shows_what_it_waits_for(
    peer: Peer, drawn: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    pause = {"retry-after": "30"}

    def respond(request: Request) -> Reply:
        if request.method == "POST":
            return Reply(example("ErrorEnvelope.rate_limit_exceeded"), 429, pause)
        return Reply(example("ErrorEnvelope.service_unavailable"), 503, pause)

    peer.respond = respond
    client = Clipia(KEY, base_url=peer.url)

    async def submit(progress: bool) -> None:
        submit = AsyncClipia(KEY, base_url=peer.url).subscribe("m", IMAGE, progress=progress)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(submit, 0.5)

    async def wait(progress: bool) -> None:
        with pytest.raises(ClipiaTimeoutError):
            client.generation(ID).wait(timeout=0.5, progress=progress)

    for call, reason in ((submit, "the rate limit"), (wait, "the server to recover")):
        for progress in (True, False):
            caplog.clear()
            await call(progress)
            shown = re.findall(r"^waiting for (.*), (\d+) s$", capsys.readouterr().err, re.MULTILINE)
            assert [reason for reason, _ in shown] == [reason] * progress
            assert all(29 <= int(seconds) <= 60 for _, seconds in shown), shown
            (record,) = (record for record in caplog.records if reason in record.getMessage())
            assert record.levelname == "WARNING"


def test_a_bar_ends_with_its_wait(emulated: Emulated, drawn: str, capsys: pytest.CaptureFixture[str]) -> None:
    client = emulated.client()
    for _ in range(2):
        job = client.submit("nano-banana-2", STUCK)
        with pytest.raises(ClipiaTimeoutError):
            job.wait(timeout=0.5, progress=True)
        assert job.request_id[:8] in capsys.readouterr().err
    # The closed bar is not drawn again.
    client.subscribe("nano-banana-2", STEPS)
    assert capsys.readouterr().err == ""


async def test_a_bar_ends_with_its_task(
    emulated: Emulated, drawn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    job = await emulated.async_client().submit("nano-banana-2", STUCK)
    wait = asyncio.create_task(job.wait(progress=True))
    await asyncio.sleep(0.5)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    assert job.request_id[:8] in capsys.readouterr().err


def test_a_failed_generation_is_not_drawn_as_done(
    live: Clipia, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from test_sync import UNREADABLE

    for name in ("tqdm", "tqdm.auto", "rich.console"):
        monkeypatch.setitem(sys.modules, name, None)
    result = live.subscribe("seedance-2-fast-i2v", UNREADABLE, progress=True, timeout=60)
    assert result.status == clipia_queue.FAILED
    shown = capsys.readouterr().err.splitlines()
    assert shown[-1].endswith("failed")
    assert "100 %" not in shown[-1]


def test_a_servers_text_cannot_control_the_terminal(
    peer: Peer, drawn: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = re.compile("[\x07\x9b\u202e]|\x1b]|\x1b\\[8m")
    hostile, shown = (
        "too\x1b]0;owned\x07\x9b2K\u202e [red]dark",
        r"\u001b]0;owned\u0007\u009b2k\u202e [red]dark",
    )
    failed = {"request_id": ID, "error": {"code": hostile, "message": hostile}}

    def respond(request: Request) -> Reply:
        if request.path.endswith("/status"):
            return Reply({"request_id": ID, "status": hostile})
        return Reply(example("ResultResponse.failed") | failed)

    monkeypatch.setenv("COLUMNS", "200")  # rich breaks lines
    peer.respond = respond
    client = Clipia(KEY, base_url=peer.url)
    with pytest.raises(ClipiaTimeoutError):
        client.generation(ID).wait(timeout=0.5, progress=True)
    drawing = capsys.readouterr().err
    assert not orders.search(drawing), drawing
    assert shown in drawing
    result = client.result(ID)
    with pytest.raises(ClipiaApiError) as raised:
        result.raise_for_status()
    unknown = StatusResponse.from_dict({"request_id": ID, "status": hostile})
    texts = [str(raised.value), repr(raised.value), repr(result), repr(unknown)]
    texts += [str(ClipiaApiError(400, hostile, hostile)), str(ClipiaApiError(0, hostile, hostile))]
    for text in texts:
        assert not orders.search(text), text
        assert "owned" in text
    assert (raised.value.code, raised.value.message) == (hostile, hostile), (
        "fields are as the server sent them"
    )
