"""Calls that are over without anybody's hanging up, and what is done without a store."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from keeper_stage import LEGS, Engines, House, hang_up

from maskline.domain.call import Call
from maskline.domain.causes import FAILURE, NORMAL
from maskline.engines import keeper
from maskline.engines.keeper import Keeper
from maskline.store import StoreFailed


async def test_a_call_without_sound_is_over(house: House) -> None:
    """As after a restart of rtpengine: both sides are told, the record is ended by us."""
    kept, lost = await house.dial(), await house.dial()
    await house.answer(kept)
    await house.answer(lost)
    house.engines.held.remove(lost)
    house.now += keeper.SETTLE_MILLISECONDS
    await house.keeper.reconcile()
    await house.settled()
    assert [call.call_id for call in await house.live()] == [kept]
    assert sorted(house.engines.hung_up) == ["a", "b"]
    assert house.engines.causes == {FAILURE}
    record = (await house.do("maskline", "GetCall", CallId=lost))["Call"]
    assert (record["EndedBy"], record["SipStatus"], record["Cause"]) == ("us", 200, FAILURE)


async def test_an_answered_call_of_which_nothing_is_heard_for_a_minute_is_over(
    house: House,
) -> None:
    """Two phones have died. While one rings nobody need send any, and it may be answered then."""
    rings = await house.dial()
    await house.answer(call_id := await house.dial())
    house.engines.heard_at = dict.fromkeys((rings, call_id), house.now // 1000 - 1000)
    house.now += 59_999
    await house.keeper.reconcile()
    await house.settled()
    assert house.engines.hung_up == []
    house.now += 1
    await house.keeper.reconcile()
    await house.settled()
    assert [call.call_id for call in await house.live()] == [rings]
    assert house.engines.held == {rings}
    assert house.engines.causes == {FAILURE}


@pytest.mark.parametrize(("of", "cause"), [("its own", NORMAL), ("another", FAILURE)])
async def test_a_call_that_another_node_hangs_up_has_lost_its_own(
    house: House, of: str, cause: int
) -> None:
    await house.answer(call_id := await house.dial())
    await house.do("chime-sdk-voice", "DeleteProxySession", **house.session)
    node = call_id[:8] if of == "its own" else of
    keeper = Keeper(house.store, house.engines, house.engines, house.context, node)
    assert await hang_up(house, keeper, 15_000) == ["a", "b"]
    assert house.engines.causes == {cause}
    record = (await house.do("maskline", "GetCall", CallId=call_id))["Call"]
    assert (record["EndedBy"], record["SipStatus"], record["Cause"]) == ("us", 200, cause)


@pytest.mark.parametrize("alone", [False, True])
async def test_what_is_heard_again_of_a_call_that_another_node_saw_end_is_ended(
    house: House, alone: bool
) -> None:
    """Who is alone saw the end, and asks rtpengine for nothing."""
    engines, others = house.engines, Engines(alone=alone)
    own = Keeper(house.store, engines, engines, house.context, "", others)
    await house.answer(over := await house.dial())
    await house.answer(up := await house.dial())
    await own.reconcile()
    ended = {"CallId": over, "Event": "Ended", "EndedBy": "called", "SipStatus": 200}
    await house.do("switch", "ReportCall", **ended, Timestamp=house.now)
    await own.reconcile()
    assert engines.held == {over, up}  # what the other node ended, an answer has begun anew
    house.now += keeper.LATE_MILLISECONDS - 1
    await own.reconcile()
    engines.silent = True
    house.now += 1
    await own.reconcile()
    engines.silent = False
    assert engines.held == {over, up}
    await own.reconcile()
    assert engines.held == ({over, up} if alone else {up})


async def test_sound_is_ended_at_whatever_node_has_it(house: House) -> None:
    """Of a call that found its own rtpengine down, and whose BYEs reach nobody."""
    elsewhere = Engines()
    own = Keeper(house.store, house.engines, house.engines, house.context, "", elsewhere)
    await house.answer(call_id := await house.dial())
    house.engines.held, elsewhere.held = set(), {call_id}
    house.now += keeper.SETTLE_MILLISECONDS
    await own.reconcile()
    assert not own._ending
    await house.do("chime-sdk-voice", "DeleteProxySession", **house.session)
    assert await hang_up(house, own) == ["a", "b"]
    assert elsewhere.held == set()


async def test_a_call_that_never_rang_out_is_completed(house: House) -> None:
    call_id = await house.dial()
    house.engines.held.remove(call_id)
    house.now += keeper.SETTLE_MILLISECONDS
    await house.keeper.reconcile()
    await house.settled()
    assert house.engines.hung_up == []
    record = await house.do("maskline", "GetCall", CallId=call_id)
    assert record["Call"]["EndedBy"] == "us"


async def test_what_rang_when_kamailio_was_started_is_over(house: House) -> None:
    """rtpengine would hold it for minutes, and it would count for limits."""
    await house.answer(answered := await house.dial())
    lost = await house.dial()
    house.keeper.carry(house.now + 1)
    house.now += keeper.SETTLE_MILLISECONDS
    house.engines.ringing.add(later := await house.dial())
    house.now += keeper.SETTLE_MILLISECONDS
    await house.keeper.reconcile()
    await house.settled()
    assert {call.call_id for call in await house.live()} == {answered, later} == house.engines.held
    assert house.engines.hung_up == []
    record = await house.do("maskline", "GetCall", CallId=lost)
    assert (record["Call"]["EndedBy"], record["Call"]["SipStatus"]) == ("us", 500)


async def test_a_call_of_this_moment_is_left_alone(house: House) -> None:
    call_id = await house.dial()
    house.engines.held.clear()
    await house.keeper.reconcile()
    await house.settled()
    assert [call.call_id for call in await house.live()] == [call_id]


async def test_while_rtpengine_is_silent_nothing_is_concluded(house: House) -> None:
    await house.dial()
    house.engines.held.clear()
    house.engines.silent = True
    house.now += keeper.SETTLE_MILLISECONDS
    await house.keeper.reconcile()
    await house.settled()
    assert len(await house.live()) == 1


async def test_the_calls_of_another_node_are_left_alone(house: House) -> None:
    call_id = await house.dial()
    await house.answer(call_id)
    house.engines.held.clear()
    house.now += keeper.SETTLE_MILLISECONDS
    elsewhere = Keeper(house.store, house.engines, house.engines, house.context, "elsewhere")
    await elsewhere.reconcile()
    await elsewhere.farewell()
    assert [call.call_id for call in await house.live()] == [call_id]
    own = Keeper(house.store, house.engines, house.engines, house.context, call_id[:8])
    await own.farewell()
    assert await house.live() == []


async def test_a_farewell_ends_every_call(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "FAREWELL_SECONDS", 1.0)
    answered, ringing = await house.dial(), await house.dial()
    await house.answer(answered)
    await house.keeper.farewell()
    assert [call.call_id for call in await house.live()] == [ringing]
    assert set(house.engines.cancelled) == {ringing}


async def test_a_farewell_needs_no_store(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be away just then; what is told of calls until it is back is known beside it. Those
    whose records cannot be written keep no others from being hung up."""

    async def away(_work: Any, **_how: Any) -> Any:
        if house.engines.hung_up:
            await asyncio.sleep(60)
        raise StoreFailed("away")

    def told(calls: Sequence[Call]) -> list[Call]:
        answered = [replace(call, answered_at=1, legs=tuple(LEGS)) for call in calls]
        return [] if house.engines.hung_up else [call for call in answered if call.call_id != over]

    monkeypatch.setattr(keeper, "FAREWELL_SECONDS", 1.0)
    monkeypatch.setattr(keeper, "HANG_UPS_AT_ONCE", 1)
    for _ in range(3):
        over = await house.dial()
    own = Keeper(house.store, house.engines, house.engines, house.context, "", live=told)
    await own.reconcile()
    monkeypatch.setattr(house.store, "read", away)
    monkeypatch.setattr(house.store, "write", away)
    await own.farewell()
    assert sorted(house.engines.hung_up) == ["a", "a", "b", "b"]


async def test_work_that_fails_is_done_again() -> None:
    rounds = []

    async def work() -> None:
        rounds.append(None)
        if len(rounds) < 3:
            raise OSError("disk full")
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keeper.again(work, 0)
    assert len(rounds) == 3
