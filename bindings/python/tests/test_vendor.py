"""The surface of the vendor's package `clipia`, with which programs for it run here."""

from __future__ import annotations

import inspect
import itertools
import time
from typing import Any

import pytest

import clipia_queue
from clipia_queue import ClipiaApiError, ClipiaTimeoutError, InputWarning, StatusResponse
from conftest import STEPS, Emulated, Server
from peer import ID, KEY, Peer, Reply, Request, example

NAMES = {
    *("Clipia", "AsyncClipia", "ClipiaApiError", "ClipiaTimeoutError", "verify_signature", "__version__"),
    *("SubmitResponse", "StatusResponse", "ResultResponse", "EstimateResponse", "InputWarning"),
    *("IN_QUEUE", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELED", "TERMINAL_STATUSES"),
}

# Positional arguments, and keyword-only arguments.
METHODS = {
    "submit": ("model input", "webhook_url idempotency_key"),
    "status": ("request_id", ""),
    "result": ("request_id", ""),
    "subscribe": (
        "model input",
        "webhook_url idempotency_key on_queue_update poll_interval timeout",
    ),
    "close": ("", ""),
}
RESOURCES = {
    "ModelsResource": {"list": "", "get": "slug", "estimate": "slug input"},
    "AccountResource": {"get": ""},
}
FIELDS = {
    "SubmitResponse": "request_id status queue_position status_url response_url cost data warnings",
    "StatusResponse": "request_id status queue_position progress logs data is_terminal",
    "ResultResponse": """
        request_id status model output error cost created_at completed_at pending data is_terminal
    """,
    "EstimateResponse": "credits data warnings",
    "InputWarning": "code parameter message",
}


def parameters(function: Any, kind: Any) -> list[str]:
    found = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in found if parameter.kind is kind and parameter.name != "self"]


def test_every_name_is_here() -> None:
    assert set(clipia_queue.__all__) >= NAMES


@pytest.mark.parametrize("client", ["Clipia", "AsyncClipia"])
def test_methods_have_the_vendors_parameters(client: str) -> None:
    cls = getattr(clipia_queue, client)
    for name, (positional, keywords) in METHODS.items():
        method = getattr(cls, name)
        assert parameters(method, inspect.Parameter.POSITIONAL_OR_KEYWORD) == positional.split()
        assert set(keywords.split()) <= set(parameters(method, inspect.Parameter.KEYWORD_ONLY))
    prefix = client.removesuffix("Clipia")
    for resource, methods in RESOURCES.items():
        for name, positional in methods.items():
            method = getattr(getattr(clipia_queue, prefix + resource), name)
            assert parameters(method, inspect.Parameter.POSITIONAL_OR_KEYWORD) == positional.split()


@pytest.mark.parametrize("client", ["Clipia", "AsyncClipia"])
def test_the_constructor_has_the_vendors_parameters(client: str) -> None:
    cls = getattr(clipia_queue, client)
    signature = inspect.signature(cls)
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}
    # Our own parameters come after, and are keyword-only.
    own = ["allow_http", "headers", "proxy", "certificates", "pending_file"]
    assert list(defaults) == ["api_key", "base_url", "timeout", "max_retries", "retry_delay", *own]
    assert {signature.parameters[name].kind for name in own} == {inspect.Parameter.KEYWORD_ONLY}
    # The vendor's default is two retries, too few for a restart of the server. Ours is that of Rust.
    assert (defaults["max_retries"], defaults["retry_delay"]) == (5, 0.5)
    made = cls(api_key=KEY, base_url="http://127.0.0.1:4747/", timeout=None, max_retries=3, retry_delay=1)
    assert (made.base_url, made.max_retries, made.retry_delay) == ("http://127.0.0.1:4747", 3, 1.0)


@pytest.mark.parametrize("name", FIELDS)
def test_responses_have_the_vendors_fields(name: str) -> None:
    assert set(FIELDS[name].split()) <= set(dir(getattr(clipia_queue, name)))


