"""Trunks: targets that come, go, fail and recover, with probes that a test decides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import nameserver
import pytest
from waiting import beside, until

from maskline.domain.trunk import Target
from maskline.engines import trunks
from maskline.engines.resolver import Resolver
from maskline.engines.trunks import Trunks
from maskline.settings import Address, CarrierSip, CarrierTarget, Endpoint, Source

ONE, TWO = "192.0.2.1:5060", "192.0.2.2:5060"


def sip(**choices: Any) -> CarrierSip:
    given = {
        "address": Endpoint.parse(ONE),
        "sources": (Source("192.0.2.1"),),
        "probe_seconds": 30,
    }
    return CarrierSip(**given | choices)


class Stage:
    """Trunks at work; `alive` are the addresses that answer."""

    def __init__(self, settings: dict[str, CarrierSip], port: int = 9) -> None:
        self.alive: set[str] = set()
        self.down: set[str] = set()
        self.probed: list[str] = []
        self.hold: Callable[[], Awaitable[object]] | None = None  # of who is probed
        self.told: list[dict[str, Any]] = []
        resolver = Resolver([Address("127.0.0.1", port)], [("udp", 4), ("tcp", 4), ("tls", 4)])
        self.trunks = Trunks(settings, resolver, self.down, lambda: 1000)

    async def probe(self, _carrier: str, target: Target) -> bool:
        self.probed.append(target.address)
        if self.hold and target.address == TWO:
            await self.hold()
        return target.address in self.alive

    async def tell(self, reports: dict[str, Any]) -> None:
        self.told.append(reports)

    def addresses(self, *names: str) -> list[str]:
        return [target.address for _, target in self.trunks.order(names)]

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with beside(self.trunks.keep(self.probe, self.tell)), asyncio.timeout(20):
            await self.trunks.ready.wait()
            yield


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RECONNECT_SECONDS", "HURRY_SECONDS", "DOWN_SECONDS", "UNRESOLVED_SECONDS"):
        monkeypatch.setattr(trunks, name, 0.02)


async def test_a_dead_trunk_is_down_and_comes_back() -> None:
    stage = Stage({"acme": sip()})
    async with stage.at_work():
        assert stage.down == {"acme"}
        assert stage.addresses("acme") == []
        stage.alive = {ONE}
        await until(lambda: not stage.down)
        assert stage.addresses("acme") == [ONE]


async def test_a_failed_call_has_its_trunk_looked_at_now() -> None:
    stage = Stage({"acme": sip()})
    stage.alive = {ONE}
    async with stage.at_work():
        assert not stage.down
        stage.alive = set()
        stage.trunks.suspect("acme", ONE)
        await until(lambda: stage.down == {"acme"})


async def test_a_trunk_whose_connection_was_closed_is_looked_at_and_goes_on_taking_calls() -> None:
    second = CarrierTarget(address=Endpoint.parse(TWO))
    stage = Stage({"acme": sip(targets=(second,))})
    stage.alive = {ONE, TWO}
    async with stage.at_work():
        stage.trunks.disconnected("acme")
        stage.trunks.disconnected("nobody")
        await until(lambda: sorted(stage.probed) == [ONE, ONE, TWO, TWO])
        assert stage.addresses("acme") == [ONE, TWO]


async def test_all_are_looked_at_when_kamailio_was_started() -> None:
    """Also those that were looked at a moment ago, while another one's answer is waited for."""
    second, held = CarrierTarget(address=Endpoint.parse(TWO)), asyncio.Event()
    stage = Stage({"acme": sip(targets=(second,)), "globex": sip()})
    stage.alive = {ONE, TWO}
    async with stage.at_work():
        assert sorted(stage.probed) == [ONE, ONE, TWO]
        stage.trunks.look_again()
        await until(lambda: sorted(stage.probed) == [ONE] * 4 + [TWO] * 2)
        stage.hold = held.wait
        stage.trunks.look_again()
        await until(lambda: stage.probed.count(TWO) == 3)
        stage.trunks.look_again()
        held.set()
        await until(lambda: stage.probed.count(ONE) == 8)


async def test_targets_are_tried_by_priority_and_the_one_that_failed_last() -> None:
    second = CarrierTarget(address=Endpoint.parse(TWO))
    stage = Stage({"acme": sip(targets=(second,), probe_seconds=0), "globex": sip()})
    stage.alive = {ONE}
    async with stage.at_work():
        assert stage.addresses("acme") == [ONE, TWO]
        assert stage.addresses("acme", "globex") == [ONE, TWO, ONE]
        stage.trunks.suspect("acme", ONE)
        assert stage.addresses("acme") == [TWO, ONE]
        assert stage.addresses("nobody") == []


async def test_many_places_of_a_carrier_leave_one_to_each_that_may_replace_it() -> None:
    """Of four in all; where a call failed is still the last choice."""
    more = tuple(
        CarrierTarget(address=Endpoint.parse(f"192.0.2.{n}:5060"), priority=n) for n in range(2, 7)
    )
    names = ("acme", "globex", "initech", "umbrella", "hooli")
    elsewhere = {name: f"198.51.100.{n}:5060" for n, name in enumerate(names)}
    settings = {
        name: sip(address=Endpoint.parse(elsewhere[name]), probe_seconds=0) for name in names
    }
    stage = Stage(settings | {"acme": sip(targets=more, probe_seconds=0)})
    async with stage.at_work():
        four = [ONE, *(str(one.address) for one in more[:3])]
        assert stage.addresses("acme") == four
        assert stage.addresses("acme", "globex") == [*four[:3], elsewhere["globex"]]
        stage.trunks.suspect("acme", ONE)
        assert stage.addresses("acme", "globex") == [*four[1:], elsewhere["globex"]]
        stage.trunks.suspect("globex", elsewhere["globex"])
        kept = [four[1], elsewhere["initech"], elsewhere["umbrella"], elsewhere["globex"]]
        assert stage.addresses("acme", "globex", "initech", "umbrella") == kept
        assert len(stage.addresses(*names)) == len({*stage.addresses(*names)}) == 4


