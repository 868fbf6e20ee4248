"""The example programs of `clipia_queue.worker`, in each of the three ways."""

from __future__ import annotations

import io
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from programs import Program

EXAMPLES = Path(__file__).parents[1] / "examples"

INDIGO, ORANGE = (75, 0, 130), (255, 165, 0)

INPUT = {"prompt": "Fresh figs", "colours": ["indigo", "orange"]}


@pytest.fixture
def poster(tmp_path: Path) -> Program:
    return Program(Path(shutil.copy(EXAMPLES / "poster.py", tmp_path)))


def look_at(path: Path, top: tuple[int, int, int], bottom: tuple[int, int, int]) -> None:
    """Asserts a poster: its size, its background, and white letters in the middle, left and right alike."""
    with Image.open(path) as picture:
        width, height = picture.size
        pixels = picture.convert("RGB")
    assert (width, height) == (512, 640)
    assert (pixels.getpixel((0, 0)), pixels.getpixel((width - 1, height - 1))) == (top, bottom)
    white = [
        (x, y) for x in range(width) for y in range(height) if pixels.getpixel((x, y)) == (255, 255, 255)
    ]
    columns, rows = [x for x, _ in white], [y for _, y in white]
    assert len(white) > 1_000, "there are letters"
    assert abs(min(columns) + max(columns) - width) < 10
    assert height * 0.4 < min(rows) < height / 2 < max(rows) < height * 0.6


def test_a_poster_by_hand(poster: Program) -> None:
    ran = poster.by_hand("--prompt", "Fresh figs", "--colours", '["indigo", "orange"]', "--out", "posters")
    assert ran.returncode == 0, ran.stderr
    look_at(poster.file.parent / ran.stdout.strip(), INDIGO, ORANGE)
    assert "python poster.py --prompt" in poster.by_hand("--help").stdout


def test_a_poster_of_one_process(poster: Program) -> None:
    exit_code, stderr, attempt = poster.run_once(INPUT)
    assert exit_code == 0, stderr
    assert attempt.events() == [{"progress": 50}]
    look_at(attempt.out / "image-1.png", INDIGO, ORANGE)


def test_posters_of_a_warm_process(poster: Program) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (0, 128, 128)).save(picture, "PNG")
    with poster.warm() as warm:
        first = warm.run(INPUT)
        assert first.events() == [{"progress": 50}, {"done": True}]
        look_at(first.out / "image-1.png", INDIGO, ORANGE)
        second = warm.run({"prompt": "Teal", "image_url": "…"}, {"image_url.png": picture.getvalue()})
        look_at(second.out / "image-1.png", (0, 128, 128), (0, 128, 128))
        third = warm.run({"prompt": "words " * 40})
        assert third.events()[0]["code"] == "prompt_too_long"
        seed = warm.run({"prompt": "Figs"}).events()[1]["output"]["seed"]
        again = [warm.run({"prompt": "Figs", "seed": seed}) for _ in range(2)]
        assert len({(attempt.out / "image-1.png").read_bytes() for attempt in again}) == 1


@pytest.mark.skipif(find_spec("diffusers") is not None, reason="it would load the weights")
def test_without_diffusers_its_example_says_what_to_install(tmp_path: Path) -> None:
    ran = Program(Path(shutil.copy(EXAMPLES / "flux.py", tmp_path))).by_hand("--prompt", "a fox")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "pip install torch diffusers" in ran.stderr
    assert "Traceback" not in ran.stderr
