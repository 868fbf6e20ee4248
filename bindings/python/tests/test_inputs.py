"""Inputs: rows of a value and what the server receives of it, and rows of refused values."""

from __future__ import annotations

import array
import base64
import collections
import dataclasses
import datetime
import decimal
import enum
import io
import json
import math
import pathlib
import subprocess
import sys
import types
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast

import numpy
import pydantic
import pytest
from PIL import Image

from clipia_queue import AsyncClipia, Clipia, ClipiaValueError, EstimateResponse
from peer import ID, KEY, Peer, Reply, Request, example

UUID = uuid.UUID(ID)
UTC = datetime.timezone.utc
HALF_PAST_NOON = datetime.datetime(2026, 1, 2, 12, 30, tzinfo=UTC)


class Colour(enum.Enum):
    RED = "red"
    DEEP = (1, 2)


class Named(str, enum.Enum):
    WIDE = "16:9"


class Seconds(enum.IntEnum):
    SHORT = 5


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Real(float):
    pass


class Upper(dict[str, Any]):
    """A dict with pairs of its own."""

    def items(self) -> Any:
        return [(key.upper(), value) for key, value in super().items()]


class Shots(Sequence[Any]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: Any) -> Any:
        return ["near", "far"][index]


class Options(Mapping[str, Any]):
    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter(["duration"])

    def __getitem__(self, key: str) -> Any:
        return {"duration": 5}[key]


class Pair(TypedDict):
    first: int


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass(frozen=True)
class Shot:
    prompt: str
    mask: Any = None


class Model(pydantic.BaseModel):
    prompt: str
    at: datetime.datetime
    price: decimal.Decimal = decimal.Decimal("1.5")
    path: pathlib.PurePosixPath = pathlib.PurePosixPath("a/b")
    page: pydantic.AnyUrl = pydantic.AnyUrl("https://example.com/fox.png")


