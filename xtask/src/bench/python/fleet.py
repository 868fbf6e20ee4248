"""A fleet of generations on one key: `python fleet.py MEANS URL KEY MODEL GENERATIONS SECONDS PATIENCE`.

MEANS is `asyncio` or `threads`. Each generation takes SECONDS. It counts as lost if its end is not known
after PATIENCE. Prints how many completed, why others did not, and the time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from clipia_queue import AsyncClipia, Clipia


def by_threads(
    url: str, key: str, model: str, generations: int, seconds: float, patience: float
) -> list[str]:
    def generate(clipia: Clipia) -> str:
        try:
            return clipia.submit(model, {"seconds": seconds}).wait(timeout=patience).status
        except Exception as error:
            return repr(error)

    with Clipia(key, base_url=url) as clipia, ThreadPoolExecutor(generations) as threads:
        return list(threads.map(generate, [clipia] * generations))


async def by_asyncio(
    url: str, key: str, model: str, generations: int, seconds: float, patience: float
) -> list[str]:
    async def generate(clipia: AsyncClipia) -> str:
        try:
            job = await clipia.submit(model, {"seconds": seconds})
            return (await job.wait(timeout=patience)).status
        except Exception as error:
            return repr(error)

    async with AsyncClipia(key, base_url=url) as clipia:
        return await asyncio.gather(*(generate(clipia) for _ in range(generations)))


def main(means: str, url: str, key: str, model: str, generations: str, seconds: str, patience: str) -> None:
    fleet = (url, key, model, int(generations), float(seconds), float(patience))
    begun = time.monotonic()
    ended = asyncio.run(by_asyncio(*fleet)) if means == "asyncio" else by_threads(*fleet)
    wall = time.monotonic() - begun
    lost = [end for end in ended if end != "COMPLETED"]
    print(json.dumps({"completed": len(ended) - len(lost), "lost": lost, "seconds": wall}))


main(*sys.argv[1:])
