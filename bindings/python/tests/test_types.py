"""A program that type checkers read (mypy and pyright), and that runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import assert_type

from clipia_queue import (
    AsyncClipia,
    AsyncGenerationResult,
    AsyncSubmitted,
    Clipia,
    ClipiaTimeoutError,
    DownloadProgress,
    EstimateResponse,
    Generation,
    GenerationResult,
    InputWarning,
    Model,
    StatusResponse,
    Submitted,
)
from clipia_queue.worker import Job, serve
from conftest import Server

IMAGE = {"prompt": "a fox", "resolution": "0.5K"}


def test_sync(server: Server, tmp_path: Path) -> None:
    with Clipia(server.test_key, base_url=server.url) as clipia:
        models = clipia.models.list()
        assert_type(models["data"], list[Model])
        assert_type(models[0], Model)
        assert_type([model for model in models], list[Model])
        assert_type(clipia.models.submit("nano-banana-2", IMAGE), Submitted)
        assert_type(clipia.models.estimate("nano-banana-2", IMAGE), EstimateResponse)
        assert_type(clipia.check("nano-banana-2", IMAGE), list[InputWarning])
        job = clipia.submit("nano-banana-2", IMAGE, max_cost=1000)
        assert_type(job, Submitted)
        assert_type(job.cost, float | None)
        handle = clipia.generation(job.request_id)
        assert_type(handle, Generation)
        assert_type(handle.status(), StatusResponse)
        for update in job.updates():
            assert_type(update, StatusResponse)
        assert_type(clipia.wait_all([job, handle, job.request_id]), list[GenerationResult])
        for result in clipia.as_completed([job]):
            assert_type(result, GenerationResult)
        seen: list[DownloadProgress] = []
        paths = handle.wait().raise_for_status().download(tmp_path, on_progress=seen.append)
        assert_type(paths, list[Path])
        result = clipia.subscribe(
            "nano-banana-2", IMAGE, on_queue_update=lambda update: print(update.progress)
        )
        assert_type(result.output, dict[str, Any] | None)


async def test_async(server: Server, tmp_path: Path) -> None:
    async def note(update: StatusResponse) -> None:
        assert_type(update.is_terminal, bool)

    async with AsyncClipia(server.test_key, base_url=server.url) as clipia:
        job = await clipia.submit("nano-banana-2", IMAGE)
        assert_type(job, AsyncSubmitted)
        async for update in job.updates():
            assert_type(update, StatusResponse)
        assert_type(await clipia.wait_all([job, job.request_id]), list[AsyncGenerationResult])
        async for result in clipia.as_completed([job]):
            assert_type(await result.raise_for_status().download(tmp_path), list[Path])
        result = await clipia.subscribe("nano-banana-2", IMAGE, on_queue_update=note)
        assert_type(result, AsyncGenerationResult)


def test_an_exception_names_its_generation(server: Server) -> None:
    clipia = Clipia(server.live_key, base_url=server.url)
    with pytest.raises(ClipiaTimeoutError) as raised:
        clipia.subscribe("nano-banana-2", IMAGE, timeout=0)
    assert_type(raised.value.request_id, str)
    assert clipia.generation(raised.value.request_id).wait(timeout=60).status == "COMPLETED"


def make(job: Job) -> object:
    assert_type(job.input, dict[str, Any])
    assert_type(job.path("image_url"), Path)
    assert_type(job.paths("images"), list[Path])
    assert_type(job.seed, int)
    assert_type(job.canceled, bool)
    callback: Callable[[object, int, int, dict[str, Any]], dict[str, Any]] = job.step(28)
    if job.input["prompt"] == "dark":
        job.fail("too dark", code="content_policy")
    return callback


def test_a_program_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["dark.py", "--prompt", "dark", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as raised:
        serve(make)
    assert_type(raised.value.code, str | int | None)
    assert raised.value.code == 1
