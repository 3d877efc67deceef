"""Calls that the keeper hangs up."""

import asyncio
import gc

import pytest
from keeper_stage import House, end_of, hang_up

from maskline import operations
from maskline.domain.causes import FAILURE
from maskline.engines import keeper
from maskline.engines.keeper import Keeper
from maskline.operations import Policy


async def test_the_calls_of_a_deleted_session_are_hung_up(house: House) -> None:
    call_id = await house.dial()
    await house.answer(call_id)
    await house.keeper.hang_up_due()
    assert house.engines.hung_up == []
    await house.do("chime-sdk-voice", "DeleteProxySession", **house.session)
    await house.keeper.hang_up_due()
    await house.settled()
    assert sorted(house.engines.hung_up) == ["a", "b"]
    assert await house.live() == []


@pytest.mark.parametrize(("answers", "status"), [((200, 481), 200), ((None, 503), 500)])
async def test_a_call_that_a_phone_takes_the_end_of_is_not_lost(
    house: House, answers: tuple[int | None, int | None], status: int
) -> None:
    """Also when nothing was reported yet as the phone answered, or in the same millisecond."""
    house.engines.answers = dict(zip("ab", answers, strict=True))
    await house.answer(call_id := await house.dial())
    await house.do("chime-sdk-voice", "DeleteProxySession", **house.session)
    await house.keeper.hang_up_due()
    await house.settled()
    assert await end_of(house, call_id) == ("us", status)
    ended = {"CallId": call_id, "Event": "Ended", "EndedBy": "us", "SipStatus": 200}
    await house.do("switch", "ReportCall", **ended, Timestamp=house.now)
    assert await end_of(house, call_id) == ("us", 200)


async def test_who_cannot_be_reached_is_hung_up_later(house: House) -> None:
    """Also by the next process, and where the other side hung up, and nobody could be told: that
    ended the call."""
    await house.answer(call_id := await house.dial())
    house.engines.unreached = ["b", "b", "b"]
    stranded = {"CallId": call_id, "Event": "Stranded", "Timestamp": house.now}
    await house.do("switch", "ReportCall", **stranded, EndedBy="caller", SipStatus=200)
    assert await house.live() == []
    assert await hang_up(house, house.keeper) == ["a", "b"]
    assert house.engines.held == set()
    assert await hang_up(house, house.keeper, 4_999) == []
    assert await hang_up(house, house.keeper, 1) == ["b"]
    later = Keeper(house.store, house.engines, house.engines, house.context, "")
    assert await hang_up(house, later, 5_000) == ["b"]
    assert await hang_up(house, later, 10_000) == ["b"]
    assert await hang_up(house, later, 60_000) == []
    assert await end_of(house, call_id) == ("caller", 200)


async def test_who_is_reached_late_ends_no_call_anew(house: House) -> None:
    """What is reported of our BYE would have the record say that the call was to end, and then."""
    await house.answer(await house.dial())
    house.engines.held.clear()
    house.engines.answers = {"a": 503, "b": 503}
    house.now += keeper.SETTLE_MILLISECONDS
    await house.keeper.reconcile()
    await house.settled()
    assert house.engines.causes == {FAILURE}
    house.engines.causes.clear()
    assert await hang_up(house, house.keeper, 5_000) == ["a", "b"]
    assert house.engines.causes == {None}


@pytest.mark.parametrize(("status", "tries"), [(503, 24), (408, 4), (None, 24), (481, 1)])
async def test_who_is_never_reached_is_given_up(
    house: House, status: int | None, tries: int
) -> None:
    """A phone that does not answer gets the half minute of a BYE; where there is no way to it, its
    connection may come back."""
    house.engines.answers = {"b": status}
    await house.answer(await house.dial())
    await house.do("chime-sdk-voice", "DeleteProxySession", **house.session)
    assert await hang_up(house, house.keeper) == ["a", "b"]
    again = [await hang_up(house, house.keeper, 1_000) for _ in range(900)]
    assert again.count(["b"]) == tries - 1
    assert again.count([]) == 900 - (tries - 1)
    assert again[-60:] == [[]] * 60


