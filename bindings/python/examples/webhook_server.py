"""A service that makes pictures: a request waits for its picture, and the wait ends with the webhook.

`CLIPIA_WEBHOOK_SECRET` is the account's, `PUBLIC_URL` where Clipia reaches this server. One that
`clipia serve --dev` runs on the same machine does so as it is.

    CLIPIA_KEY=clipia_live_… PUBLIC_URL=https://example.com uvicorn webhook_server:app
"""

import logging
import os
from typing import Any

from fastapi import FastAPI, HTTPException
from starlette.routing import Route

from clipia_queue import AsyncClipia, AsyncDelivery, GenerationFailed

log = logging.getLogger("uvicorn.error")
clipia = AsyncClipia()
webhooks = clipia.webhooks(os.environ["CLIPIA_WEBHOOK_SECRET"])


async def delivered(delivery: AsyncDelivery) -> None:
    """For what must be done with each of them. Where it raises, the delivery comes again."""
    log.info("%s ended %s", delivery.request_id, delivery.result.status)


app = FastAPI(routes=[Route("/clipia", webhooks.asgi(delivered))])


@app.post("/pictures")
async def picture(prompt: str) -> dict[str, Any]:
    job = await clipia.submit(
        "nano-banana-2", {"prompt": prompt}, webhook_url=os.environ["PUBLIC_URL"] + "/clipia"
    )
    try:
        result = (await job.wait(timeout=600)).raise_for_status()
    except GenerationFailed as failed:
        raise HTTPException(422, failed.message) from failed
    return result.output or {}
