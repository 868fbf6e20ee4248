"""A service that makes pictures. Each request waits for its picture, and the webhook ends the wait.

`CLIPIA_WEBHOOK_SECRET` is the account's secret, `PUBLIC_URL` the URL at which Clipia reaches this server. A
`clipia serve --dev` on the same machine reaches it without that.

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
    """Called with each delivery. If it raises, the delivery is sent again."""
    log.info("%s ended %s", delivery.request_id, delivery.data["status"])


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
