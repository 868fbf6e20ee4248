"""A hundred pictures at once on one key: they share the request budget of one client, and none is lost.

CLIPIA_KEY=clipia_live_… python fleet.py 100
"""

import asyncio
import sys

from clipia_queue import COMPLETED, AsyncClipia


async def main(count: int) -> None:
    async with AsyncClipia() as clipia:
        inputs = [{"prompt": "a red fox in snow", "resolution": "0.5K", "seed": n} for n in range(count)]
        jobs = await asyncio.gather(*(clipia.submit("nano-banana-2", input) for input in inputs))
        completed = 0
        async for result in clipia.as_completed(jobs):
            if result.status == COMPLETED:
                completed += 1
                await result.download("out")
            else:
                print(result.request_id, result.status, result.error)
        print(f"{completed} of {count} completed")


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
