"""Names of carriers, asked of a real name server."""

import asyncio
from collections.abc import Iterator

import nameserver
import pytest

from maskline.domain.trunk import Target
from maskline.engines.resolver import LONGEST, Resolver, Unresolved
from maskline.settings import Address, Endpoint

ZONE = """
sip.acme.example. 60 IN A 192.0.2.20
sip.acme.example. 30 IN A 192.0.2.21
sip.acme.example. 60 IN AAAA 2001:db8::20
acme.example. 60 IN NAPTR 20 0 "s" "SIP+D2U" "" _sip._udp.acme.example.
acme.example. 60 IN NAPTR 10 0 "s" "SIPS+D2T" "" _sips._tcp.acme.example.
acme.example. 60 IN NAPTR 5 0 "s" "SIP+D2S" "" _sip._sctp.acme.example.
_sip._udp.acme.example. 45 IN SRV 10 60 5070 one.acme.example.
_sip._udp.acme.example. 45 IN SRV 10 40 5071 two.acme.example.
_sip._udp.acme.example. 45 IN SRV 20 0 5072 two.acme.example.
_sips._tcp.acme.example. 60 IN SRV 0 0 5061 one.acme.example.
one.acme.example. 60 IN A 192.0.2.1
two.acme.example. 60 IN A 192.0.2.2
closed.example. 60 IN TXT "nobody here"
_sip._udp.closed.example. 60 IN SRV 0 0 0 .
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with nameserver.serving(ZONE) as (_, port):
        yield port


def found(
    port: int,
    text: str,
    transport: str = "udp",
    ours: tuple[str, ...] = ("udp", "tcp", "tls"),
    versions: tuple[int, ...] = (4, 6),
) -> tuple[set[Target], float]:
    ways = [(name, version) for name in ours for version in versions]
    resolver = Resolver([Address("127.0.0.1", port)], ways)
    targets, seconds = asyncio.run(resolver.targets(Endpoint.parse(text), transport))
    return set(targets), seconds


def test_an_address_is_itself(port: int) -> None:
    assert found(port, "192.0.2.9:5080") == ({Target("192.0.2.9:5080", "udp")}, LONGEST)
    assert found(port, "2001:db8::9", "tls")[0] == {Target("[2001:db8::9]:5061", "tls")}


def test_a_name_with_a_port_is_its_addresses_as_long_as_the_shortest_holds(port: int) -> None:
    targets, seconds = found(port, "sip.acme.example:5080", "tcp")
    places = ("192.0.2.20:5080", "192.0.2.21:5080", "[2001:db8::20]:5080")
    assert targets == {Target(place, "tcp") for place in places}
    assert seconds == 30


def test_addresses_that_no_listener_reaches_are_left_out(port: int) -> None:
    targets, _ = found(port, "sip.acme.example:5080", versions=(4,))
    assert {target.address for target in targets} == {"192.0.2.20:5080", "192.0.2.21:5080"}
    targets, _ = found(port, "sip.acme.example:5080", versions=(6,))
    assert {target.address for target in targets} == {"[2001:db8::20]:5080"}
    with pytest.raises(Unresolved, match=r"no address of a version of IP that sip\.listen has"):
        found(port, "acme.example", versions=(6,))


def test_a_name_without_a_port_is_its_services(port: int) -> None:
    targets, seconds = found(port, "acme.example")
    assert targets == {
        Target("192.0.2.1:5070", "udp", 10, 60),
        Target("192.0.2.2:5071", "udp", 10, 40),
        Target("192.0.2.2:5072", "udp", 20, 0),
    }
    assert seconds == 45


def test_the_carrier_chooses_the_transport_among_ours(port: int) -> None:
    targets, _ = found(port, "acme.example", "auto")
    best = min(targets, key=lambda target: target.priority)
    assert best.transport == "tls"
    assert {target.transport for target in targets} == {"tls", "udp"}
    assert {t.transport for t in found(port, "acme.example", "auto", ("udp",))[0]} == {"udp"}


def test_without_services_the_addresses_serve(port: int) -> None:
    assert Target("192.0.2.20:5060", "udp") in found(port, "sip.acme.example")[0]
    assert Target("192.0.2.20:5061", "tls") in found(port, "sip.acme.example", "tls")[0]


@pytest.mark.parametrize("name", ["nobody.example", "closed.example"])
def test_a_name_that_leads_nowhere_is_told(port: int, name: str) -> None:
    with pytest.raises(Unresolved, match=name):
        found(port, name)


def test_a_server_that_is_silent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskline.engines.resolver.SECONDS", 0.3)
    with pytest.raises(Unresolved, match=r"LifetimeTimeout|NoNameservers"):
        found(9, "acme.example")
