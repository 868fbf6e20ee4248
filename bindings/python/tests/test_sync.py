"""`Clipia` against the real server."""

from __future__ import annotations

import _thread
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import clipia_queue
from clipia_queue import Clipia, ClipiaApiError, ClipiaError, ClipiaTimeoutError, StatusResponse
from conftest import STEPS, Emulated, Server
from peer import ID, KEY, Peer, Reply, Request, running

IMAGE = {"prompt": "a fox", "resolution": "0.5K"}
UNREADABLE = {
    "prompt": "it moves",
    "image_url": "data:image/png;base64,AAAA",
    "duration": 1,
    "resolution": "480p",
}


def test_a_generation_from_submit_to_file(live: Clipia, tmp_path: Path) -> None:
    before = live.account.get()["balance"]["credits"]
    job = live.submit("nano-banana-2", IMAGE)
    assert live.status(job.request_id).request_id == job.request_id
    result = job.wait(timeout=60)
    assert result.status == clipia_queue.COMPLETED
    assert result.is_terminal
    assert result.output is not None
    assert result.output["images"][0]["original_url"].endswith(".png")
    assert result.created_at is not None
    assert result.completed_at is not None
    assert result.created_at <= result.completed_at
    assert result.data == live.result(job.request_id).data == job.result().data
    assert live.account.get()["balance"]["credits"] == before - (job.cost or 0)

    (file,) = result.download(tmp_path / "new" / "out")
    assert file.parent == tmp_path / "new" / "out"
    assert file.read_bytes().startswith(b"\x89PNG")
    assert job.download(str(tmp_path)) == [tmp_path / file.name]
    assert live.result(job.request_id).download(tmp_path) == [tmp_path / file.name]
    assert live.generation(job.request_id).wait().data == result.data


def test_subscribe_reports_every_change(live: Clipia) -> None:
    updates: list[StatusResponse] = []
    result = live.subscribe("nano-banana-2", IMAGE, on_queue_update=updates.append, timeout=60)
    assert result.status == "COMPLETED"
    assert {update.request_id for update in updates} == {result.request_id}
    assert [update.is_terminal for update in updates] == [False] * (len(updates) - 1) + [True]


def test_the_steps_of_a_generation_in_order(emulated: Emulated) -> None:
    updates: list[StatusResponse] = []
    emulated.client().subscribe("nano-banana-2", STEPS, on_queue_update=updates.append)
    assert [(update.status, update.queue_position, update.progress) for update in updates] == [
        ("IN_QUEUE", 2, None),
        ("IN_QUEUE", 0, None),
        ("IN_PROGRESS", None, 40),
        ("COMPLETED", None, None),
    ]


def test_a_callback_may_use_the_client(live: Clipia) -> None:
    threads: list[int] = []

    def ask(update: StatusResponse) -> None:
        assert live.status(update.request_id).request_id == update.request_id
        threads.append(threading.get_ident())

    live.subscribe("nano-banana-2", IMAGE, on_queue_update=ask)
    assert set(threads) == {threading.get_ident()}


def test_an_exception_of_a_callback_ends_the_wait(live: Clipia) -> None:
    def fail(_: StatusResponse) -> None:
        raise KeyError("of the callback")

    with pytest.raises(KeyError, match="of the callback"):
        live.subscribe("nano-banana-2", IMAGE, on_queue_update=fail)


