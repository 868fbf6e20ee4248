"""Receivers of webhook deliveries for web frameworks. A framework is imported when its receiver is used."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Protocol

from clipia_queue._exceptions import WebhookRefused

BODY_MAX = 1024 * 1024
"""Bytes of the longest body that is read. A delivery is a few kilobytes, so a longer body is forged."""

NO_CONTENT = 204
BAD_REQUEST = 400
METHOD_NOT_ALLOWED = 405
TOO_LARGE = 413

log = logging.getLogger("clipia_queue.webhooks")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Webhooks(Protocol):
    """`Webhooks` or `AsyncWebhooks`."""

    def receive(self, headers: Any, body: bytes) -> Any: ...


OnDelivery = Callable[[Any], Any]


def receive_or_log(webhooks: Webhooks, headers: Any, body: bytes) -> Any:
    """The delivery, or `None` for a refused one. The reason is only logged: the sender must not learn it."""
    try:
        return webhooks.receive(headers, body)
    except WebhookRefused as refusal:
        log.warning("webhook refused: %s", refusal)
        return None


def is_async(on_delivery: OnDelivery | None) -> bool:
    call = getattr(on_delivery, "__call__", None)  # noqa: B004 (the method may be a coroutine function)
    return inspect.iscoroutinefunction(on_delivery) or inspect.iscoroutinefunction(call)


class Asgi:
    """An ASGI application for one URL. It is a class, because Starlette would take a function for a view."""

    def __init__(self, webhooks: Webhooks, on_delivery: OnDelivery | None) -> None:
        self._webhooks = webhooks
        self._on_delivery = on_delivery
        self._async = is_async(on_delivery)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"webhooks come by HTTP, not by `{scope['type']}`")
        if scope["method"] != "POST":
            return await respond(send, METHOD_NOT_ALLOWED, [(b"allow", b"POST")])
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > BODY_MAX:
                return await respond(send, TOO_LARGE)
            more = message.get("more_body", False)
        delivery = receive_or_log(self._webhooks, scope["headers"], bytes(body))
        if delivery is None:
            return await respond(send, BAD_REQUEST)
        if self._async:
            await self._on_delivery(delivery)  # type: ignore[misc]
        elif self._on_delivery is not None:
            await asyncio.to_thread(self._on_delivery, delivery)
        return await respond(send, NO_CONTENT)


async def respond(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": b""})


def flask(webhooks: Webhooks, on_delivery: OnDelivery | None) -> Callable[[], tuple[str, int]]:
    """A view for Flask 3.1 or later."""

    def clipia_webhook() -> tuple[str, int]:
        from flask import current_app, request

        # Flask responds with 413 to a longer body.
        request.max_content_length = BODY_MAX
        delivery = receive_or_log(webhooks, request.headers, request.get_data())
        if delivery is None:
            return "", BAD_REQUEST
        if on_delivery is not None:
            current_app.ensure_sync(on_delivery)(delivery)
        return "", NO_CONTENT

    return clipia_webhook


def django(webhooks: Webhooks, on_delivery: OnDelivery | None) -> Callable[[Any], Any]:
    """A view for Django, async if `on_delivery` is."""

    def receive(request: Any) -> tuple[Any, Any]:
        """The delivery, if it is genuine, and the response."""
        from django.core.exceptions import RequestDataTooBig  # type: ignore[import-untyped,unused-ignore]
        from django.http import HttpResponse, HttpResponseNotAllowed  # type: ignore[import-untyped,unused-ignore]

        if request.method != "POST":
            return None, HttpResponseNotAllowed(["POST"])
        # Checked before the body is read. A request without a length has no body.
        length = request.META.get("CONTENT_LENGTH") or "0"
        short = length.isdecimal() and int(length) <= BODY_MAX
        try:
            body = request.body if short else None
        except RequestDataTooBig:  # the project may have a lower bound
            body = None
        if body is None:
            return None, HttpResponse(status=TOO_LARGE)
        delivery = receive_or_log(webhooks, request.headers, body)
        return delivery, HttpResponse(status=BAD_REQUEST if delivery is None else NO_CONTENT)

    def clipia_webhook(request: Any) -> Any:
        delivery, response = receive(request)
        if delivery is not None and on_delivery is not None:
            on_delivery(delivery)
        return response

    async def clipia_webhook_async(request: Any) -> Any:
        delivery, response = receive(request)
        if delivery is not None and on_delivery is not None:
            await on_delivery(delivery)
        return response

    view: Any = clipia_webhook_async if is_async(on_delivery) else clipia_webhook
    view.csrf_exempt = True
    return view  # type: ignore[no-any-return]
