"""The keeper against a real store and a stand-in for the engines."""

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from maskline import operations
from maskline.domain.call import Call
from maskline.domain.causes import FAILURE, NORMAL
from maskline.engines import keeper
from maskline.engines.keeper import Keeper
from maskline.engines.ng import NgSilence
from maskline.operations import TABLE, Context, Policy
from maskline.operations.calls import recorded_call
from maskline.store import Store, StoreFailed, Transaction, open_store

ANN, BEN, PROXY = "+12065550100", "+14015550101", "+19135550199"
LEGS = [
    {"CallId": "a", "From": "<sip:a>", "To": "<sip:b>", "Target": "sip:a"},
    {"CallId": "b", "From": "<sip:c>", "To": "<sip:d>", "Target": "sip:b"},
]


class Engines:
    """Remembers who was hung up; `held` are the calls whose sound is relayed."""

    def __init__(self, *, alone: bool = False) -> None:
        self.alone = alone
        self.held: set[str] = set()
        self.heard_at: dict[str, int] = {}  # in seconds; of others just now
        self.hung_up: list[str] = []
        self.causes: set[int | None] = set()
        self.cancelled: list[str] = []
        self.ringing: set[str] = set()
        self.silent = False
        self.deaf = asyncio.Event()
        self.deaf.set()
        self.unreached: list[str] = []
        self.answers: dict[str, int | None] = {}

    async def hang_up(self, leg: Mapping[str, str], cause: int | None = NORMAL) -> int | None:
        self.hung_up.append(leg["CallId"])
        self.causes.add(cause)
        await self.deaf.wait()
        if leg["CallId"] in self.unreached:
            self.unreached.remove(leg["CallId"])
            return 503
        return self.answers.get(leg["CallId"], 200)

    async def cancel(self, call_id: str) -> int | None:
        self.cancelled.append(call_id)
        return 200

    async def rings(self, call_id: str) -> bool | None:
        return call_id in self.ringing

    async def holds(self, call_id: str, heard_since: int = 0) -> bool:
        if self.silent:
            raise NgSilence("no answer")
        return call_id in self.held and self.heard_at.get(call_id, heard_since) >= heard_since

    async def release(self, call_id: str) -> None:
        self.held.discard(call_id)


class House:
    """A service without a network: one session between two people, and a clock."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 1_000_000_000_000
        self.engines = Engines()
        self.keeper = Keeper(store, self.engines, self.engines, self.context, "")
        self.account_id = ""

    def context(self, tx: Transaction) -> Context:
        return Context(
            tx=tx,
            account_id=self.account_id,
            now=self.now,
            new_id=lambda: str(uuid4()),
            policy=Policy(carriers=("acme",)),
        )

    async def do(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        function = TABLE[service, operation].function
        return await self.store.write(lambda tx: function(self.context(tx), request))

    async def furnish(self) -> None:
        made = await self.store.write(lambda tx: operations.bootstrap_account(self.context(tx)))
        assert made is not None
        self.account_id = made.account_id
        await self.do(
            "maskline", "ImportPhoneNumbers",
            CarrierName="acme", E164PhoneNumbers=[PROXY], Shared=True,
        )  # fmt: skip
        voice = "chime-sdk-voice"
        made_connector = await self.do(
            voice, "CreateVoiceConnector", Name="c", RequireEncryption=False
        )
        connector = {"VoiceConnectorId": made_connector["VoiceConnector"]["VoiceConnectorId"]}
        await self.do(
            voice, "PutVoiceConnectorProxy", **connector,
            DefaultSessionExpiryMinutes=60, PhoneNumberPoolCountries=["US"],
        )  # fmt: skip
        answer = await self.do(
            voice, "CreateProxySession", **connector,
            ParticipantPhoneNumbers=[ANN, BEN], Capabilities=["Voice"],
        )  # fmt: skip
        session = answer["ProxySession"]
        self.session = {name: session[name] for name in ("VoiceConnectorId", "ProxySessionId")}

    async def dial(self) -> str:
        answer = await self.do("switch", "RouteCall", CarrierName="acme", Caller=ANN, Called=PROXY)
        assert answer["Decision"] == "Connect"
        self.engines.held.add(answer["CallId"])
        call_id: str = answer["CallId"]
        return call_id

    async def answer(self, call_id: str) -> None:
        await self.do(
            "switch", "ReportCall",
            CallId=call_id, Event="Answered", Timestamp=self.now, Legs=LEGS,
        )  # fmt: skip

    async def live(self) -> list[Call]:
        return await self.store.read(lambda tx: operations.live_calls(self.context(tx)))

    async def settled(self) -> None:
        """Returns when the keeper has ended what it started to end."""
        while tasks := list(self.keeper._ending.values()):
            await asyncio.wait(tasks)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = open_store(f"sqlite:{tmp_path / 'maskline.db'}")
    house = House(store)
    await house.furnish()
    yield house
    store.close()


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


async def end_of(house: House, call_id: str) -> tuple[str | None, int | None]:
    call = await house.store.read(lambda tx: recorded_call(house.context(tx), call_id))
    assert call is not None
    return call.ended_by, call.sip_status


async def hang_up(house: House, keeper: Keeper, after: int = 0) -> list[str]:
    """Who is hung up so many milliseconds later."""
    house.now += after
    house.engines.hung_up.clear()
    await keeper.hang_up_due()
    while tasks := list(keeper._ending.values()):
        await asyncio.wait(tasks)
    return sorted(house.engines.hung_up)


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
