"""Does one kind of work in slices of time: `python slices.py PACKAGE KIND URL`.

PACKAGE is `clipia` or `clipia_queue`; the code is the same for both. KIND is `sync`, `async:N` with N rounds
in flight, or `verify`. For each number of seconds on stdin, it works for that time and prints its figures. At
the end it prints its peak memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

KEY = "clipia_live_0123456789abcdef"
MODEL = "nano-banana-2"
INPUT = {"prompt": "a red fox in snow", "aspect_ratio": "16:9", "seed": 7}
SECRET = "whsec_0123456789abcdef"

# Long enough for a slow machine with a thousand rounds in flight.
TIMEOUT = 600.0


def read(job: Any, status: Any, result: Any) -> None:
    """Reads the responses completely, as a program that stores them."""
    assert job.data["request_id"] == job.request_id
    assert status.data["status"] == status.status == "COMPLETED"
    assert result.data["output"]["images"][0]["url"]
    assert result.is_terminal


def sync(clipia: Any, url: str) -> Callable[[float], int]:
    client = clipia.Clipia(KEY, base_url=url, timeout=TIMEOUT)

    def work(seconds: float) -> int:
        rounds, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            job = client.submit(MODEL, INPUT)
            read(job, client.status(job.request_id), client.result(job.request_id))
            rounds += 1
        return rounds

    return work


def concurrent(clipia: Any, url: str, in_flight: int) -> Callable[[float], int]:
    client = clipia.AsyncClipia(KEY, base_url=url, timeout=TIMEOUT)
    runner = asyncio.new_event_loop()

    async def repeat(end: float) -> int:
        rounds = 0
        while time.monotonic() < end:
            job = await client.submit(MODEL, INPUT)
            read(job, await client.status(job.request_id), await client.result(job.request_id))
            rounds += 1
        return rounds

    async def repeat_all(seconds: float) -> int:
        end = time.monotonic() + seconds
        return sum(await asyncio.gather(*(repeat(end) for _ in range(in_flight))))

    return lambda seconds: runner.run_until_complete(repeat_all(seconds))


def verify(clipia: Any) -> Callable[[float], int]:
    body = json.dumps(
        {
            "request_id": "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de",
            "status": "OK",
            "payload": {
                "model": MODEL,
                "output": {
                    "images": [{"url": f"https://media.example/{number}.webp"} for number in range(4)]
                },
                "cost": 12,
            },
        }
    ).encode()
    now = int(time.time())
    signature = hmac.new(SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    # The headers of a request.
    headers = {
        "host": "example.com",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "user-agent": "clipia",
        "x-clipia-webhook-id": "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de",
        "x-clipia-timestamp": str(now),
        "x-clipia-signature": f"t={now},v1={signature}",
    }
    altered = headers | {"x-clipia-signature": f"t={now},v1={signature[::-1]}"}

    def work(seconds: float) -> int:
        done, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            assert clipia.verify_signature(SECRET, headers, body, now=now)
            done += 1
        assert not clipia.verify_signature(SECRET, altered, body, now=now)
        return done

    return work


def peak() -> int:
    """The memory peak of this process, in bytes. That of `getrusage` may be the parent's."""
    with open("/proc/self/status") as status:
        (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main(package: str, kind: str, url: str) -> None:
    clipia = importlib.import_module(package)
    if kind == "sync":
        work = sync(clipia, url)
    elif kind == "verify":
        work = verify(clipia)
    else:
        work = concurrent(clipia, url, int(kind.removeprefix("async:")))
    for line in sys.stdin:
        begun, cpu = time.monotonic(), time.process_time()
        done = work(float(line))
        seconds, cpu_seconds = time.monotonic() - begun, time.process_time() - cpu
        print(json.dumps({"done": done, "seconds": seconds, "cpu_seconds": cpu_seconds}), flush=True)
    print(json.dumps({"peak": peak()}), flush=True)


main(*sys.argv[1:])
