"""Waits for ten thousand generations that do not end, by one client: `python waiting.py URL`.

Prints the cost.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid

from clipia_queue import AsyncClipia

GENERATIONS = 10_000

# The time of the measurement, and the time before it in which the waits start, in seconds.
WATCHED = 20.0
SETTLED = 5.0


def resident() -> int:
    """Resident memory of this process, in bytes."""
    with open("/proc/self/status") as status:
        (line,) = (line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


async def main(url: str) -> None:
    async with AsyncClipia("clipia_live_0123456789abcdef", base_url=url) as clipia:
        # The idle client has a connection.
        await clipia.result(str(uuid.uuid4()))
        rest = resident()
        waits = [asyncio.create_task(clipia.generation(str(uuid.uuid4())).wait()) for _ in range(GENERATIONS)]
        await asyncio.sleep(SETTLED)
        begun, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(WATCHED)
        cost = {
            "generations": sum(not wait.done() for wait in waits),
            "bytes": resident() - rest,
            "seconds": time.monotonic() - begun,
            "cpu_seconds": time.process_time() - cpu,
        }
        print(json.dumps(cost))
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


asyncio.run(main(*sys.argv[1:]))
