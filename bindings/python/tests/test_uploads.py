"""Uploads: a file or bytes as the input of a generation, against the real server and a scripted peer."""

from __future__ import annotations

import asyncio
import base64
import io
import pickle
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

from clipia_queue import AsyncClipia, Clipia, ClipiaError, ClipiaValueError, Upload, UploadFailed
from peer import KEY, Peer, Reply


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 36), (200, 90, 20)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_file_becomes_the_input_of_a_clip(live: Clipia, tmp_path: Path) -> None:
    path = tmp_path / "my fox.png"
    path.write_bytes(png())
    fox = live.upload(path)
    assert (fox.file_name, fox.content_type, fox.file_size) == ("my-fox.png", "image/png", len(png()))
    assert fox.expires_at is not None
    left = fox.expires_at - datetime.now(timezone.utc)
    assert timedelta(hours=23) < left < timedelta(hours=25)
    with urlopen(fox.url) as file:
        assert file.read() == png()
    assert pickle.loads(pickle.dumps(fox)) == fox == Upload.from_dict(fox.data)
    assert fox.url not in repr(fox)
    sway = {"image_url": fox.url, "duration": 1, "resolution": "480p"}
    assert live.subscribe("seedance-2-fast-i2v", sway, timeout=60).status == "COMPLETED"


def test_bytes_are_uploaded_with_asyncio(async_live: AsyncClipia) -> None:
    async def run() -> tuple[Upload, Upload]:
        return await async_live.upload(png()), await async_live.upload(png(), file_name="fox.jpg")

    unnamed, named = asyncio.run(run())
    assert (unnamed.file_name, named.file_name) == ("file.png", "fox.jpg")


def test_a_file_that_cannot_be_read_is_named(live: Clipia, tmp_path: Path) -> None:
    missing = tmp_path / "none.png"
    with pytest.raises(UploadFailed, match=r"none\.png") as raised:
        live.upload(missing)
    assert isinstance(raised.value, ClipiaError)
    assert isinstance(raised.value.__cause__, FileNotFoundError)
    (tmp_path / "fox.png").write_bytes(png())
    with pytest.raises(ClipiaValueError, match="`file_name` is for bytes"):
        live.upload(str(tmp_path / "fox.png"), file_name="hen.png")
    with pytest.raises(ClipiaValueError, match="is empty"):
        live.upload(b"")


def test_a_server_without_uploads_gets_a_small_file_in_the_input(peer: Peer, tmp_path: Path) -> None:
    refusal = {"error": {"type": "invalid_request_error", "code": "not_found", "message": "no such path"}}
    peer.respond = lambda _: Reply(refusal, 404)
    with Clipia(KEY, base_url=peer.url) as clipia:
        fox = clipia.upload(png(), file_name="fox.png")
        assert fox.url == f"data:image/png;base64,{base64.b64encode(png()).decode()}"
        assert fox.expires_at is None
        large = tmp_path / "large.mp4"
        large.write_bytes(bytes(5 * 1024 * 1024))
        with pytest.raises(UploadFailed, match=r"takes no uploads, and `large\.mp4` has 5 MiB"):
            clipia.upload(large)
