"""Warm programs: one process, and one job after the other."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from programs import Program, program

unix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

PID = """
import os

def make(job: Job) -> object:
    return {"pid": os.getpid(), "id": job.id, "model": job.model, "words": job.input["words"]}
"""


def test_jobs_come_one_after_the_other_to_one_process(tmp_path: Path) -> None:
    with program(tmp_path, PID).warm() as warm:
        for number, words in enumerate(["a fox", "ein Fuß 🦊\n\u2028", ""], 1):
            output = {"pid": warm.process.pid, "id": f"job-{number}", "model": "fox-1", "words": words}
            assert warm.run({"words": words}).events() == [{"output": output}, {"done": True}]
        assert warm.process_events() == [{"ready": True, "protocol": 1}]
        assert warm.close_stdin() == 0
    assert (warm.stdout, warm.stderr) == ("", "")


def test_a_large_input_arrives_whole(tmp_path: Path) -> None:
    make = """
def make(job: Job) -> object:
    url = job.input["image_url"]
    return {"length": len(url), "end": url[-3:]}
"""
    with program(tmp_path, make).warm() as warm:
        attempt = warm.run({"image_url": "é" * 5_000_000 + "end"})
        assert attempt.events()[0] == {"output": {"length": 5_000_003, "end": "end"}}


def test_a_program_is_ready_after_its_setup(tmp_path: Path) -> None:
    setup = """
import pathlib, time
while not pathlib.Path("weights").exists():
    time.sleep(0.005)
"""
    with program(tmp_path, "def make(job: Job) -> object: return {'n': 1}", setup).start() as warm:
        attempt = warm.start({})
        assert (warm.process_events(), attempt.events()) == ([], [])
        (tmp_path / "warm" / "weights").touch()
        warm.until_done(attempt)
        assert warm.process_events() == [{"ready": True, "protocol": 1}]


def test_a_setup_that_fails_ends_the_program_with_its_sentence(tmp_path: Path) -> None:
    with program(tmp_path, PID, 'raise RuntimeError("there is no GPU")').start() as warm:
        assert warm.process.wait(60) == 1
        assert warm.process_events() == []
        assert warm.stderr.splitlines()[-1] == "RuntimeError: there is no GPU"


def test_progress_never_goes_back_and_is_whole_percents(tmp_path: Path) -> None:
    make = """
def make(job: Job) -> object:
    for percent in (0, 10, 10.9, 5, 40.7, 250):
        job.progress(percent)
    return {"made": True}
"""
    with program(tmp_path, make).warm() as warm:
        percents = [event["progress"] for event in warm.run({}).events() if "progress" in event]
        assert percents == [10, 40, 100]


def test_a_million_reports_are_a_hundred_events(tmp_path: Path) -> None:
    make = """
def make(job: Job) -> object:
    for n in range(1_000_000):
        job.progress(n / 10_000)
    return {"made": True}
"""
    with program(tmp_path, make).warm() as warm:
        assert len(warm.run({}).events()) == 99 + 2


@pytest.mark.parametrize(
    ("steps", "calls", "percents"),
    [
        ("", 1, [25, 50, 75, 100]),  # the pipeline tells the number of its steps
        ("8", 2, [12, 25, 37, 50, 62, 75, 87, 100]),
    ],
)
def test_the_steps_of_a_pipeline_are_progress(
    tmp_path: Path, steps: str, calls: int, percents: list[int]
) -> None:
    make = f"""
class Pipe:  # calls back as a pipeline of diffusers does
    num_timesteps = 4

    def __call__(self, callback_on_step_end):
        for step in range(self.num_timesteps):
            kwargs = {{"latents": step}}
            assert callback_on_step_end(self, step, 1000 - step, kwargs) is kwargs

def make(job: Job) -> object:
    callback = job.step({steps})
    for _ in range({calls}):
        Pipe()(callback_on_step_end=callback)
    return {{"made": True}}
"""
    with program(tmp_path, make).warm() as warm:
        events = warm.run({}).events()
        assert [event["progress"] for event in events if "progress" in event] == percents


def test_the_steps_of_a_loop_are_progress(tmp_path: Path) -> None:
    make = """
def make(job: Job) -> object:
    step = job.step(job.input.get("steps"))
    for _ in range(4):
        step()
    return {"made": True}
