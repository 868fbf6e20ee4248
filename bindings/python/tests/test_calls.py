"""Responses and errors of single calls, with the examples of the specification."""

from __future__ import annotations

import copy
import json
import pickle
import time
from datetime import datetime, timezone
from typing import Any

import pytest

import clipia_queue
from clipia_queue import (
    Clipia,
    ClipiaApiError,
    ClipiaConnectionError,
    ClipiaError,
    ClipiaTimeoutError,
    GenerationFailed,
    InputWarning,
)
from peer import EXAMPLES, ID, KEY, Peer, Reply, Request, example

CAUSES = {
    "invalid_request": (400, "InvalidRequest"),
    "webhook_url_invalid": (400, "WebhookUrlInvalid"),
    "invalid_api_key": (401, "InvalidApiKey"),
    "insufficient_credits": (402, "InsufficientCredits"),
    "subscription_required": (402, "SubscriptionRequired"),
    "insufficient_scope": (403, "InsufficientScope"),
    "not_found": (404, "NotFound"),
    "model_not_found": (404, "ModelNotFound"),
    "idempotency_key_reuse": (409, "IdempotencyKeyReuse"),
    "request_in_progress": (409, "RequestInProgress"),
    "model_input_invalid": (422, "ModelInputInvalid"),
    "rate_limit_exceeded": (429, "RateLimited"),
    "concurrency_limit_exceeded": (429, "ConcurrencyLimited"),
    "upload_too_large": (413, "UploadTooLarge"),
    "upload_limit_exceeded": (403, "UploadLimitExceeded"),
    "internal_error": (500, "InternalError"),
    "service_unavailable": (503, "ServiceUnavailable"),
}


def saying(peer: Peer, body: dict[str, Any], status: int = 200, **headers: str) -> Clipia:
    peer.respond = lambda _: Reply(body, status, headers)
    return Clipia(KEY, base_url=peer.url, max_retries=0)


def test_every_error_code_of_the_specification_has_a_class() -> None:
    named = {path.name.split(".")[1] for path in EXAMPLES.glob("ErrorEnvelope.*.json")}
    assert named == set(CAUSES)


@pytest.mark.parametrize("code", CAUSES)
def test_a_refusal_has_a_class_of_its_own(peer: Peer, code: str) -> None:
    status, name = CAUSES[code]
    envelope = example(f"ErrorEnvelope.{code}")
    with pytest.raises(ClipiaApiError) as raised:
        saying(peer, envelope | {"trace": "kept"}, status).status(ID)
    error = raised.value
    assert type(error) is getattr(clipia_queue, name)
    assert (error.status, error.code, error.request_id) == (status, code, ID)
    assert (error.message, error.type) == (envelope["error"]["message"], envelope["error"]["type"])
    assert error.body == envelope | {"trace": "kept"}
    assert error.retry_after is None
    assert error.argument == {"model_input_invalid": "input", "webhook_url_invalid": "webhook_url"}.get(code)
    assert str(error) == f"{error.message} ({status} {code})"


def test_a_refusal_has_its_retry_after(peer: Peer) -> None:
    client = saying(peer, example("ErrorEnvelope.rate_limit_exceeded"), 429, **{"Retry-After": "7"})
    with pytest.raises(clipia_queue.RateLimited, match="try again in 7 s") as raised:
        client.account.get()
    assert raised.value.retry_after == 7.0


def test_an_error_code_of_a_newer_api_is_an_api_error(peer: Peer) -> None:
    body = {"error": {"type": "teapot_error", "code": "short_and_stout", "message": "tip me over"}}
    with pytest.raises(ClipiaApiError, match=r"tip me over \(418 short_and_stout\)") as raised:
        saying(peer, body, 418).account.get()
    assert type(raised.value) is ClipiaApiError


def test_no_server_is_a_connection_error() -> None:
    with pytest.raises(ClipiaConnectionError, match="no connection to the server"):
        Clipia(KEY, base_url="http://127.0.0.1:9", max_retries=0).account.get()


def test_a_silent_server_is_a_connection_error(peer: Peer) -> None:
    def dawdle(_: Request) -> Reply:
        time.sleep(0.5)
        return Reply({})

    peer.respond = dawdle
    with pytest.raises(ClipiaConnectionError, match="did not answer in time"):
        Clipia(KEY, base_url=peer.url, max_retries=0, timeout=0.1).account.get()