def test_a_response_is_made_from_its_json() -> None:
    data = example("StatusResponse.in_progress") | {"of_a_newer_api": [1]}
    status = StatusResponse.from_dict(data)
    assert (status.status, status.progress, status.data) == ("IN_PROGRESS", data["progress"], data)
    with pytest.raises(
        ValueError,
        match="not the data of a `StatusResponse`: an essential field of a `StatusResponse` is missing",
    ):
        StatusResponse.from_dict({"status": "IN_QUEUE"})
    warned = example("EstimateResponse.warnings")["warnings"][0]
    assert InputWarning.from_dict(warned) == InputWarning(**warned)
    assert InputWarning("unknown_parameter", "promt", "did you mean `prompt`?").parameter == "promt"


def test_an_api_error_has_the_vendors_constructor() -> None:
    error = ClipiaApiError(
        429, "rate_limit_exceeded", "slow down", type="rate_limit_error", body={}, retry_after=2
    )
    assert (error.status, error.code, error.message) == (429, "rate_limit_exceeded", "slow down")
    assert (error.type, error.body, error.retry_after) == ("rate_limit_error", {}, 2)
    bare = ClipiaApiError(500)
    assert (bare.status, bare.code, bare.message) == (500, "", "HTTP 500")
    assert (bare.type, bare.body, bare.retry_after) == ("", None, None)
    timeout = ClipiaTimeoutError(ID, 600)
    assert isinstance(timeout, ClipiaApiError)
    assert (timeout.request_id, timeout.timeout) == (ID, 600)
    assert (timeout.status, timeout.code) == (0, "poll_timeout")


PROGRAM = """
import clipia

client = clipia.Clipia(api_key=KEY, base_url=URL, timeout=20.0, max_retries=1, retry_delay=0.1)
try:
    client.submit("nano-banana-2", input={"prompt": 3})
    raise SystemExit("accepted")
except clipia.ClipiaApiError as error:
    assert (error.status, error.code) == (422, "model_input_invalid"), error

slugs = [model["slug"] for model in client.models.list()["data"]]
model = client.models.get(slugs[0])
assert model["slug"] == slugs[0] and model["input_schema"]["parameters"] and model["pricing"]
image = {"prompt": "a fox", "resolution": "0.5K"}
price = client.models.estimate("nano-banana-2", input=image)
assert [model["slug"] for model in client.models.list()] == slugs
assert client.models.submit("nano-banana-2", image, idempotency_key="of-the-vendor").cost == price.credits
job = client.submit("nano-banana-2", image, idempotency_key="of-the-vendor")
assert job.cost == price.credits and job.data["cost"] == job.cost and job.warnings == []
while not client.status(job.request_id).is_terminal:
    pass
result = client.result(job.request_id)
assert not result.pending and result.output["images"][0]["url"]

seen = []
result = client.subscribe(
    "nano-banana-2", image, on_queue_update=seen.append, poll_interval=0.2, timeout=60.0
)
assert result.status == clipia.COMPLETED and result.status in clipia.TERMINAL_STATUSES
assert seen[-1].is_terminal and seen[-1].request_id == result.request_id
assert result.cost == price.credits and result.model == "nano-banana-2" and result.error is None
assert client.account.get()["balance"]["credits"] > 0
client.close()
"""


def test_a_program_runs_by_changing_its_import(server: Server) -> None:
    program = PROGRAM.replace("import clipia\n", "import clipia_queue as clipia\n")
    exec(compile(program, "program", "exec"), {"KEY": server.live_key, "URL": server.url})


def test_the_first_pause_is_as_long_as_set(peer: Peer) -> None:
    def busy(_: Request) -> Reply:
        return Reply(example("ErrorEnvelope.service_unavailable"), 503)

    peer.respond = busy
    # With the default pauses this would take minutes.
    with pytest.raises(clipia_queue.ServiceUnavailable):
        clipia_queue.Clipia(KEY, base_url=peer.url, max_retries=30, retry_delay=0).account.get()
    assert len(peer.seen) == 31


def test_a_poll_interval_is_the_shortest_time_between_two_polls(emulated: Emulated) -> None:
    times: list[float] = []
    emulated.client().subscribe(
        "nano-banana-2", STEPS, on_queue_update=lambda _: times.append(time.monotonic()), poll_interval=0.4
    )
    assert len(times) == 4
    # A little less, because a poll takes a moment to arrive.
    assert all(later - earlier > 0.35 for earlier, later in itertools.pairwise(times))
