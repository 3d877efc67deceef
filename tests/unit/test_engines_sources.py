"""Names among carriers' sources: looked up, told, looked up again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import nameserver
import pytest
from waiting import beside, until

from maskline.engines import resolver, sources
from maskline.engines.resolver import Resolver
from maskline.engines.sources import Sources
from maskline.settings import Address, CarrierSip, Endpoint, Source

ZONE = """\
_sip._udp.acme.example. 60 IN SRV 1 1 5070 a.acme.example.
a.acme.example. 60 IN A 192.0.2.1
acme.example. 60 IN A 192.0.2.9
acme.example. 60 IN AAAA 2001:db8::9
globex.example. 60 IN A 192.0.2.9
globex.example. 60 IN A 192.0.2.8
"""


def trunk(*names: str) -> CarrierSip:
    given = tuple(Source.parse(name) for name in names)
    return CarrierSip(address=Endpoint.parse("192.0.2.1"), sources=given)


class Stage:
    def __init__(self, port: int, **trunks: CarrierSip) -> None:
        self.told: dict[str, list[str]] = {}
        self.fails = 0
        asked = Resolver([Address("127.0.0.1", port)], [("udp", 4)])
        self.sources = Sources(trunks, asked, self.tell)

    async def tell(self, carrier: str, addresses: Sequence[str]) -> None:
        if self.fails:
            self.fails -= 1
            raise OSError("nobody there")
        self.told[carrier] = sorted(addresses)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with beside(self.sources.keep()), asyncio.timeout(20):
            await self.sources.ready.wait()
            yield


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "UNRESOLVED_SECONDS", 0.02)
    monkeypatch.setattr(sources, "TELL_SECONDS", 0.02)
    for name in ("SHORTEST", "LONGEST"):
        monkeypatch.setattr(resolver, name, 0.02)


async def test_a_carrier_s_hosts_and_those_of_its_services_are_told() -> None:
    """Of an address that two carriers have, the first one's calls come."""
    with nameserver.serving(ZONE) as (_, port):
        stage = Stage(port, acme=trunk("acme.example"), globex=trunk("192.0.2.7", "globex.example"))
        async with stage.at_work():
            await until(lambda: len(stage.told) == 2)
    assert stage.told == {
        "acme": ["192.0.2.1", "192.0.2.9", "2001:db8::9"],
        "globex": ["192.0.2.8"],
    }


async def test_names_that_lead_elsewhere_are_told_anew() -> None:
    with nameserver.serving(ZONE) as (zone, port):
        stage = Stage(port, globex=trunk("globex.example"))
        async with stage.at_work():
            await until(lambda: stage.told == {"globex": ["192.0.2.8", "192.0.2.9"]})
            zone.text = "globex.example. 60 IN A 192.0.2.44\n"
            await until(lambda: stage.told == {"globex": ["192.0.2.44"]})
            zone.text = ""
            asked = len(zone.asked)
            await until(lambda: len(zone.asked) > asked + 8)
            assert stage.told == {"globex": ["192.0.2.44"]}


async def test_a_name_that_is_nowhere_yet_holds_nobody_up() -> None:
    with nameserver.serving("") as (zone, port):
        stage = Stage(port, acme=trunk("acme.example"))
        stage.fails = 2
        async with stage.at_work():
            assert stage.told == {}
            zone.text = ZONE
            await until(lambda: bool(stage.told))


async def test_without_names_there_is_nothing_to_do() -> None:
    stage = Stage(9, acme=trunk("192.0.2.0/24"))
    assert stage.sources.ready.is_set()
    await stage.sources.keep()
    assert stage.told == {}


@pytest.mark.parametrize(
    ("text", "read", "named"),
    [
        ("192.0.2.0/24", "192.0.2.0/24", False),
        ("2001:db8::1", "2001:db8::1/128", False),
        ("SIP.Acme.example.", "sip.acme.example", True),
    ],
)
def test_a_source_is_a_network_or_a_name(text: str, read: str, named: bool) -> None:
    assert Source.parse(text) == Source(read, named)


@pytest.mark.parametrize("text", ["192.0.2.300", "192.0.2.1/33", "192.0.2.1/24", "a b", "a:5060"])
def test_other_sources_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither a network such as .* nor a name such as"):
        Source.parse(text)
