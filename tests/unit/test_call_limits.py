"""Limits on calls, with many calls that come at once, before any of them is written."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from installation import ANN, BEN, NUMBERS, Installation

from maskline.domain.limits import Rate
from maskline.domain.trunk import WayOut
from maskline.engines.journal import Journal
from maskline.engines.switchboard import Switchboard
from maskline.operations import Context, Policy
from maskline.store import Transaction, open_store

AT_ONCE = 24


class Desk:
    """A switchboard with one open session, and calls of one of its participants."""

    def __init__(self, installation: Installation, journal: Journal) -> None:
        self.installation = installation
        self.policy = Policy(carriers=("acme", "globex"))
        self.switchboard = Switchboard(installation.store, self.context, journal)

    def context(self, tx: Transaction) -> Context:
        return self.installation.context(tx)._replace(account_id="", policy=self.policy)

    async def rule(self, connector: str, **rules: int) -> None:
        await self.installation.call(
            "PutVoiceConnectorRules", "maskline", VoiceConnectorId=connector, **rules
        )

    async def dial(self) -> dict[str, Any]:
        call = {"CarrierName": "acme", "Caller": ANN, "Called": NUMBERS[0]}
        answer: dict[str, Any] = await self.switchboard.ask("RouteCall", call)
        return answer

    async def dial_at_once(self) -> list[dict[str, Any]]:
        answers = await asyncio.gather(*(self.dial() for _ in range(AT_ONCE)))
        await self.switchboard.drain()
        return list(answers)

    def report(self, answer: dict[str, Any], event: str, **more: Any) -> None:
        told = {"CallId": answer["CallId"], "Event": event, **more}
        self.switchboard.ask("ReportCall", {"Timestamp": self.installation.clock(), **told})


@pytest.fixture
async def desk(store_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    store = open_store(store_url, tmp_path / "key")
    desk = Desk(Installation(store), Journal(tmp_path))
    yield desk
    store.close()


@pytest.fixture
async def connector(desk: Desk) -> str:
    connector = await desk.installation.prepare(*NUMBERS)
    await desk.installation.open(connector, ANN, BEN)
    return connector


@pytest.mark.parametrize(
    ("rule", "status"), [({"MaxCalls": 5}, 503), ({"MaxCallsPerCaller": 5}, 486)]
)
async def test_of_calls_that_come_at_once_as_many_pass_as_may(
    desk: Desk, connector: str, rule: dict[str, int], status: int
) -> None:
    await desk.rule(connector, **rule)
    answers = await desk.dial_at_once()
    passed = [answer for answer in answers if answer["Decision"] == "Connect"]
    assert len(passed) == 5
    assert {one["SipStatus"] for one in answers if one not in passed} == {status}
    assert (await desk.dial())["Decision"] == "Reject"
    desk.report(passed[0], "Ended", SipStatus=200, EndedBy="caller")
    await desk.switchboard.drain()
    assert [(await desk.dial())["Decision"] for _ in range(2)] == ["Connect", "Reject"]


async def test_a_carrier_gets_no_more_calls_at_once_than_it_takes(
    desk: Desk, connector: str
) -> None:
    ways = {"acme": WayOut(failover=("globex",), max_calls=5), "globex": WayOut(max_calls=7)}
    desk.policy = Policy(carriers=("acme", "globex"), ways=ways)
    answers = await desk.dial_at_once()
    taken = Counter(answer.get("CarrierName", answer["Reason"]) for answer in answers)
    assert taken == {"acme": 5, "globex": 7, "no-carrier": AT_ONCE - 12}


async def test_a_carrier_gets_no_more_calls_a_second_than_it_takes(
    desk: Desk, connector: str
) -> None:
    ways = {"acme": WayOut(failover=("globex",), max_calls_per_second=5)}
    desk.policy = Policy(carriers=("acme", "globex"), ways=ways, rate=Rate(lambda: 1))
    taken = Counter(answer["CarrierName"] for answer in await desk.dial_at_once())
    assert taken == {"acme": 5, "globex": AT_ONCE - 5}


async def test_a_call_that_fails_over_counts_for_whom_it_comes_to(
    desk: Desk, connector: str
) -> None:
    ways = {"acme": WayOut(failover=("globex",)), "globex": WayOut(max_calls_per_second=2)}
    rate = Rate(lambda: 1)
    desk.policy = Policy(carriers=("acme", "globex"), ways=ways, rate=rate)
    rings, fails, stays = [await desk.dial() for _ in range(3)]
    desk.report(rings, "Ringing", CarrierName="globex")
    desk.report(fails, "Ended", SipStatus=486, EndedBy="called", CarrierName="globex")
    desk.report(stays, "Ringing", CarrierName="acme")
    await desk.switchboard.drain()
    assert rate.full("carrier globex", 2)
    assert not rate.full("carrier globex", 3)
    for event in ("Answered", "Ended"):
        desk.report(rings, event, CarrierName="globex")
    await desk.switchboard.drain()
    assert not rate.full("carrier globex", 3)


async def test_a_place_that_a_carrier_has_no_time_for_is_free_again(
    desk: Desk, connector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call went to another carrier: it fills none of the first one's places. Others took the
    second's calls while it was decided."""
    monkeypatch.setattr(Rate, "full", lambda *_: False)
    monkeypatch.setattr("maskline.engines.ledger.GATHER_SECONDS", 1)  # the store tells of none
    now = 1
    ways = {"acme": WayOut(failover=("globex",), max_calls=2, max_calls_per_second=1)}
    rate = Rate(lambda: now)
    desk.policy = Policy(carriers=("acme", "globex"), ways=ways, rate=rate)
    assert [(await desk.dial())["CarrierName"] for _ in range(3)] == ["acme", "globex", "globex"]
    now += 1000
    assert (await desk.dial())["CarrierName"] == "acme"
    await desk.switchboard.drain()


async def test_a_decision_that_fails_takes_no_place(
    desk: Desk, connector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.rule(connector, MaxCalls=1)
    with monkeypatch.context() as broken:
        broken.setattr("maskline.operations.calls.record_of", None)
        with pytest.raises(TypeError):
            await desk.dial()
    assert (await desk.dial())["Decision"] == "Connect"
