"""Downloads and their progress."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clipia_queue import (
    AsyncClipia,
    Clipia,
    DownloadFailed,
    DownloadProgress,
    Generation,
    GenerationResult,
    MediaFile,
    Submitted,
)
from peer import ID, KEY, Peer, Reply, Request
from test_sync import IMAGE


def whole(seen: list[DownloadProgress], paths: list[Path]) -> None:
    assert [progress.path for progress in seen] == paths * len(seen)
    assert [progress.bytes for progress in seen] == sorted(progress.bytes for progress in seen)
    last = seen[-1]
    assert last.bytes == last.total_bytes == paths[0].stat().st_size
    assert (last.file, last.files_done, last.files) == (0, 1, 1)
    assert repr(last) == (
        f"DownloadProgress(file=0, bytes={last.bytes}, total_bytes={last.bytes}, files_done=1, files=1)"
    )
    assert last == last
    assert last != seen[0]


def test_a_download_reports_its_progress(live: Clipia, tmp_path: Path) -> None:
    job = live.submit("nano-banana-2", IMAGE)
    result = job.wait(timeout=60)
    sources: list[GenerationResult | Submitted | Generation] = [result, job, live.generation(job.request_id)]
    for number, source in enumerate(sources):
        seen: list[DownloadProgress] = []
        paths = source.download(tmp_path / str(number), on_progress=seen.append)
        whole(seen, paths)


async def test_a_download_reports_its_progress_async(async_live: AsyncClipia, tmp_path: Path) -> None:
    result = await async_live.subscribe("nano-banana-2", IMAGE, timeout=60)
    plain: list[DownloadProgress] = []
    awaited: list[DownloadProgress] = []

    async def note(progress: DownloadProgress) -> None:
        awaited.append(progress)

    whole(plain, await result.download(tmp_path / "plain", on_progress=plain.append))
    whole(awaited, await result.download(tmp_path / "awaited", on_progress=note))


def test_an_exception_of_a_callback_ends_the_download(live: Clipia, tmp_path: Path) -> None:
    def fail(_: DownloadProgress) -> None:
        raise KeyError("of the callback")

    result = live.subscribe("nano-banana-2", IMAGE, timeout=60)
    with pytest.raises(KeyError, match="of the callback"):
        result.download(tmp_path, on_progress=fail)
    # The next download resumes.
    (path,) = result.download(tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_renditions(live: Clipia, tmp_path: Path) -> None:
    result = live.subscribe("nano-banana-2", IMAGE, timeout=60)
    (original,) = result.download(tmp_path)
    (rendition,) = result.download(tmp_path, renditions=True)
    assert original != rendition
    assert rendition.stem == f"{original.stem}-rendition"
    assert live.generation(result.request_id).download(tmp_path, renditions=True) == [rendition]


async def test_unknown_outputs_are_saved_and_replace_other_files_only_on_request(
    peer: Peer, tmp_path: Path
) -> None:
    def respond(request: Request) -> Reply:
        if request.path == "/media/1":
            return Reply({"panels": 4})
        return Reply(
            {
                "request_id": ID,
                "status": "COMPLETED",
                "output": {"layout_3d": {"url": "/media/1"}},
            }
        )

    peer.respond = respond
    path = tmp_path / f"{ID}-layout-3d-1.json"
    generation = Clipia(KEY, base_url=peer.url).generation(ID)
    async_generation = AsyncClipia(KEY, base_url=peer.url).generation(ID)
    for content in ('{"panels": 5}', "mine"):
        path.write_text(content)
        with pytest.raises(DownloadFailed, match="`overwrite`") as raised:
            generation.download(tmp_path)
        assert isinstance(raised.value.__cause__, FileExistsError)
        with pytest.raises(DownloadFailed, match="`overwrite`"):
            await async_generation.download(tmp_path)
        assert path.read_text() == content
    assert generation.download(tmp_path, overwrite=True) == [path]
    assert path.read_text() == '{"panels": 4}'
    path.write_text("mine")
    assert await async_generation.download(tmp_path, overwrite=True) == [path]
    assert path.read_text() == '{"panels": 4}'
    assert os.listdir(tmp_path) == [path.name]


def test_files_are_fetched_into_memory(live: Clipia, tmp_path: Path) -> None:
    result = live.subscribe("nano-banana-2", IMAGE, timeout=60)
    (path,) = result.download(tmp_path)
    for found in (result, live.result(result.request_id), live.generation(result.request_id).result()):
        (file,) = found.files()
        assert isinstance(file, MediaFile)
        assert file.name == f"{result.request_id}-image-1" == path.stem
        assert repr(file) == f"MediaFile(name='{file.name}')"
        assert file.bytes() == path.read_bytes()
        assert b"".join(file.stream()) == path.read_bytes()
    with pytest.raises(DownloadFailed, match="more than the 7 bytes"):
        file.bytes(max_bytes=7)
    (rendition,) = result.files(renditions=True)
    assert rendition.url != file.url


async def test_files_are_fetched_into_memory_async(async_live: AsyncClipia, tmp_path: Path) -> None:
    result = await async_live.subscribe("nano-banana-2", IMAGE, timeout=60)
    (path,) = await result.download(tmp_path)
    (file,) = await result.files()
    assert file.name == path.stem
    assert await file.bytes() == path.read_bytes()
    assert b"".join([piece async for piece in file.stream()]) == path.read_bytes()
    with pytest.raises(DownloadFailed, match="more than the 7 bytes"):
        await file.bytes(max_bytes=7)