TAKEN: list[tuple[Any, Any]] = [
    # JSON types.
    (None, None),
    (True, True),
    ("füchse 🦊 \0", "füchse 🦊 \0"),
    ("", ""),
    (2**64 - 1, 2**64 - 1),
    (-(2**63), -(2**63)),
    (2**53 + 1, 2**53 + 1),
    (0.1, 0.1),
    (1e300, 1e300),
    ([], []),
    ({}, {}),
    ([1, [2.5, {"a": [None]}]], [1, [2.5, {"a": [None]}]]),
    # Their subclasses.
    (Text("fox"), "fox"),
    (Whole(7), 7),
    (Real(0.5), 0.5),
    (Upper(a=1), {"A": 1}),
    (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (collections.defaultdict(list, a=[1]), {"a": [1]}),
    (collections.Counter("aab"), {"a": 2, "b": 1}),
    # Similar types.
    ((1, "a"), [1, "a"]),
    (Point(1, 2), [1, 2]),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset("cab"), ["a", "b", "c"]),
    ({"a": 1}.keys(), ["a"]),
    (range(3), [0, 1, 2]),
    (collections.deque([1, 2]), [1, 2]),
    (array.array("d", [0.5]), [0.5]),
    (Shots(), ["near", "far"]),
    (Options(), {"duration": 5}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (collections.ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
    (Pair(first=1), {"first": 1}),
    # Keys in the form of `json`.
    ({0: 1, None: 2, True: 3, -7: 4}, {"0": 1, "null": 2, "true": 3, "-7": 4}),
    ({0.5: 1, 1e16: 2, 1e-7: 3}, {"0.5": 1, "1e+16": 2, "1e-07": 3}),
    ({UUID: 1, Colour.RED: 2, Seconds.SHORT: 3, numpy.int8(4): 4}, {ID: 1, "red": 2, "5": 3, "4": 4}),
    # The standard library.
    (Colour.RED, "red"),
    (Colour.DEEP, [1, 2]),
    (Named.WIDE, "16:9"),
    (Seconds.SHORT, 5),
    (UUID, ID),
    (decimal.Decimal("5"), 5),
    (decimal.Decimal("5.00"), 5),
    (decimal.Decimal("1e3"), 1000),
    (decimal.Decimal("9007199254740993.0"), 9007199254740993),
    (decimal.Decimal("-0.25"), -0.25),
    (HALF_PAST_NOON, "2026-01-02T12:30:00+00:00"),
    (datetime.datetime(2026, 1, 2), "2026-01-02T00:00:00"),
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (datetime.time(12, 30), "12:30:00"),
    (pathlib.PurePosixPath("/tmp/fox.png"), "/tmp/fox.png"),
    (Path("fox.png"), "fox.png"),
    (Shot("near", {1}), {"prompt": "near", "mask": [1]}),
    # NumPy.
    (numpy.int64(-3), -3),
    (numpy.uint64(2**64 - 1), 2**64 - 1),
    (numpy.float64(0.1), 0.1),
    (numpy.float32(0.5), 0.5),
    (numpy.bool_(True), True),
    (numpy.str_("fox"), "fox"),
    (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (numpy.array(7), 7),
    (numpy.array([]), []),
    (numpy.array([Colour.RED, None], dtype=object), ["red", None]),
    (numpy.datetime64("2026-01-02"), "2026-01-02T00:00:00"),
    (numpy.array(["2026-01-02T12:30:00.000001000"], dtype="datetime64[ns]"), ["2026-01-02T12:30:00.000001"]),
    # Pydantic.
    (
        Model(prompt="near", at=HALF_PAST_NOON),
        {
            "prompt": "near",
            "at": "2026-01-02T12:30:00Z",
            "price": "1.5",
            "path": "a/b",
            "page": "https://example.com/fox.png",
        },
    ),
    (pydantic.RootModel[list[int]]([1, 2]), [1, 2]),
]


def received(peer: Peer) -> Any:
    return json.loads(peer.seen[-1].body)["input"]


def test_accepted_values(peer: Peer) -> None:
    clipia = Clipia(KEY, base_url=peer.url)
    clipia.submit("nano-banana-2", {"rows": [passed for passed, _ in TAKEN]})
    for (passed, expected), arrived in zip(TAKEN, received(peer)["rows"], strict=True):
        assert (arrived, type(arrived)) == (expected, type(expected)), repr(passed)
    clipia.submit("nano-banana-2", Model(prompt="near", at=HALF_PAST_NOON))
    assert received(peer) == TAKEN[-2][1]
    clipia.submit("nano-banana-2", Shot("near"))
    assert received(peer) == {"prompt": "near", "mask": None}
    clipia.submit("nano-banana-2", Options())
    assert received(peer) == {"duration": 5}


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Slow(io.RawIOBase):
    """A file that is not seekable, and returns few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self.rest = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part, self.rest = self.rest[:7], self.rest[7:]
        buffer[: len(part)] = part
        return len(part)


def batched(rows: list[Any], length: int) -> list[list[Any]]:
    return [rows[start : start + length] for start in range(0, len(rows), length)]


def split(url: str) -> tuple[str, bytes]:
    head, content = url.split(";base64,")
    assert head.startswith("data:")
    return head.removeprefix("data:"), base64.b64decode(content, validate=True)


def sent(peer: Peer, *contents: Any) -> list[tuple[str, bytes]]:
    """The media type and the bytes of each content as received."""
    Clipia(KEY, base_url=peer.url).submit("nano-banana-2", {"urls": contents})
    return [split(url) for url in received(peer)["urls"]]


def test_bytes_and_files_are_data_urls(peer: Peer, tmp_path: Path) -> None:
    mp4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"
    kinds = [bytes, bytearray, memoryview, io.BytesIO, Slow]
    for (media_type, content), arrived in zip(
        known := [
            ("image/png", PNG),
            ("image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
            ("image/webp", b"RIFF\x24\0\0\0WEBPVP8 "),
            ("image/gif", b"GIF89a\1\0\1\0"),
            ("image/avif", b"\0\0\0\x1cftypavif\0\0\0\0mif1avif"),
            ("image/heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
            ("image/tiff", b"II*\0\x08\0\0\0"),
            ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'></svg>"),
            ("image/svg+xml", b'<?xml version="1.0"?><svg></svg>'),
            ("model/gltf-binary", b"glTF\2\0\0\0"),
            ("audio/wav", b"RIFF\x24\0\0\0WAVEfmt "),
            ("audio/flac", b"fLaC"),
            ("audio/ogg", b"OggS\0\2"),
            ("audio/m4a", b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42"),
            ("video/quicktime", b"\0\0\0\x14ftypqt  \0\0\0\0qt  "),
            ("video/webm", b"\x1aE\xdf\xa3\x8fB\x86\x81\1B\xf7\x81\1B\x82\x84webm"),
            ("video/x-matroska", b"\x1aE\xdf\xa3\x8bB\x82\x88matroska"),
            ("audio/mpeg", b"ID3\3\0\0\0\0\0\0"),
            ("video/mp4", mp4),
            ("application/octet-stream", b"a fox"),
        ],
        batched(sent(peer, *(kind(content) for _, content in known for kind in kinds)), len(kinds)),
        strict=True,
    ):
        assert arrived == [(media_type, content)] * len(kinds)

    (tmp_path / "fox.svg").write_text("<svg/>")
    with open(tmp_path / "fox.svg", "rb") as file:
        # The same input may be checked first and submitted then.
        for _ in range(2):
            assert sent(peer, file, file) == [("image/svg+xml", b"<svg/>")] * 2
        file.seek(2)
        assert sent(peer, file) == [("image/svg+xml", b"vg/>")]
        assert file.tell() == 2


def test_images_are_data_urls(peer: Peer, tmp_path: Path) -> None:
    modes = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
    drawn = Image.linear_gradient("L").convert("RGB")
    turned = drawn.crop((0, 0, 100, 50))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    opened: list[Any] = []
    for name in ("fox.jpg", "fox.jpg", "fox.webp", "fox.png"):
        turned.save(tmp_path / name, exif=exif, quality=93)
        opened.append(Image.open(tmp_path / name))
    opened[1].putalpha(7)
    arrived = sent(peer, drawn, *(Image.new(mode, (2, 3)) for mode in modes), *opened)
    images: list[Any] = [Image.open(io.BytesIO(content)) for _, content in arrived]
    for (media_type, _), image in zip(arrived, images, strict=True):
        assert media_type == Image.MIME[image.format]
    assert [image.format for image in images] == ["PNG"] * 8 + ["JPEG", "PNG", "PNG", "PNG"]
    assert images[0].tobytes() == drawn.tobytes()
    assert [image.size for image in images[1:8]] == [(2, 3)] * len(modes)
    # The orientation is kept as EXIF, or applied to the image.
    assert [(image.size, image.getexif().get(0x0112, 1)) for image in images[8:]] == [
        ((100, 50), 6),
        *([((50, 100), 1)] * 3),
    ]
    assert images[8].quantization == opened[0].quantization
    for image in opened:
        image.close()


class Raising:
    def model_dump(self, mode: str) -> Any:
        raise RuntimeError("no such luck")


class Interrupting:
    def isoformat(self) -> str:
        raise KeyboardInterrupt


class Itself:
    def tolist(self) -> Any:
        return self


def in_itself() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def multiplied() -> list[Any]:
    """Sixteen lists that stand for more values than fit into memory."""
    lists: list[Any] = [0] * 16
    for _ in range(15):
        lists = [lists] * 16
    return lists


def text_file() -> Any:
    return open(__file__, encoding="utf-8")


# The value at `input["shots"][1]`, and the message after this path.
REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: math.nan, " is NaN, which is no number in JSON"),
    (lambda: math.inf, " is inf, which is no number in JSON"),
    (lambda: {"strength": -math.inf}, '["strength"] is -inf, which is no number in JSON'),
    (lambda: decimal.Decimal("NaN"), " is NaN, which is no number in JSON"),
    (lambda: decimal.Decimal("-Infinity"), " is -Infinity, which is no number in JSON"),
    (lambda: numpy.float32("nan"), " is NaN, which is no number in JSON"),
    (lambda: numpy.array([[0.5, 1], [math.inf, 1]]), "[1][0] is inf, which is no number in JSON"),
    (lambda: numpy.datetime64("NaT", "ns"), " holds NaT, which is no time"),
    (lambda: {"seed": 2**64}, '["seed"] is an integer of more than 64 bits, which JSON readers would round'),
    (lambda: -(2**63) - 1, " is an integer of more than 64 bits"),
    (lambda: 10**5000, " is an integer of more than 64 bits"),
    (lambda: decimal.Decimal(2**64), " is an integer of more than 64 bits"),
    (lambda: decimal.Decimal("1e999999999"), " is an integer of more than 64 bits"),
    (lambda: {2**64: 1}, " has a key that is an integer of more than 64 bits"),
    (lambda: {math.nan: 1}, " has a key that is NaN"),
    (lambda: {(1, 2): 1}, " has a key of type `tuple`"),
    (lambda: {b"a": 1}, " has a key of type `bytes`"),
    (lambda: {1: "a", "1": "b"}, ' has two keys that are both written "1"'),
    (lambda: "a \ud800 fox", " holds a lone surrogate"),
    (lambda: {"\udfff": 1}, " has a key that holds a lone surrogate"),
    (lambda: {"k" * 100: object()}, '["' + "k" * 40 + '"…] is of type `object`, which has no form in JSON'),
    (lambda: {'"\n': 1j}, '["\\"\\n"] is of type `complex`'),
    (lambda: datetime.timedelta(1), " is of type `datetime.timedelta`"),
    (lambda: numpy.timedelta64(1, "ns"), " is of type `numpy.timedelta64`"),
    (lambda: iter([1]), " is of type `list_iterator`"),
    (lambda: Model, " is of type `pydantic"),
    (lambda: print, " is of type `builtin_function_or_method`"),
    (lambda: Itself(), " is of type `test_inputs.Itself`"),
    (lambda: Raising(), " cannot be read: RuntimeError: no such luck"),
    (text_file, ' is a file that was opened as text; open it as `open(path, "rb")`'),
    (lambda: io.StringIO("fox"), " is a file that was opened as text"),
    (lambda: io.BytesIO(b""), " is a file that is empty, or was read to its end before"),
    (lambda: io.BytesIO(bytes(49 << 20)), " is too long: texts and files may have 64 MiB in all"),
    (lambda: ["a" * (1 << 20)] * 65, "[64] is too long"),
    (lambda: Image.new("F", (1, 1)), " cannot be read: OSError: cannot write mode F as PNG"),
    (lambda: numpy.zeros((1001, 1000)), " is one value too many: there may be 1000000"),
    (multiplied, " is one value too many"),
    (in_itself, "[0][0][0][0][0][0] … is nested more than 100 deep, or holds itself"),
]


def test_refused_values(peer: Peer) -> None:
    clipia = Clipia(KEY, base_url=peer.url)
    for make, said in REFUSED:
        passed = make()
        with pytest.raises(ClipiaValueError) as raised:
            clipia.submit("nano-banana-2", {"prompt": "a fox", "shots": ["near", passed]})
        message = str(raised.value)
        if said == " is one value too many" or "[64]" in said:
            assert message.startswith('input["shots"][1]'), message
            assert said.split("]")[-1] in message, message
        else:
            assert message.startswith(f'input["shots"][1]{said}'), message
        if "cannot be read" in said:
            assert type(raised.value.__cause__).__name__ in said
        if hasattr(passed, "close"):
            passed.close()
    with pytest.raises(KeyboardInterrupt):
        clipia.submit("nano-banana-2", {"at": Interrupting()})
    for whole, said in [([1], "an array"), ("fox", "a string"), (None, "null"), (Colour.RED, "a string")]:
        with pytest.raises(ClipiaValueError, match=f"must be a JSON object; got {said}"):
            clipia.submit("nano-banana-2", cast(Any, whole))
    assert peer.seen == []


async def test_every_call_refuses_the_same(peer: Peer) -> None:
    clipia, concurrent = Clipia(KEY, base_url=peer.url), AsyncClipia(KEY, base_url=peer.url)
    wrong = {"seed": math.nan}
    for call in (
        clipia.check,
        clipia.submit,
        clipia.subscribe,
        clipia.models.estimate,
        concurrent.check,
        concurrent.submit,
        concurrent.subscribe,
        concurrent.models.estimate,
    ):
        with pytest.raises(ClipiaValueError, match=r'^input\["seed"\] is NaN'):
            await cast(Any, call)("nano-banana-2", wrong)
    assert peer.seen == []


def test_an_estimate_accepts_the_same(peer: Peer) -> None:
    def respond(request: Request) -> Reply:
        return Reply(example("EstimateResponse.flat"))

    peer.respond = respond
    estimate = Clipia(KEY, base_url=peer.url).models.estimate("nano-banana-2", {"image_urls": (PNG,)})
    assert isinstance(estimate, EstimateResponse)
    assert split(received(peer)["image_urls"][0]) == ("image/png", PNG)


# Runs in a process of its own, so that a crash fails only this test.
NESTED = """
import sys, threading, warnings
warnings.simplefilter("ignore")
import clipia_queue
from clipia_queue import Clipia, ClipiaValueError
url, key = sys.argv[1:]
clipia = Clipia(key, base_url=url)

def nested(depth, kind):
    value = 7
    for level in range(depth):
        value = {"a": value} if kind(level) else [value]
    return {"shots": value}

ring = {}
ring["shots"] = [{"again": ring}]
dicts, lists, both = lambda level: True, lambda level: False, lambda level: level % 2
deep = [ring, *(nested(20_000, kind) for kind in (dicts, lists, both))]

def work():
    for value in deep:
        for call in (clipia.check, clipia.submit, clipia.models.estimate):
            try:
                call("nano-banana-2", value)
            except ClipiaValueError as error:
                assert str(error).startswith('input["shots"]') and "nested more than 100 deep" in str(error)
            else:
                raise AssertionError("was taken")
        for response in ("SubmitResponse", "StatusResponse", "ResultResponse", "EstimateResponse"):
            try:
                getattr(clipia_queue, response).from_dict(value)
            except ClipiaValueError as error:
                assert str(error).startswith('data["shots"]') and "nested more than 128 deep" in str(error)
            else:
                raise AssertionError("was taken")

def stand():
    clipia.submit("nano-banana-2", nested(99, dicts))

failed = []
threading.excepthook = lambda args: (failed.append(args), sys.__excepthook__(*args[:3]))
work()
# The smallest stack of a Python thread is 32 KiB. The rest of a call needs more.
for size, target in ((128, work), (512, stand)):
    threading.stack_size(size << 10)
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
assert not failed
"""


def test_no_nesting_crashes_the_process(peer: Peer) -> None:
    command = [sys.executable, "-c", NESTED, peer.url, KEY]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    (request,) = peer.seen
    assert request.body.count(b'{"a":') == 99