"""
    with program(tmp_path, make).warm() as warm:
        events = warm.run({"steps": 4}).events()
        assert [event["progress"] for event in events if "progress" in event] == [25, 50, 75, 100]
        unknown = warm.run({}).told()[0]
        assert unknown["fail"] == "no pipeline tells how many steps there are: write it as `job.step(28)`"


WAITS = """
import time

def make(job: Job) -> object:
    (job.out / "half.png").write_bytes(b"half")
    if job.input.get("quick"):
        return None
    job.log("started")
    while True:
        try:
            job.progress(1)
        except Exception:  # a library that tries again
            pass
        time.sleep(0.005)
"""


def test_a_cancel_ends_the_running_job_and_not_the_program(tmp_path: Path) -> None:
    with program(tmp_path, WAITS).warm() as warm:
        attempt = warm.start({})
        warm.until(lambda: {"log": "started"} in attempt.events())
        warm.send({"cancel": "another"})
        warm.send({"cancel": attempt.id})
        warm.until_done(attempt)
        assert attempt.events() == [{"log": "started"}, {"progress": 1}, {"done": True}]
        assert attempt.made() == [], "what was half made is dropped"
        warm.send({"cancel": attempt.id})  # which crossed the end of the job
        assert warm.run({"quick": True}).made() == ["half.png"]


def test_a_job_that_is_canceled_before_it_begins_never_runs(tmp_path: Path) -> None:
    with program(tmp_path, WAITS).warm() as warm:
        first, second = warm.start({}), warm.start({})
        warm.until(lambda: {"log": "started"} in first.events())
        warm.send({"cancel": second.id})
        warm.send({"cancel": first.id})
        warm.until_done(second)
        assert second.events() == [{"done": True}]


def test_a_cancel_reaches_the_next_attempt_of_the_same_request(tmp_path: Path) -> None:
    make = """
import pathlib, time

def make(job: Job) -> object:
    job.log("started")
    while job.input["until"] is None or not pathlib.Path(job.input["until"]).exists():
        job.progress(1)
        time.sleep(0.005)
    job.retry("again")
"""
    with program(tmp_path, make).warm() as warm:
        first, second = warm.start({"until": "go"}, id="same"), warm.start({"until": None}, id="same")
        warm.until(lambda: first.events() != [])
        (tmp_path / "warm" / "go").touch()
        warm.until(lambda: second.events() != [])
        warm.send({"cancel": "same"})
        warm.until_done(second)
        assert first.events()[-2:] == [{"retry": "again"}, {"done": True}]
        assert second.events() == [{"log": "started"}, {"progress": 1}, {"done": True}]


def test_a_job_may_ask_whether_it_is_canceled(tmp_path: Path) -> None:
    make = """
import time

def make(job: Job) -> object:
    job.log("started")
    while not job.canceled:
        time.sleep(0.005)
    job.log("canceled")
    return {"late": True}
"""
    with program(tmp_path, make).warm() as warm:
        attempt = warm.start({})
        warm.until(lambda: {"log": "started"} in attempt.events())
        warm.send({"cancel": attempt.id})
        warm.until_done(attempt)
        assert attempt.events() == [{"log": "started"}, {"log": "canceled"}, {"done": True}]


def test_a_generator_is_canceled_between_its_outputs(tmp_path: Path) -> None:
    make = """
import itertools, time

def make(job: Job) -> object:
    try:
        for n in itertools.count():
            yield {f"n{n}": n}
            time.sleep(0.005)
            if n == 3:
                job.log("three")
    finally:
        job.log("closed")
"""
    with program(tmp_path, make).warm() as warm:
        attempt = warm.start({})
        warm.until(lambda: {"log": "three"} in attempt.events())
        warm.send({"cancel": attempt.id})
        warm.until_done(attempt)
        assert attempt.events() == [{"log": "three"}, {"log": "closed"}, {"done": True}]


ENDS = """
import asyncio, sys

class OutOfMemoryError(RuntimeError):
    __module__ = "torch"

class AcceleratorError(RuntimeError):
    __module__ = "torch"

def swallow(job: Job) -> None:
    try:
        job.fail("too dark")
    except BaseException:
        pass

def make(job: Job) -> object:
    (job.out / "half.png").write_bytes(b"half")
    exec(job.input["code"])
    return None
