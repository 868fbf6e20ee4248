"""Rows of what `make` returns, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from programs import Warm, program

MAKE = """
import io, json, pathlib, sys

import numpy
from PIL import Image

class Tensor:  # answers as a tensor of torch does, which is not installed
    __module__ = "torch"

    def __init__(self, array, is_floating_point=True):
        self.array = array
        self._is_floating_point = is_floating_point

    def detach(self):
        return self

    cpu = float = detach

    def is_floating_point(self):
        return self._is_floating_point

    def numpy(self):
        return self.array

class PipelineOutput(dict):  # as those of diffusers are
    pass

def picture(colour="red", mode="RGB"):
    return Image.new("RGB", (4, 2), colour).convert(mode)

def encoded(format):
    buffer = io.BytesIO()
    picture().save(buffer, format)
    return buffer.getvalue()

def written(name, data=b"data"):
    path = pathlib.Path(name)
    path.write_bytes(data)
    return path

def make(job: Job) -> object:
    return eval(job.input["code"])
"""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with program(tmp_path_factory.mktemp("outputs"), MAKE).warm() as warm:
        yield warm


@pytest.mark.parametrize(
    ("code", "files", "fields"),
    [
        ("picture()", ["image-1.png"], {}),
        ("[picture(), picture('blue')]", ["image-1.png", "image-2.png"], {}),
        ("(picture() for _ in range(3))", ["image-1.png", "image-2.png", "image-3.png"], {}),
        ("PipelineOutput(images=[picture()], nsfw=[False])", ["image-1.png"], {"nsfw": [False]}),
        ("{'mask': picture(), 'score': 0.5}", ["image-1.png"], {"score": 0.5}),
        ("{'text': 'a fox', 'none': None, 7: 'é'}", [], {"text": "a fox", "none": None, "7": "é"}),
        ("{'half': '\\ud800'}", [], {"half": "?"}),
        ("{'n': numpy.float32(0.5), 'row': numpy.arange(3)}", [], {"n": 0.5, "row": [0, 1, 2]}),
        ("{'mixed': [1, pathlib.PurePath('a')]}", [], {"mixed": [1, "a"]}),
        ("[picture(), {'score': 1}, encoded('JPEG')]", ["image-1.png", "image-2.jpg"], {"score": 1}),
        ("encoded('PNG')", ["image-1.png"], {}),
        ("encoded('WEBP')", ["image-1.webp"], {}),
        ("bytearray(encoded('GIF'))", ["image-1.gif"], {}),
        ("memoryview(b'RIFF\\0\\0\\0\\0WAVE')", ["audio-1.wav"], {}),
        ("b'\\0\\0\\0 ftypisom'", ["video-1.mp4"], {}),
        ("b'\\0\\0\\0 ftypM4A '", ["audio-1.m4a"], {}),
        ("b'\\x1a\\x45\\xdf\\xa3'", ["video-1.webm"], {}),
        ("[b'OggS', b'ID3', b'fLaC']", ["audio-1.ogg", "audio-2.mp3", "audio-3.flac"], {}),
        ("written('clip.MP4')", ["video-1.mp4"], {}),
        ("str(written('clip.mp4'))", ["video-1.mp4"], {}),
        ("[written('b.png'), written('a.png')]", ["image-1.png", "image-2.png"], {}),
        ("[written('fox.glb'), written('fox.glb')]", ["fox-2.glb", "fox.glb"], {}),
        ("written(job.out / 'mine.png')", ["mine.png"], {}),
        ("written(job.out / 'image-1.png') and picture()", ["image-1.png", "image-2.png"], {}),
        ("written(job.out / 'mine.obj') and None", ["mine.obj"], {}),
    ],
)
def test_what_is_returned_becomes_the_output(
    warm: Warm, code: str, files: list[str], fields: dict[str, Any]
) -> None:
    attempt = warm.run({"code": code})
    output = [{"output": fields}] if fields else []
    assert (attempt.events(), attempt.made()) == ([*output, {"done": True}], files)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("None", "the program made nothing: neither a file nor a field of the output"),
        ("[]", "the program made nothing: neither a file nor a field of the output"),
        ("7", "`make` returned a value of type int; it may return pictures"),
        ("'a fox'", "`make` returned 'a fox', and there is no such file; text is returned in a dict"),
        ("pathlib.Path('.')", "`make` returned '.', and there is no such file"),
        ("b'unknown'", "`make` returned bytes of an unknown type; write them to a file in `job.out`"),
        ("{'n': float('nan')}", "Out of range float values are not JSON compliant"),
        ("{'n': {1, 2}}", "the output has a builtins.set where it may only have JSON"),
        ("{'n': {'deep': picture()}}", "the output has a PIL.Image.Image where it may only have JSON"),
        ("job.out.rmdir()", "[Errno 2] No such file or directory"),
        ("numpy.zeros((4, 4, 2))", "`make` returned an array of shape (4, 4, 2), which is no picture"),
        ("numpy.zeros((0, 4, 3))", "`make` returned an array of shape (0, 4, 3), which is no picture"),
        ("numpy.zeros(4)", "`make` returned an array of shape (4,), which is no picture"),
        ("numpy.full((4, 4, 3), numpy.nan)", "`make` returned an array of nan to nan; a picture has"),
        ("numpy.full((4, 4, 3), 255.0)", "`make` returned an array of 255 to 255; a picture has"),
        ("numpy.zeros((4, 4), 'int64')", "`make` returned an array of int64; a picture has"),
        ("[picture(), 7]", "`make` returned a value of type int; it may return pictures"),
    ],
)
def test_what_can_be_no_output_fails_with_a_sentence(warm: Warm, code: str, sentence: str) -> None:
    attempt = warm.run({"code": code})
    failed, done = attempt.told()
    assert failed["fail"].startswith(sentence)
    assert done == {"done": True}
    assert not attempt.out.exists() or attempt.made() == []


RED, HALF = (255, 0, 0), (128, 128, 128)


@pytest.mark.parametrize(
    ("code", "pixels"),
    [
        ("picture()", [RED]),
        ("picture(mode='CMYK')", [RED]),
        ("picture(mode='P')", [RED]),
        ("picture('white', mode='1')", [(255, 255, 255)]),
        ("picture(mode='RGBa')", [RED]),
        ("picture('white', mode='F')", [(255, 255, 255)]),
        ("numpy.array([[[255, 0, 0]] * 4] * 2, 'uint8')", [RED]),
        ("numpy.full((2, 4, 3), 0.5)", [HALF]),
        ("numpy.full((2, 4, 1), 0.5, 'float16')", [HALF]),
        ("numpy.full((2, 4), 0.5)", [HALF]),
        ("numpy.ones((2, 4), bool)", [(255, 255, 255)]),
        ("numpy.full((2, 2, 4, 3), 1.001)", [(255, 255, 255)] * 2),
        ("numpy.full((3, 2, 4, 1), 0.5)", [HALF] * 3),
        ("Tensor(numpy.stack([numpy.ones((2, 4)), numpy.zeros((2, 4)), numpy.zeros((2, 4))]))", [RED]),
        ("Tensor(numpy.full((2, 1, 2, 4), 0.5))", [HALF] * 2),
        ("Tensor(numpy.full((2, 4), 128, 'uint8'), is_floating_point=False)", [HALF]),
        ("[Tensor(numpy.full((3, 2, 4), 0.5)), picture()]", [HALF, RED]),
    ],
)
def test_a_picture_is_what_it_was(warm: Warm, code: str, pixels: list[tuple[int, int, int]]) -> None:
    attempt = warm.run({"code": code})
    assert attempt.made() == [f"image-{n}.png" for n in range(1, len(pixels) + 1)], attempt.events()
    for name, expected in zip(attempt.made(), pixels, strict=True):
        with Image.open(attempt.out / name) as picture:
            assert (picture.size, picture.format) == ((4, 2), "PNG")
            assert picture.convert("RGB").getpixel((3, 1)) == expected


def test_an_output_that_is_too_long_for_an_event_is_a_file(warm: Warm) -> None:
    attempt = warm.run({"code": "{'words': ['fox'] * 20_000}"})
    assert (attempt.events(), attempt.made()) == ([{"done": True}], ["output.json"])
    assert json.loads((attempt.out / "output.json").read_text()) == {"words": ["fox"] * 20_000}
    both = warm.run({"code": "written(job.out / 'output.json', b'{}') and {'words': ['fox'] * 20_000}"})
    assert "too long" in both.told()[0]["fail"]


def test_a_file_of_the_program_stays_its_own(warm: Warm, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"first")
    attempt = warm.run({"code": f"pathlib.Path({str(clip)!r})"})
    clip.write_bytes(b"other")
    assert (attempt.out / "video-1.mp4").read_bytes() == b"first"


def test_no_package_is_imported_for_the_question(tmp_path: Path) -> None:
    names = ("PIL", "numpy", "asyncio")
    make = f"def make(job): return {{'loaded': [name for name in {names} if name in sys.modules]}}"
    with program(tmp_path, make, "import sys").warm() as warm:
        assert warm.run({}).events()[0] == {"output": {"loaded": []}}