def test_a_failed_generation_is_a_result(live: Clipia, tmp_path: Path) -> None:
    before = live.account.get()["balance"]["credits"]
    result = live.subscribe("seedance-2-fast-i2v", UNREADABLE, timeout=60)
    assert (result.status, result.cost, result.output) == ("FAILED", 0, None)
    assert result.error is not None
    assert result.error["code"] == "GENERATION_FAILED"
    assert live.account.get()["balance"]["credits"] == before
    with pytest.raises(clipia_queue.GenerationFailed):
        result.download(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_sandbox(sandbox: Clipia, tmp_path: Path) -> None:
    job = sandbox.submit("nano-banana-2", IMAGE)
    assert (job.status, job.is_terminal, job.queue_position) == ("COMPLETED", True, 0)
    (file,) = job.wait().download(tmp_path)
    assert file.stat().st_size > 0


def test_a_handle_has_the_status_of_now(emulated: Emulated) -> None:
    clipia = emulated.client()
    job = clipia.submit("nano-banana-2", STEPS)
    handle = clipia.generation(job.request_id)
    statuses = [handle.status()]
    assert len(emulated.calls("status")) == 1
    while not statuses[-1].is_terminal:
        statuses.append(handle.status())
    assert (statuses[0].request_id, statuses[-1].status) == (job.request_id, "COMPLETED")
    assert 40 in [status.progress for status in statuses]
    assert not job.is_terminal, "what was submitted keeps its own status"


def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition that no call of this thread makes true."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_wait_goes_on_between_two_calls(emulated: Emulated) -> None:
    updates = emulated.client().submit("nano-banana-2", STEPS).updates()
    first = next(updates)
    polled = len(emulated.calls())
    until(lambda: len(emulated.calls()) > polled)
    assert not first.is_terminal
    assert list(updates)[-1].status == "COMPLETED"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the table of connections")
def test_a_connection_that_the_server_closes_between_two_calls() -> None:
    def is_open() -> bool:
        """Whether the client's end of the first connection is open."""
        rows = [row.split() for row in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
        port = f":{peer.seen[0].port:04X}"
        return any(row[1].endswith(port) and row[3] in ("01", "08") for row in rows)

    peer = Peer(idle_seconds=0.1)
    clipia = Clipia(KEY, base_url=peer.url, max_retries=0)
    clipia.status(ID)
    until(lambda: not is_open())
    assert clipia.status(ID).status == "IN_PROGRESS"
    assert peer.seen[0].port != peer.seen[1].port
    peer.close()


def test_a_long_call_beside_short_ones_of_other_threads(peer: Peer) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def respond(request: Request) -> Reply:
        if request.path.endswith("/long/status"):
            begun.set()
            may_end.wait(30)
        return running(request)

    peer.respond = respond
    clipia = Clipia(KEY, base_url=peer.url)
    with ThreadPoolExecutor(5) as threads:
        # It is the first to drive the connections of all, and then the last.
        long = threads.submit(clipia.status, "long")
        assert begun.wait(30)
        short = list(threads.map(lambda _: clipia.status(ID).status, range(200)))
        assert (set(short), long.done()) == ({"IN_PROGRESS"}, False)
        may_end.set()
        assert long.result(30).status == "IN_PROGRESS"
    assert clipia.status(ID).status == "IN_PROGRESS"


def test_a_submit_by_the_catalogue(sandbox: Clipia) -> None:
    job = sandbox.models.submit("nano-banana-2", input=IMAGE, idempotency_key="of-the-catalogue")
    assert job.wait(timeout=60).status == "COMPLETED"
    again = sandbox.submit("nano-banana-2", IMAGE, idempotency_key="of-the-catalogue")
    assert again.request_id == job.request_id
    with pytest.raises(clipia_queue.MaxCostExceeded):
        sandbox.models.submit("nano-banana-2", IMAGE, max_cost=0)


def test_the_catalogue(live: Clipia) -> None:
    models = live.models.list()
    slugs = [model["slug"] for model in models]
    assert "nano-banana-2" in slugs
    assert slugs == [model["slug"] for model in models["data"]]
    model = live.models.get("nano-banana-2")
    assert model["type"] == "image"
    assert "prompt" in [parameter["name"] for parameter in model["input_schema"]["parameters"]]
    estimate = live.models.estimate("nano-banana-2", IMAGE | {"promt": "a fox"})
    assert estimate.credits == live.submit("nano-banana-2", IMAGE).cost
    assert [(warning.code, warning.parameter) for warning in estimate.warnings] == [
        ("unknown_parameter", "promt")
    ]


def test_the_same_idempotency_key_finds_the_same_generation(live: Clipia) -> None:
    first = live.submit("nano-banana-2", IMAGE, idempotency_key="python-once")
    assert live.submit("nano-banana-2", IMAGE, idempotency_key="python-once").request_id == first.request_id
    with pytest.raises(clipia_queue.IdempotencyKeyReuse):
        live.submit("nano-banana-2", IMAGE | {"prompt": "a crow"}, idempotency_key="python-once")


def test_refusals(server: Server, live: Clipia) -> None:
    with pytest.raises(ClipiaApiError) as refused:
        Clipia("clipia_live_of_nobody", base_url=server.url).account.get()
    assert isinstance(refused.value, clipia_queue.InvalidApiKey)
    assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")
    assert refused.value.type == "authentication_error"

    with pytest.raises(ClipiaApiError) as refused:
        live.submit("nano-banana-2", {"prompt": 3})
    error = refused.value
    assert isinstance(error, clipia_queue.ModelInputInvalid)
    assert error.body is not None
    assert error.body["error"] == {"type": error.type, "code": error.code, "message": error.message}
    assert error.request_id is None

    with pytest.raises(clipia_queue.ModelNotFound):
        live.models.get("no-such-model")
    with pytest.raises(clipia_queue.NotFound) as missing:
        live.status(ID)
    assert missing.value.request_id == ID
    with pytest.raises(clipia_queue.WebhookUrlInvalid):
        live.submit("nano-banana-2", IMAGE, webhook_url="nowhere")


def test_threads_share_a_client(live: Clipia) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: live.subscribe("nano-banana-2", IMAGE, timeout=120), range(16)))
    assert {result.status for result in results} == {"COMPLETED"}
    assert len({result.request_id for result in results}) == 16


