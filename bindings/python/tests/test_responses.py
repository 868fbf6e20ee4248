"""Comparing, hashing, printing, pickling and copying of responses and handles."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

import clipia_queue
from clipia_queue import (
    AsyncClipia,
    Clipia,
    ClipiaError,
    ClipiaValueError,
    EstimateResponse,
    GenerationCanceled,
    GenerationFailed,
    GenerationResult,
    InputWarning,
    ResultResponse,
    StatusResponse,
    StillRunning,
    SubmitResponse,
)
from conftest import STEPS, Emulated, Server
from peer import EXAMPLES, ID, KEY, Peer, Reply, example
from test_sync import IMAGE

CLASSES: dict[str, Any] = {
    "StatusResponse": StatusResponse,
    "EstimateResponse": EstimateResponse,
    "SubmitResponse": SubmitResponse,
    "ResultResponse": ResultResponse,
}
ANSWERS = sorted(path.stem for path in EXAMPLES.glob("*.json") if path.stem.split(".")[0] in CLASSES)


@pytest.mark.parametrize("name", ANSWERS)
def test_responses_compare_print_and_pickle(name: str) -> None:
    cls, data = CLASSES[name.split(".")[0]], example(name) | {"of_a_newer_api": {"deep": [1, None]}}
    response = cls.from_dict(data)
    assert response.data == data
    assert response == cls.from_dict(data)
    assert hash(response) == hash(cls.from_dict(data))
    assert response != cls.from_dict(data | {"of_a_newer_api": None})
    assert response != data
    assert repr(response).startswith(f"{cls.__name__}(")
    for other in (pickle.loads(pickle.dumps(response)), copy.copy(response), copy.deepcopy(response)):
        assert (type(other), other, other.data) == (cls, response, data)


def test_a_warning_compares_prints_and_pickles() -> None:
    warning = InputWarning("unknown_parameter", "promt", 'did you mean "prompt"?')
    assert pickle.loads(pickle.dumps(warning)) == warning
    assert warning != InputWarning("unknown_parameter", "promt", "")
    assert len({warning, copy.deepcopy(warning)}) == 1
    assert eval(repr(warning), {"InputWarning": InputWarning}) == warning


def handles(client: Clipia) -> list[Any]:
    job = client.submit("nano-banana-2", STEPS)
    return [job, client.generation(job.request_id), client.result(job.request_id), job.wait()]


def test_handles_compare_and_pickle(emulated: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    for handle in handles(emulated.client()):
        pickled = pickle.dumps(handle)
        assert emulated.key.encode() not in pickled
        other = pickle.loads(pickled)
        assert (type(other), other, repr(other)) == (type(handle), handle, repr(handle))
        assert {handle: "found"}[other] == "found"
        # Pickled again, as a queue between several processes does.
        assert pickle.dumps(other) == pickled
        with pytest.raises(ClipiaValueError, match="no API key: set `CLIPIA_KEY`"):
            other.download("out")
        monkeypatch.setenv("CLIPIA_KEY", emulated.key)
        if not isinstance(other, GenerationResult):
            assert other.wait().status == "COMPLETED"
            assert other.result().request_id == handle.request_id
        monkeypatch.delenv("CLIPIA_KEY")


async def test_async_handles_pickle(emulated: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPIA_KEY", emulated.key)
    client = AsyncClipia(base_url=emulated.emulator.url)
    job = await client.submit("nano-banana-2", STEPS)
    for handle in (job, client.generation(job.request_id), await job.wait()):
        other = pickle.loads(pickle.dumps(handle))
        assert (type(other), other, repr(other)) == (type(handle), handle, repr(handle))
        assert not isinstance(other, type(job)) or (await other.wait()).status == "COMPLETED"


def test_handles_from_pickles_share_a_client(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    peer.respond = lambda _: Reply(
        {"request_id": ID, "status": "IN_QUEUE"}, headers={"RateLimit-Limit": "120"}
    )
    monkeypatch.setenv("CLIPIA_KEY", KEY)
    pickled = pickle.dumps(Clipia(base_url=peer.url).generation(ID))
    peer.seen.clear()
    for _ in range(5):
        pickle.loads(pickled).result()
    # A call may come before the connection of the last one is free, so a client may have a few connections.
    assert len({request.port for request in peer.seen}) < len(peer.seen) == 5


def wait(handle: Any) -> GenerationResult:
    result: GenerationResult = handle.wait(timeout=60)
    return result


def test_another_process_resumes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPIA_KEY", server.live_key)
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    client = Clipia(base_url=server.url)
    job = client.submit("nano-banana-2", IMAGE)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        result = processes.submit(wait, job).result(timeout=60)
    assert (result.request_id, result.status) == (job.request_id, "COMPLETED")
    assert result == client.result(job.request_id)


@pytest.mark.parametrize(
    ("name", "exception", "message"),
    [
        ("failed", GenerationFailed, "could not be read"),
        ("canceled", GenerationCanceled, "was canceled"),
        ("in_progress", StillRunning, "still IN_PROGRESS"),
        ("in_queue", StillRunning, "still IN_QUEUE"),
    ],
)
def test_raise_for_status(name: str, exception: type[clipia_queue.ClipiaApiError], message: str) -> None:
    result = ResultResponse.from_dict(example(f"ResultResponse.{name}"))
    with pytest.raises(exception, match=message) as raised:
        result.raise_for_status()
    assert (raised.value.request_id, raised.value.status) == (result.request_id, 0)
    copied = pickle.loads(pickle.dumps(raised.value))
    assert (str(copied), vars(copied)) == (str(raised.value), vars(raised.value))


def test_raise_for_status_returns_a_completed_result(peer: Peer) -> None:
    peer.respond = lambda _: Reply(example("ResultResponse.image"))
    result = Clipia(KEY, base_url=peer.url).result(ID)
    assert result.raise_for_status() is result


@pytest.mark.parametrize(
    "exception",
    [
        value
        for value in vars(clipia_queue).values()
        if isinstance(value, type) and issubclass(value, ClipiaError)
    ],
)
def test_every_cause_is_an_api_error(exception: type[ClipiaError]) -> None:
    general = (ClipiaError, ClipiaValueError)
    if issubclass(exception, clipia_queue.WebhookRefused):
        return  # about a delivery, not about a call
    assert issubclass(exception, clipia_queue.ClipiaApiError) or exception in general


@pytest.mark.parametrize(
    "make",
    [
        lambda: clipia_queue.ClipiaConnectionError("no connection"),
        lambda: clipia_queue.DownloadFailed("no file"),
        lambda: clipia_queue.MaxCostExceeded("nano-banana-2", 12, 5),
        lambda: clipia_queue.InputInvalid(
            "nano-banana-2", "wrong", [("prompt", "is required")], [InputWarning("a", "b", "c")]
        ),
        lambda: GenerationCanceled(ID),
        lambda: StillRunning(ID, "IN_QUEUE"),
    ],
)
def test_exceptions_survive_pickling(make: Callable[[], clipia_queue.ClipiaApiError]) -> None:
    error = make()
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied), vars(copied)) == (type(error), str(error), vars(error))
    assert (error.status, error.body, str(error)) == (0, None, error.message)
