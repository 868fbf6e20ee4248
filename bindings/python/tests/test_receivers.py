"""The receivers for frameworks, each in its real framework on a real server."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from clipia_queue import AsyncClipia, AsyncDelivery, Clipia, Delivery
from conftest import Server
from grading import assert_right
from peer import ID, KEY, Peer, example, running
from receivers import PATH, RECEIVERS, asgi_alone, starlette_route
from signing import SECRET, sign, standard

Receiver = Callable[..., AbstractContextManager[str]]

BODY = json.dumps({**example("WebhookDelivery.ok"), "request_id": ID}).encode()
IMAGE = {"prompt": "a fox", "resolution": "0.5K"}

each_receiver = pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda receiver: receiver.__name__)


@pytest.fixture
def clipia() -> Clipia:
    return Clipia(KEY, base_url="http://127.0.0.1:9")  # nothing is sent


def send(
    url: str,
    body: bytes = BODY,
    *,
    method: str = "POST",
    secret: str = SECRET,
    age: float = 0,
    signed: dict[str, str] | None = None,
) -> http.client.HTTPResponse:
    """Sends a delivery and returns the response. `signed` replaces `X-Clipia-Signature`."""
    signed = signed or {"X-Clipia-Signature": sign(body, time.time() - age, secret)}
    headers = {"Content-Type": "application/json", **signed}
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    # A server may respond without reading to the end.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, PATH, body, headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


@each_receiver
def test_a_genuine_delivery_reaches_the_handler(receiver: Receiver, clipia: Clipia) -> None:
    got: list[Delivery] = []
    with receiver(clipia.webhooks(SECRET), got.append) as url:
        assert [send(url).status for _ in range(2)] == [204, 204]
    assert [(delivery.request_id, delivery.is_duplicate) for delivery in got] == [(ID, False), (ID, True)]
    assert {type(delivery) for delivery in got} == {Delivery}


@each_receiver
def test_a_receiver_is_right(receiver: Receiver, clipia: Clipia) -> None:
    with receiver(clipia.webhooks(SECRET), None) as url:
        assert_right(url, SECRET)


@each_receiver
def test_a_delivery_signed_only_by_standard_webhooks_ends_its_wait(receiver: Receiver, peer: Peer) -> None:
    peer.respond = running
    with Clipia(KEY, base_url=peer.url) as clipia, receiver(clipia.webhooks(SECRET), None) as url:
        job = clipia.submit("nano-banana-2", IMAGE, webhook_url="https://example.com/clipia")
        assert send(url, signed=standard(BODY, time.time(), "whsec_QUJDREVGR0hJSktM")).status == 400
        assert send(url, signed=standard(BODY, time.time())).status == 204
        assert job.wait(timeout=60).status == "COMPLETED"


@each_receiver
def test_a_handler_may_be_a_coroutine_function(receiver: Receiver) -> None:
    got: list[AsyncDelivery] = []

    async def on_delivery(delivery: AsyncDelivery) -> None:
        await asyncio.sleep(0)
        got.append(delivery)

    clipia = AsyncClipia(KEY, base_url="http://127.0.0.1:9")
    with receiver(clipia.webhooks(SECRET), on_delivery) as url:
        assert send(url).status == 204
    assert [(delivery.request_id, type(delivery)) for delivery in got] == [(ID, AsyncDelivery)]


@each_receiver
def test_a_handler_is_optional(receiver: Receiver, clipia: Clipia) -> None:
    with receiver(clipia.webhooks(SECRET), None) as url:
        assert send(url).status == 204


@each_receiver
def test_a_forged_delivery_is_refused(
    receiver: Receiver, clipia: Clipia, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[Delivery] = []
    with receiver(clipia.webhooks(SECRET), got.append) as url:
        assert send(url, secret="whsec_guess").status == 400
        assert send(url, age=1000).status == 400
        assert send(url, b"").status == 400
        logged = [record.getMessage() for record in caplog.records if record.name == "clipia_queue.webhooks"]
        response = send(url, method="GET")
        assert (response.status, "POST" in (response.getheader("allow") or "")) == (405, True)
        assert send(url, b" " * (1024 * 1024) + BODY).status == 413
    assert not got
    assert [record.split(":")[0] for record in logged] == ["webhook refused"] * 3, "the log has the reasons"
    assert not any(SECRET in record for record in logged)


@each_receiver
def test_a_handler_that_fails_gets_the_delivery_again(receiver: Receiver, clipia: Clipia) -> None:
    got: list[bool] = []

    def on_delivery(delivery: Delivery) -> None:
        got.append(delivery.is_duplicate)
        if len(got) == 1:
            raise RuntimeError("the database is away")

    with receiver(clipia.webhooks(SECRET), on_delivery) as url:
        assert [send(url).status for _ in range(2)] == [500, 204]
    assert got == [False, True]


def test_a_plain_handler_does_not_block_the_event_loop(clipia: Clipia) -> None:
    begun, released = threading.Event(), threading.Event()

    def on_delivery(_: Delivery) -> None:
        begun.set()
        assert released.wait(30)

    with asgi_alone(clipia.webhooks(SECRET), on_delivery) as url, ThreadPoolExecutor() as threads:
        response = threads.submit(send, url)
        assert begun.wait(30)
        assert send(url, method="GET").status == 405, "answered meanwhile"
        released.set()
        assert response.result().status == 204


async def test_an_asgi_application_is_for_http_alone(clipia: Clipia) -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(RuntimeError, match="websocket"):
        await clipia.webhooks(SECRET).asgi()({"type": "websocket"}, never, never)


@each_receiver
def test_a_wait_ends_with_the_delivery_of_the_real_server(receiver: Receiver, server: Server) -> None:
    with Clipia(server.live_key, base_url=server.url) as clipia:
        with receiver(clipia.webhooks(server.webhook_secret), None) as url:
            before = server.calls()
            jobs = [clipia.submit("nano-banana-2", IMAGE, webhook_url=url + PATH) for _ in range(3)]
            results = [job.wait(timeout=60) for job in jobs]
            assert {result.status for result in results} == {"COMPLETED"}
            assert server.calls() - before == len(jobs), "one request for each generation: its submit"
        assert results[0].output == clipia.result(jobs[0].request_id).output


@each_receiver
async def test_an_async_wait_ends_with_the_delivery_of_the_real_server(
    receiver: Receiver, server: Server
) -> None:
    async with AsyncClipia(server.live_key, base_url=server.url) as clipia:
        with receiver(clipia.webhooks(server.webhook_secret), None) as url:
            before = server.calls()
            submit = [clipia.submit("nano-banana-2", IMAGE, webhook_url=url + PATH) for _ in range(3)]
            jobs = await asyncio.gather(*submit)
            results = await asyncio.gather(*(job.wait(timeout=60) for job in jobs))
            assert {result.status for result in results} == {"COMPLETED"}
            assert server.calls() - before == len(jobs), "one request for each generation: its submit"


def test_the_server_delivers_again_after_a_handler_that_failed(server: Server) -> None:
    got: list[Delivery] = []
    again = threading.Event()

    def on_delivery(delivery: Delivery) -> None:
        got.append(delivery)
        if len(got) == 1:
            raise RuntimeError("the database is away")
        again.set()

    clipia = Clipia(server.test_key, base_url=server.url)
    with starlette_route(clipia.webhooks(server.webhook_secret), on_delivery) as url:
        job = clipia.submit("nano-banana-2", IMAGE, webhook_url=url + PATH)
        assert again.wait(60)
    assert [delivery.request_id for delivery in got] == [job.request_id] * 2
    assert got[0].delivery_id == got[1].delivery_id
