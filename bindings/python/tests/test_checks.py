"""Checks before anything is paid: `check` and `max_cost`."""

from __future__ import annotations

import math
import pickle

import pytest

import clipia_queue
from clipia_queue import AsyncClipia, Clipia, ClipiaValueError, InputInvalid, MaxCostExceeded
from peer import ID, KEY, Peer, Reply, Request, example
from test_sync import IMAGE

WRONG = {"prompt": 3, "resolution": "0.5K", "sede": 7}


def test_an_input_that_is_right(live: Clipia) -> None:
    assert live.check("nano-banana-2", IMAGE) == []
    (warning,) = live.check("nano-banana-2", IMAGE | {"promt": "a fox"})
    assert (warning.code, warning.parameter) == ("unknown_parameter", "promt")
    assert "did you mean `prompt`?" in warning.message


async def test_an_input_that_is_right_async(async_live: AsyncClipia) -> None:
    assert await async_live.check("nano-banana-2", IMAGE) == []
    (warning,) = await async_live.check("nano-banana-2", IMAGE | {"promt": "a fox"})
    assert warning.parameter == "promt"


def check_exception(error: InputInvalid) -> None:
    assert (error.model, error.code, error.status) == ("nano-banana-2", "model_input_invalid", 0)
    (fault,) = error.faults
    assert (fault.parameter, fault.message) == ("prompt", "`prompt` must be a string; got 3")
    assert error.argument == "input"
    assert [warning.parameter for warning in error.warnings] == ["sede"]
    assert fault.message in str(error)
    # A handler for the server's error about an input handles this, too.
    assert isinstance(error, clipia_queue.ModelInputInvalid)
    assert isinstance(error, ValueError)
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), vars(copied)) == (str(error), vars(error))


def test_an_input_that_is_wrong(live: Clipia) -> None:
    with pytest.raises(InputInvalid) as raised:
        live.check("nano-banana-2", WRONG)
    check_exception(raised.value)
    with pytest.raises(clipia_queue.ModelNotFound):
        live.check("no-such-model", WRONG)


async def test_an_input_that_is_wrong_async(async_live: AsyncClipia) -> None:
    with pytest.raises(InputInvalid) as raised:
        await async_live.check("nano-banana-2", WRONG)
    check_exception(raised.value)


def test_a_price_above_max_cost_is_not_submitted(live: Clipia) -> None:
    price = live.models.estimate("nano-banana-2", IMAGE).credits
    before = live.account.get()["balance"]["credits"]
    for call in (live.submit, live.subscribe):
        with pytest.raises(MaxCostExceeded, match=f"this costs {price} credits") as raised:
            call("nano-banana-2", IMAGE, max_cost=price - 1)
        assert (raised.value.estimate, raised.value.max_cost) == (price, price - 1)
        assert raised.value.model == "nano-banana-2"
    assert live.account.get()["balance"]["credits"] == before
    assert live.submit("nano-banana-2", IMAGE, max_cost=price).cost == price
    assert live.subscribe("nano-banana-2", IMAGE, max_cost=price, timeout=60).cost == price


async def test_a_price_above_max_cost_is_not_submitted_async(async_live: AsyncClipia) -> None:
    price = (await async_live.models.estimate("nano-banana-2", IMAGE)).credits
    for call in (async_live.submit, async_live.subscribe):
        with pytest.raises(MaxCostExceeded) as raised:
            await call("nano-banana-2", IMAGE, max_cost=price - 1)
        assert (raised.value.estimate, raised.value.max_cost) == (price, price - 1)
    assert (await async_live.submit("nano-banana-2", IMAGE, max_cost=price)).cost == price


def test_max_cost_estimates_first(peer: Peer) -> None:
    def respond(request: Request) -> Reply:
        return Reply(
            example("EstimateResponse.flat" if request.path.endswith("/estimate") else "Account.new")
        )

    peer.respond = respond
    with pytest.raises(MaxCostExceeded):
        Clipia(KEY, base_url=peer.url).submit("nano-banana-2", IMAGE, max_cost=0)
    assert [request.path for request in peer.seen] == ["/v1/models/nano-banana-2/estimate"]


def test_costs_may_be_fractions(peer: Peer) -> None:
    peer.respond = lambda _: Reply({"credits": 4.5, "request_id": ID, "status": "IN_QUEUE", "cost": 4.5})
    clipia = Clipia(KEY, base_url=peer.url)
    for cost in (4, 4.25):
        with pytest.raises(MaxCostExceeded, match=r"4\.5 credits") as raised:
            clipia.submit("nano-banana-2", IMAGE, max_cost=cost)
        assert (raised.value.estimate, raised.value.max_cost) == (4.5, cost)
    assert clipia.submit("nano-banana-2", IMAGE, max_cost=4.5).cost == 4.5
    asked = len(peer.seen)
    for cost in (-1, math.nan, math.inf, 2**70):
        with pytest.raises(ClipiaValueError, match="is not an amount of credits"):
            clipia.submit("nano-banana-2", IMAGE, max_cost=cost)
    assert len(peer.seen) == asked