async def test_over_tls_nothing_is_sent_before_a_certificate_was_seen() -> None:
    stage = Stage({"acme": sip(transport="tls", probe_seconds=None)})
    async with stage.at_work():
        assert stage.down == {"acme"}
    unprobed = Stage({"acme": sip(transport="tls", probe_seconds=0)})
    async with unprobed.at_work():
        assert not unprobed.down


async def test_a_name_that_leads_nowhere_is_asked_again() -> None:
    with nameserver.serving("other.example. 60 IN A 192.0.2.1") as (zone, port):
        stage = Stage({"acme": sip(address=Endpoint("sip.acme.example", 5060))}, port)
        stage.alive = {ONE}
        async with stage.at_work():
            assert stage.down == {"acme"}
            assert "sip.acme.example" in stage.trunks.reports()["acme"]["Trouble"]
            zone.text = "sip.acme.example. 60 IN A 192.0.2.1"
            await until(lambda: not stage.down)
            assert stage.addresses("acme") == [ONE]


async def test_a_place_that_is_not_found_is_no_matter_of_the_others() -> None:
    """Neither at the start nor later: it keeps what it led to, and they find what is new."""
    places = {
        "address": Endpoint("one.acme.example", 5060),
        "targets": (CarrierTarget(address=Endpoint("two.acme.example", 5060), priority=1),),
    }
    with nameserver.serving("one.acme.example. 60 IN A 192.0.2.1") as (zone, port):
        stage = Stage({"acme": sip(**places, probe_seconds=0)}, port)
        async with stage.at_work():
            assert stage.addresses("acme") == [ONE]
            assert "two.acme.example" in stage.trunks.reports()["acme"]["Trouble"]
            zone.text = "two.acme.example. 60 IN A 192.0.2.2"
            await until(lambda: stage.addresses("acme") == [ONE, TWO])
            assert "one.acme.example" in stage.trunks.reports()["acme"]["Trouble"]
            assert not stage.down


async def test_what_is_known_is_told() -> None:
    stage = Stage({"acme": sip()})
    stage.alive = {ONE}
    async with stage.at_work():
        await until(lambda: bool(stage.told))
    (target,) = stage.told[0]["acme"].pop("Targets")
    assert stage.told[0]["acme"] == {"State": "up", "Trouble": None, "Registration": None}
    assert (target["Address"], target["State"], target["SinceTimestamp"]) == (ONE, "up", 1000)


async def test_how_a_registration_stands_is_told() -> None:
    stage = Stage({"acme": sip(), "globex": sip()})
    stage.trunks.registered("acme", "no answer", 12.5)
    told = stage.trunks.reports()["acme"]
    assert told["Registration"] == "no answer"
    assert told["RegistrationSinceTimestamp"] == 1000
    assert told["NextRegistrationTimestamp"] == 13_500
    assert stage.trunks.registrations() == {"acme": "no answer"}


async def test_we_register_again_when_the_connection_was_closed() -> None:
    stage = Stage({"acme": sip(probe_seconds=0), "globex": sip()})
    stage.alive = {ONE}
    async with stage.at_work():
        stage.trunks.registered("acme", "registered", 1000)
        stage.trunks.disconnected("acme")
        await until(stage.trunks.renewal("acme").is_set)
        assert not stage.trunks.renewal("globex").is_set()


async def test_we_register_again_with_a_carrier_that_is_back() -> None:
    """It may have forgotten us."""
    stage = Stage({"acme": sip()})
    async with stage.at_work():
        stage.trunks.registered("acme", "no place", 1000)
        await until(lambda: len(stage.probed) > 3)
        assert not stage.trunks.renewal("acme").is_set()
        stage.alive = {ONE}
        await until(stage.trunks.renewal("acme").is_set)
        stage.trunks.renewal("acme").clear()
        await until(lambda: stage.down == set())
        stage.trunks.suspect("acme", ONE)
        count = len(stage.probed)
        await until(lambda: len(stage.probed) > count)
        assert not stage.trunks.renewal("acme").is_set()


async def test_we_register_again_after_kamailio_was_started_when_a_place_was_looked_at() -> None:
    """Where that was asked for before, and not while the look takes."""
    second, held = CarrierTarget(address=Endpoint.parse(TWO)), asyncio.Event()
    stage = Stage({"acme": sip(targets=(second,)), "globex": sip()})
    stage.alive = {ONE, TWO}
    async with stage.at_work():
        stage.trunks.registered("acme", "registered", 1000)
        stage.hold = held.wait
        stage.trunks.look_again()
        await until(lambda: stage.probed.count(TWO) == 2)
        assert not stage.trunks.renewal("acme").is_set()
        held.set()
        await until(stage.trunks.renewal("acme").is_set)
        assert not stage.trunks.renewal("globex").is_set()
