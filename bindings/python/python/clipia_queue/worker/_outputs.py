"""What `make` returned, as files of the job's directory and fields of its output."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from clipia_queue.worker._directories import unused

KINDS = {
    "image": {".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif"},
    "video": {".mp4", ".webm", ".mov", ".mkv"},
    "audio": {".wav", ".mp3", ".ogg", ".flac", ".m4a", ".aac"},
}
"""Suffixes of media. Such files are named by kind and number, in their order. Others keep their names."""

PNG_MODES = {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}
"""Modes of Pillow that a PNG has."""

RANGE_TOLERANCE = 0.01
"""By how much a float of an array may lie outside of 0 to 1."""

ACCEPTED = "pictures (Pillow, NumPy, torch), paths, bytes of a media file, dicts, lists of these, or None"


class Outputs:
    """Saves what `make` returns. `check` is called between the items of an iterable."""

    def __init__(self, out: Path, check: Callable[[], None]) -> None:
        self.fields: dict[str, Any] = {}
        self._out = out
        self._check = check
        self._numbers = dict.fromkeys(KINDS, 0)

    def add(self, made: object) -> None:
        """Saves one returned value, or each of several.

        Raises `TypeError` or `ValueError` for what can be no output.
        """
        value: Any = made  # which the questions below do not narrow
        if made is None:
            return
        if isinstance(made, Mapping):
            for name, each in value.items():
                self._add_named(str(name), each)
        elif isinstance(made, str | os.PathLike):
            self._add_file(Path(value))
        elif isinstance(made, bytes | bytearray | memoryview):
            self._add_bytes(bytes(value))
        elif is_a(made, "PIL", "Image"):
            self._add_picture(made)
        elif is_array(made):
            for picture in pictures(made):
                self._add_picture(picture)
        elif isinstance(made, Iterable):
            for item in value:
                self._check()
                self.add(item)
        else:
            raise TypeError(
                f"`make` returned a value of type {type(made).__qualname__}; it may return {ACCEPTED}"
            )

    def _add_named(self, name: str, value: Any) -> None:
        """A value of a dict: files if it is a picture, a path, bytes, or a list of these; or else a field."""
        values: list[Any] = [*value] if type(value) in (list, tuple) else [value]
        if values and all(map(is_file, values)):
            for each in values:
                self.add(each)
        else:
            self.fields[name] = value

    def _add_file(self, path: Path) -> None:
        if not path.is_file():
            raise ValueError(
                f"`make` returned {str(path)[:200]!r}, and there is no such file; text is returned in a dict"
            )
        if not path.resolve().is_relative_to(self._out.resolve()):
            shutil.copyfile(path, self._new(path.suffix, path.name))

    def _add_bytes(self, data: bytes) -> None:
        suffix = suffix_of(data)
        if suffix is None:
            raise ValueError("`make` returned bytes of an unknown type; write them to a file in `job.out`")
        self._new(suffix).write_bytes(data)

    def _add_picture(self, picture: Any) -> None:
        if picture.mode not in PNG_MODES:
            picture = picture.convert("RGBA" if picture.mode.lower().endswith("a") else "RGB")
        picture.save(self._new(".png"), format="PNG")

    def _new(self, suffix: str, name: str = "file") -> Path:
        """A path in the directory that is not in use."""
        kind = next((kind for kind, suffixes in KINDS.items() if suffix.lower() in suffixes), None)
        if kind is None:
            return unused(self._out / name)
        while True:
            self._numbers[kind] += 1
            path = self._out / f"{kind}-{self._numbers[kind]}{suffix.lower()}"
            if not path.exists():
                return path


def is_file(value: object) -> bool:
    """Whether a value in a dict becomes a file. Text does not, and arrays there are numbers."""
    return isinstance(value, os.PathLike | bytes | bytearray | memoryview) or is_a(value, "PIL", "Image")


def is_array(value: object) -> bool:
    return is_a(value, "numpy", "ndarray") or is_a(value, "torch", "Tensor")


def is_a(value: object, package: str, name: str) -> bool:
    """Whether the value is of a class of a package, which is not imported for the question."""
    return any(
        base.__name__ == name and base.__module__.partition(".")[0] == package for base in type(value).__mro__
    )


def pictures(array: Any) -> list[Any]:
    """Pictures of an array: (height, width), (height, width, channels), or several of the latter.

    Channels of a tensor come first, as torch has them. Values are bytes, or floats of 0 to 1.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ValueError(
            "`make` returned an array, which Pillow makes a picture: pip install pillow"
        ) from None
    if is_a(array, "torch", "Tensor"):
        array = array.detach().cpu()
        array = (array.float() if array.is_floating_point() else array).numpy()
        if array.ndim > 2:
            array = array.swapaxes(-3, -2).swapaxes(-2, -1)
    if array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
        several = array.ndim == 3
    else:
        several = array.ndim == 4
    single = array.shape[1:] if several else array.shape
    if not (len(single) == 2 or (len(single) == 3 and single[2] in (3, 4))) or 0 in array.shape:
        raise ValueError(f"`make` returned an array of shape {array.shape}, which is no picture")
    array = as_bytes(array)
    return [Image.fromarray(each) for each in (array if several else [array])]


def as_bytes(array: Any) -> Any:
    """The array in bytes of 0 to 255."""
    kind = array.dtype.kind
    if kind == "b":
        return array.astype("uint8") * 255
    if kind == "f":
        array = array.astype("float32")
        low, high = float(array.min()), float(array.max())
        # Not a number is in no range.
        if not (low >= -RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE):
            raise ValueError(
                f"`make` returned an array of {low:g} to {high:g}; a picture has floats of 0 to 1"
            )
        return (array.clip(0, 1) * 255).round().astype("uint8")
    if array.dtype.name != "uint8":
        raise ValueError(
            f"`make` returned an array of {array.dtype.name}; a picture has uint8, or floats of 0 to 1"
        )
    return array


def suffix_of(data: bytes) -> str | None:
    """The suffix of a media file, by its first bytes."""
    if data[:4] == b"RIFF":
        return {b"WEBP": ".webp", b"WAVE": ".wav"}.get(data[8:12])
    if data[4:8] == b"ftyp":
        return {b"avif": ".avif", b"M4A ": ".m4a", b"qt  ": ".mov"}.get(data[8:12], ".mp4")
    first = {
        b"\x89PNG\r\n\x1a\n": ".png",
        b"\xff\xd8\xff": ".jpg",
        b"GIF8": ".gif",
        b"\x1a\x45\xdf\xa3": ".webm",
        b"OggS": ".ogg",
        b"fLaC": ".flac",
        b"ID3": ".mp3",
        b"\xff\xfb": ".mp3",
        b"\xff\xf3": ".mp3",
        b"\xff\xf2": ".mp3",
    }
    return next((suffix for start, suffix in first.items() if data.startswith(start)), None)
