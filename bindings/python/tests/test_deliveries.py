"""`Webhooks.receive`, with genuine and forged deliveries."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import clipia_queue
from clipia_queue import AsyncClipia, Clipia, ClipiaError, ClipiaValueError, WebhookRefused
from peer import ID, KEY, Peer, example, running
from signing import SECRET, sign, standard

OK = {**example("WebhookDelivery.ok"), "request_id": ID}
ERROR = {**example("WebhookDelivery.error"), "request_id": ID}


@pytest.fixture
def clipia(peer: Peer) -> Clipia:
    return Clipia(KEY, base_url=peer.url)


def delivery(document: dict[str, Any], secret: str = SECRET, age: float = 0) -> tuple[dict[str, str], bytes]:
    """Headers and body."""
    body = json.dumps(document).encode()
    return {"X-Clipia-Signature": sign(body, time.time() - age, secret)}, body


def test_a_delivery_is_typed(clipia: Clipia) -> None:
    headers, body = delivery({**OK, "of_tomorrow": 1})
    webhook_id = "0198c2f1-0000-7cc1-b7a5-1f6de1a9c0de"
    received = clipia.webhooks(SECRET).receive({**headers, "x-clipia-webhook-id": webhook_id}, body)
    assert (received.request_id, received.delivery_id) == (ID, webhook_id)
    assert (received.is_duplicate, received.resolved) == (False, 0)
    assert received.result.status == clipia_queue.COMPLETED
    assert received.result.output == OK["payload"]["output"]
    assert received.data == {**OK, "of_tomorrow": 1}
    assert repr(received) == f"Delivery(request_id='{ID}', status='OK', is_duplicate=False, resolved=0)"


def test_a_delivery_signed_only_by_standard_webhooks_is_genuine(clipia: Clipia) -> None:
    body, webhook_id = json.dumps(OK).encode(), "0198c2f1-0000-7cc1-b7a5-1f6de1a9c0de"
    received = clipia.webhooks(SECRET).receive(standard(body, time.time(), id=webhook_id), body)
    assert (received.request_id, received.delivery_id) == (ID, webhook_id)


def test_a_failure_is_a_result(clipia: Clipia) -> None:
    result = clipia.webhooks(SECRET).receive(*delivery(ERROR)).result
    assert (result.status, result.error, result.cost) == (clipia_queue.FAILED, ERROR["error"], 0)


def test_an_unknown_status_is_no_empty_success(clipia: Clipia) -> None:
    received = clipia.webhooks(SECRET).receive(*delivery({"request_id": ID, "status": "LATER"}))
    with pytest.raises(ClipiaError, match="ask for the result") as raised:
        _ = received.result
    assert raised.value.request_id == ID


def test_a_repeat_is_recognised(clipia: Clipia) -> None:
    webhooks = clipia.webhooks(SECRET)
    assert [webhooks.receive(*delivery(OK)).is_duplicate for _ in range(3)] == [False, True, True]


def test_headers_and_bodies_of_all_frameworks_are_accepted(clipia: Clipia) -> None:
    webhooks = clipia.webhooks(SECRET)
    headers, body = delivery(OK)
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    assert webhooks.receive(raw, body).request_id == ID
    assert webhooks.receive(dict(raw), body.decode()).request_id == ID
    assert webhooks.receive(iter([*raw, (b"x-clipia-signature", b"the second")]), body).request_id == ID
    with pytest.raises(TypeError):
        webhooks.receive(headers, json.loads(body))


@pytest.mark.parametrize(
    ("cause", "headers", "body"),
    [
        ("SignatureMalformed", {}, b"{}"),
        ("SignatureMalformed", {"X-Clipia-Signature": "v1=00"}, b"{}"),
        ("SignatureMismatch", *delivery(OK, secret="whsec_guess")),
        ("SignatureMismatch", delivery(OK)[0], json.dumps(OK).encode() + b" "),
        ("SignatureExpired", *delivery(OK, age=301)),
        # Old enough, because the age counts from when the tests are collected.
        ("SignatureExpired", *delivery(OK, age=-86_400)),
        ("DeliveryMalformed", *delivery({"status": "OK"})),
    ],
)
def test_a_refused_delivery_has_a_class_for_each_cause(
    clipia: Clipia, cause: str, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(WebhookRefused) as raised:
        clipia.webhooks(SECRET).receive(headers, body)
    assert type(raised.value) is getattr(clipia_queue, cause)
    assert SECRET not in f"{raised.value!r} {raised.value}"
    assert not clipia.webhooks(SECRET).receive(*delivery(OK)).is_duplicate, "it changed nothing"


def test_both_secrets_are_accepted_during_a_rotation(clipia: Clipia) -> None:
    webhooks = clipia.webhooks("whsec_the_new_one", "whsec_the_old_one")
    for secret in ("whsec_the_new_one", "whsec_the_old_one"):
        assert webhooks.receive(*delivery(OK, secret)).request_id == ID
    with pytest.raises(WebhookRefused):
        webhooks.receive(*delivery(OK))


def test_a_secret_is_required_and_hidden(clipia: Clipia, peer: Peer) -> None:
    for secrets, cause in (
        ([""], "no webhook secret"),
        ([SECRET, ""], "no webhook secret"),
        ([" \n"], "no webhook secret"),
        (["whsec_"], "webhook secret is too short: it needs 8 characters"),
        ([SECRET, "whsec_1234567\n"], "webhook secret is too short"),
    ):
        with pytest.raises(ClipiaValueError, match=cause):
            clipia.webhooks(*secrets)
    assert clipia.webhooks(f" {SECRET}\n").receive(*delivery(OK)).request_id == ID
    assert repr(clipia.webhooks(SECRET)) == f"Webhooks(base_url='{peer.url}/')"
    clipia.close()
    with pytest.raises(ClipiaError, match="closed"):
        clipia.webhooks(SECRET)


def test_a_delivery_ends_every_wait_for_it(clipia: Clipia, peer: Peer) -> None:
    peer.respond = running
    webhooks = clipia.webhooks(SECRET)
    job = clipia.submit("nano-banana-2", {"prompt": "a fox"}, webhook_url="https://example.com/clipia")
    with ThreadPoolExecutor(2) as threads:
        waits = [threads.submit(job.wait, 60) for _ in range(2)]
        resolved, deadline = 0, time.monotonic() + 30
        while resolved < 2:  # until both wait; an earlier delivery is kept for them
            assert time.monotonic() < deadline
            resolved += webhooks.receive(*delivery(OK)).resolved
            if all(wait.done() for wait in waits):
                break
            time.sleep(0.01)
        assert [wait.result().output for wait in waits] == [OK["payload"]["output"]] * 2
    assert len(peer.seen) == 1, "the submit"


async def test_an_early_delivery_ends_the_wait_at_once(peer: Peer) -> None:
    peer.respond = running
    async with AsyncClipia(KEY, base_url=peer.url) as clipia:
        webhooks = clipia.webhooks(SECRET)
        job = await clipia.submit(
            "nano-banana-2", {"prompt": "a fox"}, webhook_url="https://example.com/clipia"
        )
        received = webhooks.receive(*delivery(OK))
        assert (received.resolved, received.result.status) == (0, "COMPLETED")
        assert (await job.wait(timeout=60)).data == received.result.data
        assert repr(webhooks) == f"AsyncWebhooks(base_url='{peer.url}/')"
    assert len(peer.seen) == 1, "the submit"
