"""One process for each job."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from programs import environment, program

unix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

MAKE = """
import sys, time

def make(job: Job) -> object:
    job.progress(50)
    (job.out / "half.png").write_bytes(b"half")
    print("a log of", job.id)
    exec(job.input["code"])
    return {"words": job.input["words"]}
"""


@pytest.mark.parametrize(
    ("code", "exit_code", "event"),
    [
        ("", 0, {"output": {"words": "ein Fuß 🦊"}}),
        ("job.fail('too dark', 'content_policy')", 1, {"fail": "too dark", "code": "content_policy"}),
        ("raise RuntimeError('no lens')", 1, {"fail": "no lens"}),
        ("sys.exit(0)", 1, {"fail": "the program exited: 0"}),
        ("job.retry('no memory')", 75, {"retry": "no memory"}),
    ],
)
def test_the_exit_code_and_the_events_tell_how_it_ended(
    tmp_path: Path, code: str, exit_code: int, event: dict[str, object]
) -> None:
    ended, _, attempt = program(tmp_path, MAKE).run_once({"words": "ein Fuß 🦊", "code": code})
    assert (ended, attempt.told()) == (exit_code, [{"progress": 50}, event])
    assert attempt.made() == (["half.png"] if exit_code == 0 else [])
    assert ("Traceback (most recent call last):" in attempt.logs()) == ("raise" in code)


def test_an_events_file_may_be_named_by_the_environment_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    message = {"job": "1", "input": {"words": "", "code": ""}, "in": "in", "out": "out"}
    (tmp_path / "job.json").write_text(json.dumps(message))
    settings = environment(CLIPIA_JOB="job.json", CLIPIA_EVENTS="events.jsonl")
    command = [sys.executable, str(program(tmp_path, MAKE).file)]
    ran = subprocess.run(command, cwd=tmp_path, env=settings, stdin=subprocess.DEVNULL, capture_output=True)
    assert (ran.returncode, ran.stdout.splitlines()) == (0, [b"a log of 1"])
    assert '{"progress": 50}' in (tmp_path / "events.jsonl").read_text()


def test_the_fetched_files_have_the_names_of_the_input(tmp_path: Path) -> None:
    make = """
def make(job: Job) -> object:
    return {
        "image": job.path("image_url").name,
        "content": job.path("image_url").read_text(),
        "images": [path.name for path in job.paths("images")],
        "odd": job.path("a b.c").name,
        "masks": job.paths("mask_url"),
        "url": job.input["image_url"],
    }
"""
    names = [
        "images-2.jpg",
        "images-10.png",
        "images-1.webp",
        "image_url.tar.gz",
        "image_url-x.png",
        "a_b_c.png",
    ]
    files = {name: name.encode() for name in names}
    ended, stderr, attempt = program(tmp_path, make).run_once({"image_url": "https://example.com/fox"}, files)
    assert ended == 0, stderr
    assert attempt.events()[0]["output"] == {
        "image": "image_url.tar.gz",
        "content": "image_url.tar.gz",
        "images": ["images-1.webp", "images-2.jpg", "images-10.png"],
        "masks": [],
        "odd": "a_b_c.png",
        "url": "https://example.com/fox",
    }


def test_one_file_is_not_chosen_among_several(tmp_path: Path) -> None:
    make = "def make(job: Job) -> object: return job.path('images')"
    files = {"images-1.png": b"1", "images-2.png": b"2"}
    ended, _, attempt = program(tmp_path, make).run_once({}, files)
    assert (ended, attempt.told()) == (1, [{"fail": "the input has 2 files `images` in place of one"}])


def test_a_child_process_reads_nothing(tmp_path: Path) -> None:
    make = """
import subprocess, sys

def make(job: Job) -> object:
    read = [sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"]
    return {"read": subprocess.check_output(read, text=True).strip()}
"""
    _, _, attempt = program(tmp_path, make).run_once({})
    assert attempt.events() == [{"output": {"read": "''"}}]


@unix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_gives_the_job_back(tmp_path: Path, name: str) -> None:
    with program(tmp_path, MAKE).once({"words": "", "code": "time.sleep(600)"}) as (process, attempt):
        assert process.stdout is not None
        assert process.stdout.readline() == b"a log of once\n"
        process.send_signal(signal.Signals[name])
        _, stderr = process.communicate(timeout=60)
        assert (process.returncode, attempt.made(), stderr) == (75, [], b"")
