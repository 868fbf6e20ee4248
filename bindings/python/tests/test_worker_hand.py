"""Programs that a person runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import clipia_queue.worker
from programs import Program, environment, program

unix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

INPUT = "def make(job: Job) -> object: return {'input': job.input}"


def made(ran: subprocess.CompletedProcess[str]) -> Any:
    """The fields of the output, which are the last line."""
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("arguments", "input"),
    [
        ([], {}),
        (["--prompt", "a red fox 🦊"], {"prompt": "a red fox 🦊"}),
        (["--prompt=--a--=b"], {"prompt": "--a--=b"}),
        (["--prompt", ""], {"prompt": ""}),
        (["--seed", "7", "--scale", "-1.5", "--tiled", "false"], {"seed": 7, "scale": -1.5, "tiled": False}),
        (["--tiled", "--hd"], {"tiled": True, "hd": True}),
        (
            ["--version", "007", "--ratio", "16:9", "--limit", "NaN"],
            {"version": "007", "ratio": "16:9", "limit": "NaN"},
        ),
        (["--prompt", '"7"'], {"prompt": "7"}),
        (["--image-url", "fox.png"], {"image_url": "fox.png"}),
        (["--images", "a", "--images", "2", "--images", "[3]"], {"images": ["a", 2, [3]]}),
        (["--loras", '[{"path": "a", "scale": 1}]'], {"loras": [{"path": "a", "scale": 1}]}),
        (["--prompt", "a", "--out", "there"], {"prompt": "a"}),
    ],
)
def test_the_command_line_is_the_input(
    tmp_path: Path, arguments: list[str], input: dict[str, object]
) -> None:
    assert made(program(tmp_path, INPUT).by_hand(*arguments)) == {"input": input}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["a fox"], "`a fox` has no name before it, such as `--prompt`"),
        (["-p", "a fox"], "`-p` has no name before it, such as `--prompt`"),
        (["--out"], "`--out` needs a directory"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(tmp_path: Path, arguments: list[str], error: str) -> None:
    ran = program(tmp_path, INPUT).by_hand(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"error: {error}\nhint: see `python program.py --help`\n"


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    ran = program(tmp_path, INPUT).by_hand("--out", "program.py")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: no file can be made in `program.py`: ")


def test_help_has_the_words_of_the_program(tmp_path: Path) -> None:
    source = '"""Draws foxes."""\n' + program(tmp_path, INPUT).file.read_text()
    ran = Program.of(tmp_path, source).by_hand("--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("usage: python program.py --prompt")
    assert "\nDraws foxes.\n" in ran.stdout
    assert not (tmp_path / "out").exists()


PICTURES = """
from PIL import Image

def make(job: Job) -> object:
    job.progress(40)
    job.log("two of them")
    return [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
"""


def test_files_are_printed_and_none_is_replaced(tmp_path: Path) -> None:
    by_hand = program(tmp_path, PICTURES).by_hand
    first, second = by_hand(), by_hand()
    slash = os.sep
    assert first.stdout.split() == [f"out{slash}image-1.png", f"out{slash}image-2.png"]
    assert second.stdout.split() == [f"out{slash}image-3.png", f"out{slash}image-4.png"]
    assert first.stderr == " 40 %\ntwo of them\n"
    colours = [Image.open(tmp_path / "out" / f"image-{n}.png").getpixel((0, 0)) for n in (1, 2, 3, 4)]
    assert colours == [(255, 0, 0), (0, 0, 255)] * 2
    assert len(list((tmp_path / "out").iterdir())) == 4, "and no temporary directory"
    assert by_hand("--out", "there/now").stdout.split()[0] == f"there{slash}now{slash}image-1.png"


def test_a_file_of_the_input_is_a_path(tmp_path: Path) -> None:
    make = "def make(job): return {'texts': [path.read_text() for path in job.paths('image_url')]}"
    by_hand = program(tmp_path, make).by_hand
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    assert made(by_hand("--image_url", "a.txt")) == {"texts": ["a.txt"]}
    both = by_hand("--image_url", "a.txt", "--image_url", str(tmp_path / "b.txt"))
    assert made(both) == {"texts": ["a.txt", "b.txt"]}
    assert made(by_hand()) == {"texts": []}
    missing = by_hand("--image_url", "https://example.com/a.txt")
    assert missing.returncode == 1
    assert "there is no file https://example.com/a.txt" in missing.stderr


@pytest.mark.parametrize(
    ("body", "exit_code", "sentence"),
    [
        ("job.fail('too dark')", 1, "clipia: failed: too dark"),
        ("job.retry('no memory')", 75, "clipia: retry: no memory"),
        ("raise ValueError('`steps` is 0')", 1, "clipia: failed: `steps` is 0"),
        (
            "return None",
            1,
            "clipia: failed: the program made nothing: neither a file nor a field of the output",
        ),
        ("job.seed", 1, "clipia: failed: the program made nothing: neither a file nor a field of the output"),
    ],
)
def test_the_exit_code_tells_that_nothing_was_made(
    tmp_path: Path, body: str, exit_code: int, sentence: str
) -> None:
    ran = program(tmp_path, f"def make(job: Job) -> object: {body}").by_hand()
    assert (ran.returncode, ran.stdout, ran.stderr.splitlines()[-1]) == (exit_code, "", sentence)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_drawn_seed_is_told_and_makes_the_same_again(tmp_path: Path) -> None:
    make = "import random\ndef make(job: Job) -> object: return {'drawn': random.Random(job.seed).random()}"
    by_hand = program(tmp_path, make).by_hand
    first = made(by_hand())
    assert made(by_hand("--seed", str(first["seed"]))) == {"drawn": first["drawn"]}
    assert made(by_hand())["seed"] != first["seed"]


@unix
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    make = """
import time

def make(job: Job) -> object:
    (job.out / "half.png").write_bytes(b"half")
    print("started", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, str(program(tmp_path, make).file)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, b"")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_example_of_the_module_runs(tmp_path: Path) -> None:
    words = clipia_queue.worker.__doc__
    assert words is not None
    example = words[words.index("    from PIL") : words.index("The server runs")]
    ran = Program.of(tmp_path, textwrap.dedent(example)).by_hand("--colour", "teal", "--out", "pictures")
    assert ran.stdout.split() == [str(Path("pictures/image-1.png"))], ran.stderr
    with Image.open(tmp_path / "pictures" / "image-1.png") as picture:
        assert (picture.size, picture.getpixel((9, 9))) == ((512, 512), (0, 128, 128))
