"""`verify_signature`, and the deliveries of the real server."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from clipia_queue import Clipia, verify_signature
from conftest import Server
from peer import Peer, Reply
from signing import BODY, NOW, SECRET, sign, standard


def verify(headers: Any, body: Any = BODY, **options: Any) -> bool:
    return verify_signature(SECRET, headers, body, **{"now": NOW, **options})


# From `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac SECRET`.
def test_agrees_with_openssl() -> None:
    header = "t=1700000000,v1=b6974ac6d7fd2ac6e37c3cea117ba7ee3cfde56b98ea4e8b5fb26b9fee534ba7"
    assert verify({"X-Clipia-Signature": header}, '{"a":1}')


@pytest.mark.parametrize("name", ["X-Clipia-Signature", "x-clipia-signature", "X-CLIPIA-SIGNATURE"])
def test_headers_are_accepted_in_any_case(name: str) -> None:
    assert verify({"Content-Type": "application/json", name: sign()})


def test_headers_and_bodies_of_all_frameworks_are_accepted() -> None:
    assert verify({"x-clipia-signature": sign()}, BODY.decode())
    assert verify({"x-clipia-signature": sign()}, bytearray(BODY))
    assert verify({b"x-clipia-signature": sign().encode()})
    unicode = '{"prompt": "żółw 🐢"}'
    assert verify({"x-clipia-signature": sign(unicode.encode())}, unicode)


def test_every_signature_is_tried() -> None:
    other = sign(secret="whsec_other")
    genuine = sign().split(",")[1]
    assert verify({"x-clipia-signature": f"{other},{genuine}"})


@pytest.mark.parametrize(("now", "genuine"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_the_tolerance_holds_on_both_sides(now: int, genuine: bool) -> None:
    assert verify({"x-clipia-signature": sign()}, now=NOW + now) is genuine
    assert verify({"x-clipia-signature": sign()}, now=float(NOW + now)) is genuine
    assert verify({"x-clipia-signature": sign()}, now=NOW + now, tolerance_seconds=301)


def test_the_default_time_is_now() -> None:
    assert verify_signature(SECRET, {"x-clipia-signature": sign(t=int(time.time()))}, BODY)
    assert not verify_signature(SECRET, {"x-clipia-signature": sign()}, BODY)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-clipia-signature": ""},
        {"x-clipia-signature": "t=1"},
        {"x-clipia-signature": sign(secret="whsec_other")},
        {"x-clipia-signature": sign(b"another body")},
        {"x-clipia-signature": sign().replace(f"t={NOW}", f"t={NOW + 1}")},
        {"x-clipia-signature": None},
        {"x-clipia-signature": b"\xff"},
        {"x-clipia-timestamp": str(NOW)},
        {1: 2},
        None,
        "x-clipia-signature",
        [("x-clipia-signature", sign())],
    ],
)
def test_wrong_headers_are_refused_without_an_exception(headers: Any) -> None:
    assert verify(headers) is False


@pytest.mark.parametrize(
    "options",
    [
        {"body": None},
        {"body": "\ud800"},
        {"body": {"request_id": "parsed already"}},
        {"now": -1},
        {"now": "now"},
        {"now": float("nan")},
        {"tolerance_seconds": -1},
        {"tolerance_seconds": "long"},
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    assert verify({"x-clipia-signature": sign()}, **options) is False


@pytest.mark.parametrize("secret", ["", None, 5, b"\xff"])
def test_an_empty_or_impossible_secret_verifies_nothing(secret: Any) -> None:
    headers = {"x-clipia-signature": sign(secret="")}
    assert verify_signature(secret, headers, BODY, now=NOW) is False


@pytest.mark.parametrize(
    ("secret", "reason"),
    [("", "secret is needed"), (" ", "is needed"), ("whsec_", "too short"), ("whsec_1234567", "too short")],
)
def test_a_weak_secret_verifies_nothing_and_logs_a_warning(
    secret: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert verify_signature(secret, {"x-clipia-signature": sign(secret=secret)}, BODY, now=NOW) is False
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("clipia_queue.webhooks", "WARNING")
    assert reason in record.getMessage()


def test_white_space_around_a_secret_is_not_part_of_it() -> None:
    headers = {"x-clipia-signature": sign()}
    assert verify_signature(f"\ufeff {SECRET}\r\n", headers, BODY, now=NOW)


def test_agrees_with_the_libraries_of_standard_webhooks() -> None:
    headers = {
        "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "Webhook-Timestamp": "1614265330",
        "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert verify(headers, '{"test": 2432232314}', now=1_614_265_330)
    assert not verify(headers, '{"test": 2432232315}', now=1_614_265_330)


@pytest.mark.parametrize(
    ("headers", "genuine"),
    [
        (standard(), True),
        (standard(t=NOW - 300), True),
        ({name.encode(): value.encode() for name, value in standard().items()}, True),
        ({**standard(), "webhook-signature": f"v1a,x v1,x {standard()['webhook-signature']}"}, True),
        ({**standard(), "x-clipia-signature": sign(secret="whsec_of_another")}, True),
        ({**standard(b"another body"), "x-clipia-signature": sign()}, True),
        (standard(t=NOW - 301), False),
        (standard(t=NOW + 301), False),
        (standard(b"another body"), False),
        (standard(secret="whsec_QUJDREVGR0hJSktM"), False),
        ({**standard(), "webhook-id": "msg_of_another"}, False),
        ({**standard(), "webhook-timestamp": str(NOW + 1)}, False),
        ({"webhook-signature": standard()["webhook-signature"]}, False),
    ],
)
def test_standard_webhooks_verify_a_delivery_too(headers: Any, genuine: bool) -> None:
    assert verify(headers) is genuine


def test_headers_that_raise_are_refused() -> None:
    class Broken(dict[str, str]):
        def items(self) -> Any:
            raise RuntimeError("broken")

    assert verify(Broken()) is False


def test_a_delivery_of_the_server_is_genuine(server: Server, sandbox: Clipia, peer: Peer) -> None:
    peer.respond = lambda _: Reply({})
    job = sandbox.submit("nano-banana-2", {"prompt": "a fox"}, webhook_url=f"{peer.url}/hook")
    deadline = time.monotonic() + 20
    while not peer.seen:
        assert time.monotonic() < deadline, "no delivery came"
        time.sleep(0.02)
    delivery = peer.seen[0]
    assert verify_signature(server.webhook_secret, delivery.headers, delivery.body)
    assert not verify_signature(server.webhook_secret, delivery.headers, delivery.body + b" ")
    assert json.loads(delivery.body)["request_id"] == job.request_id