"""


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("job.fail('too dark', code='content_policy')", {"fail": "too dark", "code": "content_policy"}),
        ("job.fail('two\\nlines \\ud800')", {"fail": "two lines ?"}),
        ("swallow(job)", {"fail": "too dark"}),
        ("job.fail('x', 'a b')", {"fail": "a code has 1 to 64 letters, digits, `_`, `-` and `.`; got 'a b'"}),
        ("job.retry('the licence server is away')", {"retry": "the licence server is away"}),
        ("raise ValueError('`steps` must be at most 50')", {"fail": "`steps` must be at most 50"}),
        ("raise ValueError", {"fail": "ValueError"}),
        ("{}['width']", {"fail": "KeyError: 'width'"}),
        ("job.input['width']", {"fail": "the input has no `width`"}),
        ("job.path('image_url')", {"fail": "the input has no file `image_url`"}),
        ("sys.exit('no')", {"fail": "the program exited: no"}),
        ("raise ValueError('x' * 5000)", {"fail": "x" * 999 + "…"}),
        ("raise asyncio.CancelledError", {"fail": "CancelledError"}),
        ("raise RuntimeError('CUDA error: out of memory')", {"retry": "CUDA error: out of memory"}),
        ("raise MemoryError('Unable to allocate 9 GiB')", {"retry": "Unable to allocate 9 GiB"}),
        ("raise OutOfMemoryError('CUDA out of memory.')", {"retry": "CUDA out of memory."}),
        ("raise ValueError('it failed') from OutOfMemoryError('CUDA')", {"retry": "it failed"}),
    ],
)
def test_a_job_that_makes_nothing_ends_with_a_sentence(
    tmp_path: Path, code: str, event: dict[str, str]
) -> None:
    with program(tmp_path, ENDS).warm() as warm:
        attempt = warm.run({"code": code})
        assert attempt.told() == [event, {"done": True}]
        assert attempt.made() == [], "what was half made is dropped"
        raised = code.startswith(("raise", "{}", "job.input", "job.path")) or "a b" in code
        assert ("Traceback (most recent call last):" in attempt.logs()) == raised
        how = "failed" if "fail" in event else "retry"
        assert warm.stderr.splitlines()[-1].startswith(f"clipia: {how}: ")
        assert warm.run({"code": "pass"}).made() == ["half.png"], "the program goes on"


@pytest.mark.parametrize(
    "code",
    ["raise AcceleratorError('an illegal access')", "raise RuntimeError('CUDA error: an illegal access')"],
)
def test_a_program_whose_device_is_lost_ends_after_the_attempt(tmp_path: Path, code: str) -> None:
    with program(tmp_path, ENDS).warm() as warm:
        attempt = warm.start({"code": code})
        assert warm.process.wait(60) == 75
        assert attempt.told() == [], "the end of the process tells it, and no other job comes before"
        assert warm.stderr.splitlines()[-1].endswith("an illegal access")


def test_what_is_printed_is_never_an_event(tmp_path: Path) -> None:
    make = """
import sys

def make(job: Job) -> object:
    for n in range(200_000):
        print('{"fail": "too dark"}', "🦊 \\ud800", "x" * 80)
    print("to stderr", file=sys.stderr)
    return {"made": True}
"""
    with program(tmp_path, make).warm(PYTHONIOENCODING="ascii") as warm:
        assert warm.run({}).events() == [{"output": {"made": True}}, {"done": True}]
        assert len(warm.stdout.splitlines()) == 200_000, "a line is written before the job is done"
        assert warm.stderr == "to stderr\n"


def test_a_log_is_lines_and_is_bounded(tmp_path: Path) -> None:
    make = """
def make(job: Job) -> object:
    if job.input.get("flood"):
        for n in range(30_000):
            job.log("é" * 2_000)
    job.log("first\\nsecond")
    job.log(ValueError("third"))
    return {"made": True}
"""
    with program(tmp_path, make).warm() as warm:
        events = warm.run({}).events()
        assert events[:3] == [{"log": "first"}, {"log": "second"}, {"log": "third"}]
        flood = warm.run({"flood": True})
        assert 7 << 20 < flood.events_file.stat().st_size <= 8 << 20
        assert flood.events()[-2:] == [{"output": {"made": True}}, {"done": True}]
        assert {len(event["log"]) for event in flood.events() if "log" in event} == {1024}
        assert warm.stderr.count("8 MiB") == 1


def test_a_child_process_cannot_take_the_next_job(tmp_path: Path) -> None:
    make = """
import subprocess, sys