async def test_who_a_dead_node_could_not_reach_is_hung_up_by_another(house: House) -> None:
    await house.answer(call_id := await house.dial())
    house.engines.answers = {"a": 503}
    own = Keeper(house.store, house.engines, house.engines, house.context, call_id[:8])
    await house.do("chime-sdk-voice", "DeleteProxySession", **house.session)
    assert await hang_up(house, own) == ["a", "b"]
    other = Keeper(house.store, house.engines, house.engines, house.context, "elsewhere")
    assert await hang_up(house, other, 19_999) == []
    assert await hang_up(house, other, 1) == ["a"]


async def test_a_ringing_call_of_a_deleted_session_is_given_up(house: House) -> None:
    """Its record waits for the report of its end; answered at this moment, it is hung up soon."""
    call_id = await house.dial()
    await house.do("chime-sdk-voice", "DeleteProxySession", **house.session)
    await house.keeper.hang_up_due()
    await house.settled()
    assert (house.engines.cancelled, house.engines.hung_up) == ([call_id], [])
    assert [call.call_id for call in await house.live()] == [call_id]
    await house.answer(call_id)
    house.now += operations.calls.CANCEL_AGAIN
    await house.keeper.hang_up_due()
    await house.settled()
    assert (house.engines.cancelled, sorted(house.engines.hung_up)) == ([call_id], ["a", "b"])


async def test_a_call_without_an_offer_may_ring(house: House) -> None:
    """rtpengine knows nothing of it yet; it is no call that was lost."""
    call_id = await house.dial()
    house.engines.held.clear()
    house.engines.ringing.add(call_id)
    house.now += keeper.SETTLE_MILLISECONDS
    await house.keeper.reconcile()
    await house.settled()
    assert [call.call_id for call in await house.live()] == [call_id]


async def test_a_call_is_hung_up_at_its_longest(house: House) -> None:
    call_id = await house.dial()
    await house.answer(call_id)
    house.now += Policy().rules.max_call_seconds * 1000
    await house.keeper.hang_up_due()
    await house.settled()
    assert sorted(house.engines.hung_up) == ["a", "b"]


async def test_a_call_being_hung_up_is_not_hung_up_again(house: House) -> None:
    house.engines.deaf.clear()
    call_id = await house.dial()
    await house.answer(call_id)
    await house.do("chime-sdk-voice", "DeleteProxySession", **house.session)
    for _ in range(3):
        await house.keeper.hang_up_due()
        house.now += 60_000
        await asyncio.sleep(0)
    house.engines.deaf.set()
    await house.settled()
    assert sorted(house.engines.hung_up) == ["a", "b"]


async def test_silent_phones_keep_nobody_from_being_hung_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "PLACE_SECONDS", 0.01)
    own = Keeper(house.store, house.engines, house.engines, house.context, "")
    own._places = asyncio.Semaphore(1)
    house.engines.deaf.clear()
    for _ in range(3):
        await house.answer(await house.dial())
    await house.do("chime-sdk-voice", "DeleteProxySession", **house.session)
    await own.hang_up_due()
    async with asyncio.timeout(5):
        while len(house.engines.hung_up) < 6:
            await asyncio.sleep(0.001)
    house.engines.deaf.set()
    await asyncio.wait(list(own._ending.values()))
    assert await house.live() == []


async def test_a_stop_in_the_midst_of_a_hang_up_is_no_fault(house: House) -> None:
    faults: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context))
    before = asyncio.all_tasks()
    house.engines.deaf.clear()
    await house.answer(await house.dial())
    await house.do("chime-sdk-voice", "DeleteProxySession", **house.session)
    await house.keeper.hang_up_due()
    async with asyncio.timeout(5):
        while len(house.engines.hung_up) < 2:
            await asyncio.sleep(0.001)
    begun = asyncio.all_tasks() - before
    for task in begun:
        task.cancel()
    await asyncio.wait(begun)
    del begun, task
    gc.collect()
    assert faults == []
