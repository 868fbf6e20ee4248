"""Odd responses: a generation that was paid for is found in each of them."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import clipia_queue
from clipia_queue import (
    Clipia,
    ClipiaApiError,
    GenerationFailed,
    ResultResponse,
    StatusResponse,
    SubmitResponse,
    UnexpectedAnswer,
)
from peer import EXAMPLES, ID, KEY, Peer, Reply, Request, example
from signing import SECRET, sign

MISSING = object()
KINDS = {
    "null": None,
    "float": 4.5,
    "whole float": 5.0,
    "negative": -1,
    "text": "odd",
    "list": ["odd", None, {}],
    "object": {"odd": [1]},
    "huge": int("1234567890" * 33),
    "not a number": float("nan"),
    "missing": MISSING,
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a document, except the document itself."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, within in inner:
        yield (*path, name)
        yield from paths(within, (*path, name))


def mutants(schema: str) -> Iterator[tuple[str, dict[str, Any], tuple[Any, ...], str, bytes]]:
    for file in sorted(EXAMPLES.glob(f"{schema}.*.json")):
        original = example(file.stem)
        for path in paths(original):
            for kind, odd in KINDS.items():
                mutant = copy.deepcopy(original)
                place: Any = mutant
                for name in path[:-1]:
                    place = place[name]
                if odd is MISSING:
                    del place[path[-1]]
                else:
                    place[path[-1]] = odd
                yield file.stem, original, path, kind, json.dumps(mutant).encode()


def saying(response: Reply | dict[str, Any] | bytes) -> Callable[[Request], Reply]:
    """Replies the same to every request."""
    return lambda _: response if isinstance(response, Reply) else Reply(response)


def test_the_id_and_the_status_are_found_in_every_mutant(peer: Peer) -> None:
    client = Clipia(KEY, base_url=peer.url, max_retries=0)
    lost: list[str] = []
    tried = 0
    for name, original, path, kind, document in mutants("SubmitResponse"):
        peer.respond = saying(document)
        tried += 1
        submitted = client.submit("m", {})
        wanted = "odd" if (path, kind) == (("request_id",), "text") else original["request_id"]
        # `NaN` is read as a text, and a text may be an id.
        if submitted.request_id != wanted and (path, kind) != (("request_id",), "not a number"):
            lost.append(f"{name} {path} {kind}: {submitted!r}")
        repr(submitted), submitted.data, submitted.cost, submitted.warnings
    for schema, ask in (("StatusResponse", client.status), ("ResultResponse", client.result)):
        for name, original, path, kind, document in mutants(schema):
            peer.respond = saying(document)
            tried += 1
            response: Any = ask(ID)
            if response.request_id != ID or (path != ("status",) and response.status != original["status"]):
                lost.append(f"{name} {path} {kind}: {response!r}")
            repr(response), response.data
            again = type(response).from_dict(response.data) if schema == "StatusResponse" else response
            assert again == response
    client.close()
    assert not lost, f"{len(lost)} of {tried}: {lost[:5]}"
    assert tried > 1_500


def headers(body: bytes) -> dict[str, str]:
    return {"x-clipia-signature": sign(body, time.time())}


def test_every_mutant_of_a_delivery_is_received(peer: Peer) -> None:
    client = Clipia(KEY, base_url=peer.url)
    webhooks = client.webhooks(SECRET)
    for name, original, path, kind, document in mutants("WebhookDelivery"):
        if path == ("request_id",):
            continue
        delivery = webhooks.receive(headers(document), document)
        assert delivery.request_id == original["request_id"], f"{name} {path} {kind}"
        repr(delivery)
    canceled = json.dumps({"request_id": ID, "status": "CANCELED"}).encode()
    delivery = webhooks.receive(headers(canceled), canceled)
    assert (delivery.request_id, delivery.result.status) == (ID, "CANCELED")
    client.close()


def test_unreadable_fields_stay_as_they_were_sent(peer: Peer) -> None:
    client = Clipia(KEY, base_url=peer.url, max_retries=0)
    odd = {"request_id": ID, "status": "IN_QUEUE", "cost": 4.5, "queue_position": None, "warnings": ["typo"]}
    peer.respond = saying(odd)
    submitted = client.submit("m", {})
    assert (submitted.cost, submitted.queue_position, submitted.warnings) == (4.5, None, [])
    assert submitted.data["warnings"] == ["typo"]
    assert pickle.loads(pickle.dumps(submitted)) == submitted
    assert SubmitResponse.from_dict(odd).cost == 4.5

    peer.respond = saying(Reply({"status": "IN_PROGRESS", "progress": "45%", "logs": "step 1"}))
    status = client.status(ID)
    assert (status.progress, status.logs, status.request_id) == (45, ["step 1"], ID)

    images = [{"url": "/1.png", "width": "wide"}, "/2.png"]
    output = {"images": images, "mesh": {"url": "/a.glb"}}
    peer.respond = saying(Reply({"request_id": ID, "status": "COMPLETED", "output": output, "cost": 5.0}))
    result = client.result(ID)
    assert (result.cost, type(result.cost)) == (5, int)
    assert result.data["output"] == output

    peer.respond = saying(Reply({"status": "FAILED", "error": "overloaded", "created_at": "yesterday"}))
    failed = client.result(ID)
    assert (failed.created_at, failed.data["created_at"]) == (None, "yesterday")
    with pytest.raises(GenerationFailed, match="overloaded"):
        failed.raise_for_status()
    client.close()


def test_a_response_that_is_not_the_apis_has_one_class(peer: Peer) -> None:
    client = Clipia(KEY, base_url=peer.url, max_retries=0)
    page = f"<html>accepted as {ID}</html>".encode()
    for response, status, beginning in (
        (Reply(page), 200, page.decode()),
        (Reply(page, 502), 502, page.decode()),
        (Reply(b"", 302, {"location": "https://elsewhere.example/login?token=1"}), 302, None),
        (Reply(b"\x0b\x02", 200, {"content-encoding": "br"}), 200, None),
        (Reply({"detail": "Not Found"}, 404), 404, '{"detail": "Not Found"}'),
    ):
        peer.respond = saying(response)
        with pytest.raises(UnexpectedAnswer) as raised:
            client.account.get()
        assert isinstance(raised.value, ClipiaApiError)
        assert (raised.value.status, raised.value.beginning) == (status, beginning)
        assert "token" not in str(raised.value)
    # After a submit the exception has the id, the key and the beginning.
    peer.respond = saying(Reply(page))
    with pytest.raises(UnexpectedAnswer) as raised:
        client.subscribe("m", {}, idempotency_key="mine")
    error = raised.value
    assert (error.request_id, error.idempotency_key, error.beginning) == (ID, "mine", page.decode())
    # An unexpected content coding does not lose the generation.
    coded = gzip.compress(json.dumps(example("SubmitResponse.queued") | {"request_id": ID}).encode())
    peer.respond = saying(Reply(coded, 201, {"content-encoding": "gzip"}))
    assert client.submit("m", {}).request_id == ID
    client.close()


def test_a_key_that_a_server_repeats_is_masked(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1, "clipia_queue")
    client = Clipia(KEY, base_url=peer.url, max_retries=0)
    envelope = {"type": "authentication_error", "code": "invalid_api_key", "message": f"no key {KEY}"}
    for response in (
        Reply({"error": {**envelope, "sent": {"authorization": [f"Bearer {KEY}"]}}, "key": KEY}, 401),
        Reply(f"<html>denied: Bearer {KEY}</html>".encode(), 403),
        Reply({"error": {**envelope, "code": f"no key {KEY}"}}, 401),
    ):
        peer.respond = saying(response)
        with pytest.raises(ClipiaApiError) as raised:
            client.account.get()
        error = raised.value
        said = f"{error} {error!r} {error.args} {error.body} {error.__dict__}"
        assert KEY not in said, said
    assert "http_status=401" in caplog.text
    assert KEY not in caplog.text
    client.close()


def test_ids_need_not_be_uuids(peer: Peer) -> None:
    client = Clipia(KEY, base_url=peer.url, max_retries=0)
    peer.respond = saying(Reply({"request_id": "gen 42", "status": "COMPLETED", "output": {}}))
    assert client.subscribe("m", {}).request_id == "gen 42"
    assert peer.seen[-1].path == "/v1/requests/gen%2042"
    with pytest.raises(clipia_queue.ClipiaValueError):
        client.status("")
    client.close()
    assert StatusResponse.from_dict({"request_id": "x", "status": "IN_QUEUE"}).request_id == "x"
    assert ResultResponse.from_dict({"request_id": "x", "status": "FAILED"}).status == "FAILED"