def make(job: Job) -> object:
    job.log("started")
    while not job.input["last"]:
        child = subprocess.run([sys.executable, "-c", "print(len(input()))"], stderr=subprocess.DEVNULL)
        return {"child": child.returncode}
    return {"last": True}
"""
    with program(tmp_path, make).warm() as warm:
        first, second = warm.start({"last": False}), warm.start({"last": True})
        warm.until_done(second)
        assert first.events()[1] == {"output": {"child": 1}}
        assert second.events()[1] == {"output": {"last": True}}


def test_what_a_thread_reports_late_is_dropped(tmp_path: Path) -> None:
    make = """
import threading

late = threading.Event()
threads = []

def report(job: Job) -> None:
    late.wait()
    job.progress(99)
    job.log("late")

def make(job: Job) -> object:
    if not threads:
        threads.append(threading.Thread(target=report, args=(job,)))
        threads[0].start()
    else:
        late.set()
        threads[0].join()
    return {"made": True}
"""
    with program(tmp_path, make).warm() as warm:
        first, second = warm.run({}), warm.run({})
        assert first.events() == second.events() == [{"output": {"made": True}}, {"done": True}]


def test_the_processes_of_multiprocessing_do_not_serve(tmp_path: Path) -> None:
    make = """
import multiprocessing

def make(job: Job) -> object:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return {"distances": pool.map(abs, [-3, 4])}
"""
    with program(tmp_path, make).warm() as warm:
        assert warm.run({}).events()[0] == {"output": {"distances": [3, 4]}}
        assert len(warm.process_events()) == 1


def test_the_running_job_is_finished_when_stdin_is_closed(tmp_path: Path) -> None:
    make = """
import pathlib, time

def make(job: Job) -> object:
    job.log("started")
    while not pathlib.Path("go").exists():
        time.sleep(0.005)
    return {"made": True}
"""
    with program(tmp_path, make).warm() as warm:
        attempt = warm.start({})
        warm.until(lambda: attempt.events() != [])
        assert warm.process.stdin is not None
        warm.process.stdin.close()
        (tmp_path / "warm" / "go").touch()
        assert warm.process.wait(60) == 0
        assert attempt.events()[-1] == {"done": True}


@pytest.mark.parametrize("message", ["not json", {"job": "1", "input": {}}, ["job"]])
def test_a_message_that_cannot_be_used_ends_the_program(tmp_path: Path, message: object) -> None:
    with program(tmp_path, PID).warm() as warm:
        warm.send({"hello": "of a later protocol"})  # is ignored
        warm.run({"words": "a fox"})
        assert warm.process.stdin is not None
        warm.process.stdin.write(
            (message if isinstance(message, str) else json.dumps(message)).encode() + b"\n"
        )
        warm.process.stdin.flush()
        assert warm.process.wait(60) == 1
        assert "a message on stdin cannot be used" in warm.stderr


@unix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_drops_what_was_half_made(tmp_path: Path, name: str) -> None:
    with program(tmp_path, WAITS).warm() as warm:
        attempt = warm.start({})
        warm.until(lambda: {"log": "started"} in attempt.events())
        warm.process.send_signal(signal.Signals[name])
        assert warm.process.wait(60) == 75, "another attempt may succeed"
        assert attempt.made() == []
        assert {"done": True} not in attempt.events()
    assert "Traceback" not in warm.stderr


@unix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_between_jobs_ends_the_program(tmp_path: Path, name: str) -> None:
    with program(tmp_path, PID).warm() as warm:
        warm.run({"words": "a fox"})
        warm.process.send_signal(signal.Signals[name])
        assert warm.process.wait(60) == 0
    assert warm.stderr == ""


def test_it_needs_nothing_but_its_own_directory(tmp_path: Path) -> None:
    import shutil

    import clipia_queue.worker

    copied = tmp_path / "clipia_queue" / "worker"
    shutil.copytree(Path(clipia_queue.worker.__file__).parent, copied)
    with program(tmp_path, PID).warm("-S", PYTHONPATH="") as warm:  # without site-packages
        assert warm.run({"words": "a fox"}).events()[-1] == {"done": True}


def test_a_function_that_cannot_be_served_is_refused(tmp_path: Path) -> None:
    with Program.of(
        tmp_path, "from clipia_queue.worker import serve\nasync def make(job): ...\nserve(make)\n"
    ).start() as warm:
        assert warm.process.wait(60) == 1
        assert "TypeError: `serve` needs a function of one job that is not async" in warm.stderr