def test_other_threads_run_while_one_waits(peer: Peer) -> None:
    client = Clipia(KEY, base_url=peer.url)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.generation(ID).wait, 0.5)
        begun, turns = time.monotonic(), 0
        while not waiting.done():
            turns += 1
            time.sleep(0.001)
        assert time.monotonic() - begun > 0.3
    assert turns > 100
    assert isinstance(waiting.exception(), ClipiaTimeoutError)


@pytest.mark.parametrize(
    "wait",
    [
        lambda client: client.generation(ID).wait(timeout=0.3),
        lambda client: client.subscribe("nano-banana-2", IMAGE, timeout=0.3),
    ],
    ids=["wait", "subscribe"],
)
def test_a_wait_ends_at_its_deadline_with_the_id(peer: Peer, wait: Callable[[Clipia], object]) -> None:
    begun = time.monotonic()
    with pytest.raises(ClipiaTimeoutError, match=f"gave up waiting for {ID}") as raised:
        wait(Clipia(KEY, base_url=peer.url))
    assert time.monotonic() - begun < 3
    assert (raised.value.request_id, raised.value.timeout) == (ID, 0.3)
    assert isinstance(raised.value, TimeoutError)


@pytest.mark.parametrize(
    "wait",
    [
        lambda client: client.generation(ID).wait(),
        lambda client: client.subscribe("nano-banana-2", IMAGE, on_queue_update=print),
    ],
    ids=["wait", "subscribe"],
)
def test_ctrl_c_ends_a_wait_at_once_with_the_id(peer: Peer, wait: Callable[[Clipia], object]) -> None:
    peer.respond = running
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.monotonic())
        _thread.interrupt_main()

    timer = threading.Timer(0.5, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt) as raised:
        wait(Clipia(KEY, base_url=peer.url))
    assert time.monotonic() - pressed[0] < 0.5
    assert getattr(raised.value, "request_id", None) == ID
    timer.join()


def test_files_that_cannot_be_written(sandbox: Clipia, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(clipia_queue.DownloadFailed, match="cannot write") as raised:
        sandbox.submit("nano-banana-2", IMAGE).download(tmp_path / "out")
    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.__cause__.filename == str(tmp_path / "out")


def test_what_is_pending_is_listed_and_kept_in_a_file(emulated: Emulated, tmp_path: Path) -> None:
    file = tmp_path / "pending.jsonl"
    client = Clipia(emulated.key, base_url=emulated.emulator.url, pending_file=file)
    ended = client.submit("nano-banana-2", IMAGE)
    job = client.submit("nano-banana-2", {"prompt": "@stuck"}, idempotency_key=f"mine {emulated.key}")
    ended.wait(timeout=60)
    (pending,) = client.pending()
    assert (pending.model, pending.idempotency_key) == ("nano-banana-2", f"mine {emulated.key}")
    assert pending.request_id == job.request_id
    assert pending.submitted_at.tzinfo is not None
    assert job.request_id in repr(pending)
    assert job.request_id in file.read_text()
    with pytest.raises(ClipiaError, match="give each its own"):
        Clipia(emulated.key, base_url=emulated.emulator.url, pending_file=file)


def test_headers_of_the_caller_go_with_every_call(peer: Peer) -> None:
    with Clipia(KEY, base_url=peer.url, headers={"X-Team": "pictures"}) as client:
        client.status(ID)
    assert peer.seen[0].headers["x-team"] == "pictures"
    with pytest.raises(ValueError, match="the client sets it itself"):
        Clipia(KEY, headers={"Authorization": "secret"})