def test_calls_are_retried_as_often_as_set(peer: Peer) -> None:
    client = saying(peer, example("ErrorEnvelope.service_unavailable"), 503)
    with pytest.raises(clipia_queue.ServiceUnavailable):
        client.account.get()
    assert len(peer.seen) == 1
    with pytest.raises(clipia_queue.ServiceUnavailable):
        Clipia(KEY, base_url=peer.url, max_retries=1).account.get()
    assert len(peer.seen) == 3


def test_the_request_of_a_call(peer: Peer) -> None:
    client = saying(peer, example("SubmitResponse.queued"))
    client.submit("nano-banana-2", {"prompt": "żółw", "seed": 1, "scale": 1.5}, idempotency_key="mine")
    (request,) = peer.seen
    assert (request.method, request.path) == ("POST", "/v1/models/nano-banana-2")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["idempotency-key"] == "mine"
    assert request.headers["user-agent"] == f"clipia-queue-python/{clipia_queue.__version__}"
    assert request.body.decode() == '{"input":{"prompt":"żółw","scale":1.5,"seed":1}}'


def test_a_submit(peer: Peer) -> None:
    response = example("SubmitResponse.warnings") | {"region": "north"}
    job = saying(peer, response).submit("nano-banana-2", {"promt": "a fox"})
    assert (job.request_id, job.status, job.queue_position) == (ID, "IN_QUEUE", 3)
    assert (job.cost, job.is_terminal) == (12, False)
    assert (job.status_url, job.response_url) == (response["status_url"], response["response_url"])
    assert job.data == response
    assert job.data is job.data
    assert [(warning.code, warning.parameter) for warning in job.warnings] == [
        ("unknown_parameter", "promt"),
        ("unsupported_parameter", "duration"),
    ]
    assert job.warnings[0].message.endswith("did you mean `prompt`?")
    assert isinstance(job.warnings[0], InputWarning)
    assert job.warnings == job.warnings
    assert isinstance(job, clipia_queue.SubmitResponse)
    assert repr(job) == f"Submitted(request_id='{ID}', status='IN_QUEUE', queue_position=3, cost=12)"
    with pytest.raises(AttributeError):
        job.cost = 0  # type: ignore[misc]


def test_a_status(peer: Peer) -> None:
    response = example("StatusResponse.in_progress_logs")
    status = saying(peer, response).status(response["request_id"])
    assert (status.status, status.progress, status.queue_position) == ("IN_PROGRESS", 72, None)
    assert not status.is_terminal
    assert status.logs == response["logs"]
    assert status.data == response
    assert repr(status) == (
        f"StatusResponse(request_id='{response['request_id']}', status='IN_PROGRESS', progress=72)"
    )
    assert saying(peer, example("StatusResponse.completed")).status(ID).logs == []


def test_a_status_of_a_newer_api_is_kept(peer: Peer) -> None:
    status = saying(peer, {"request_id": ID, "status": "PAUSED", "until": "noon"}).status(ID)
    assert (status.status, status.is_terminal, status.data["until"]) == ("PAUSED", False, "noon")


def test_a_result(peer: Peer) -> None:
    response = example("ResultResponse.image")
    response |= {"expired_at": "2025-09-18T15:27:41Z"}
    result = saying(peer, response | {"seed": 7}).result(ID)
    assert (result.status, result.model, result.cost) == ("COMPLETED", "nano-banana-2", 12)
    assert (result.is_terminal, result.pending, result.error) == (True, False, None)
    assert result.output == response["output"]
    assert result.created_at == datetime(2025, 8, 19, 15, 27, 38, 96_000, tzinfo=timezone.utc)
    assert result.completed_at == datetime(2025, 8, 19, 15, 27, 41, 967_000, tzinfo=timezone.utc)
    assert result.expired_at == datetime(2025, 9, 18, 15, 27, 41, tzinfo=timezone.utc)
    assert result.data == response | {"seed": 7}
    assert isinstance(result, clipia_queue.ResultResponse)


def test_a_result_before_the_end(peer: Peer) -> None:
    result = saying(peer, example("ResultResponse.in_queue"), 202).result(ID)
    assert (result.pending, result.is_terminal, result.queue_position) == (True, False, 3)
    assert (result.output, result.completed_at) == (None, None)
    with pytest.raises(clipia_queue.StillRunning, match="still IN_QUEUE") as raised:
        result.download("out")
    assert raised.value.generation_status == "IN_QUEUE"


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("ResultResponse.*.json")))
def test_results_keep_the_whole_response(peer: Peer, name: str) -> None:
    response = example(name)
    result = saying(peer, response).result(response["request_id"])
    assert result.data == response
    assert result.status == response["status"]


def test_a_failed_result_makes_no_files(peer: Peer) -> None:
    response = example("ResultResponse.failed")
    result = saying(peer, response).result(response["request_id"])
    assert (result.status, result.error, result.cost) == ("FAILED", response["error"], 0)
    with pytest.raises(GenerationFailed, match="could not be read") as raised:
        result.download("out")
    assert raised.value.request_id == response["request_id"]
    response = example("ResultResponse.canceled")
    with pytest.raises(clipia_queue.GenerationCanceled):
        saying(peer, response).generation(response["request_id"]).download("out")


def test_the_catalogue_is_what_the_api_sends_and_a_list(peer: Peer) -> None:
    listed = {"data": example("ModelList.all")["data"]}
    models = saying(peer, listed).models.list()
    assert models == listed
    assert isinstance(models, clipia_queue.ModelList)
    assert (dict(models), models.get("data"), models.keys()) == (listed, listed["data"], listed.keys())
    assert json.loads(json.dumps(models)) == listed
    assert (list(models), len(models), models.data) == (listed["data"], len(listed["data"]), listed["data"])
    assert (models[0], models[-1], models[1:]) == (listed["data"][0], listed["data"][-1], listed["data"][1:])
    assert list(reversed(models)) == listed["data"][::-1]
    for item, is_in in ((models[0], True), ({"slug": "of another"}, False), ("data", True), ("slug", False)):
        assert (item in models) is is_in
    for again in (pickle.loads(pickle.dumps(models)), copy.deepcopy(models)):
        assert (again, list(again)) == (listed, listed["data"])
    assert not saying(peer, {"data": []}).models.list()
    with pytest.raises(KeyError):
        models["models"]
    with pytest.raises(IndexError):
        models[len(models)]


def test_models_account_and_estimate(peer: Peer) -> None:
    listed = example("ModelList.all")
    assert saying(peer, listed).models.list()["data"] == listed["data"]
    model = example("Model.seedance-2-fast-t2v")
    assert saying(peer, model).models.get("seedance-2-fast-t2v") == model
    account = example("Account.used")
    assert saying(peer, account).account.get() == account
    response = example("EstimateResponse.warnings")
    estimate = saying(peer, response).models.estimate("nano-banana-2", {"promt": "a fox"})
    assert (estimate.credits, estimate.data) == (12, response)
    assert [warning.parameter for warning in estimate.warnings] == ["promt"]


def test_exceptions_survive_pickling() -> None:
    timeout = ClipiaTimeoutError(ID, 0.5)
    refusal = clipia_queue.RateLimited(429, "rate_limit_exceeded", "slow down", "rate_limit_error", {}, 2.0)
    refusal.request_id = ID
    for error in (timeout, refusal, GenerationFailed(ID, "GENERATION_FAILED", "why"), ClipiaError("what")):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    assert isinstance(timeout, TimeoutError)
    assert isinstance(timeout, ClipiaApiError)
    assert (timeout.status, timeout.code) == (0, "poll_timeout")


def test_a_submit_without_a_response_has_its_key(peer: Peer) -> None:
    client = saying(peer, example("ErrorEnvelope.service_unavailable"), 503)
    with pytest.raises(clipia_queue.ServiceUnavailable) as raised:
        client.submit("nano-banana-2", {"prompt": "a fox"})
    (request,) = peer.seen
    key = raised.value.idempotency_key
    assert key is not None
    assert request.headers["idempotency-key"] == key
    # Python 3.10 has no notes.
    assert key in getattr(raised.value, "__notes__", [key])[0]
    # The key survives pickling. A call that only reads has none.
    assert pickle.loads(pickle.dumps(raised.value)).idempotency_key == key
    with pytest.raises(clipia_queue.ServiceUnavailable) as raised:
        client.status(ID)
    assert raised.value.idempotency_key is None
