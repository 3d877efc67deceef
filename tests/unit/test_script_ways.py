"""Where a next hop leads to, as the script reads it, however it is written; and whether a
certificate was seen there."""

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from maskline_sip.settings import Settings

PLACE = "sip:192.0.2.2:5061;transport=tls"
MODULES = ("maskline_sip.tables", "maskline_sip.ways")


class Kamailio:
    """Its table of what certificates were seen, its connections, and whether it may make one."""

    def __init__(self) -> None:
        self.cells: dict[str, str] = {}
        self.alive: set[int] = set()
        self.connects = True
        self.chosen, self.keeps_to_it = 0, 0
        nothing = lambda *_: None  # noqa: E731
        self.pv = SimpleNamespace(sets=nothing, unset=nothing)
        self.tls = SimpleNamespace(set_connect_server_id=nothing)
        self.htable = self.tcpops = self

    def sht_get(self, _table: str, name: str) -> str | None:
        return self.cells.get(name)

    def sht_sets(self, _table: str, name: str, value: str) -> None:
        self.cells[name] = value

    def tcp_conid_alive(self, number: int) -> int:
        return 1 if number in self.alive else -1

    def tcp_set_otcpid(self, number: int) -> None:
        self.chosen = number

    def tcp_set_otcpid_flag(self, on: int) -> None:
        self.keeps_to_it = on

    def set_forward_no_connect(self) -> None:
        self.connects = False


@pytest.fixture
def kamailio() -> Kamailio:
    return Kamailio()


@pytest.fixture
def ways(kamailio: Kamailio, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "KSR", kamailio)  # type: ignore[arg-type]
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("maskline_sip.ways")
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name)
    return module


class Listening:
    """Settings of a node, whose carrier is at an address without a port."""

    listeners = (("udp", "192.0.2.1:5060"), ("tls", "[2001:db8::1]:5061"), ("ws", "192.0.2.1:80"))
    marked: dict[str, Any] = {}  # noqa: RUF012
    may_be_at = Settings.may_be_at


@pytest.mark.parametrize(
    "hop",
    [
        "sip:192.0.2.1", "sip:ann@192.0.2.1:05060", "sip:192.0.2.1?Subject=x",
        "sip:[::ffff:192.0.2.1]",
        "sip:[2001:DB8:0:0::1];transport=tls", "sips:[2001:db8::1]", "sip:192.0.2.1;transport=ws",
        "sip:192.0.2.1:80;transport=TCP",
    ],
)  # fmt: skip
def test_our_own_addresses_are_known_however_they_are_written(ways: ModuleType, hop: str) -> None:
    with pytest.raises(ways.NoWay, match="our own"):
        ways.Ways(Listening()).check(hop, "")


def test_others_are_none_of_ours(ways: ModuleType) -> None:
    for hop in ("sip:192.0.2.1:5062", "sip:192.0.2.1;transport=tls", "sip:[2001:db8::2]"):
        ways.Ways(Listening()).check(hop, "")


@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1", "127.1"])
def test_who_is_nearby_is_spoken_to_where_it_spoke_from_alone(ways: ModuleType, host: str) -> None:
    hop = f"sip:[{host}]" if ":" in host else f"sip:{host}"
    with pytest.raises(ways.NoWay, match="this machine"):
        ways.Ways(Listening()).check(hop, "")
    ways.Ways(Listening()).check(hop, "", flow=hop)


class Calling(Listening):
    """Settings of a node with a carrier over TLS, for whose certificates there are names, or, where
    it is never probed, none."""

    listeners = (("tls", "192.0.2.1:5061"),)

    def __init__(self, *names: str) -> None:
        self.marked = {"acme": SimpleNamespace(tls_profile="acme", tls_names=names)}

    def listener(self, _transport: str, _hop: str) -> str:
        return self.listeners[0][1]


def test_before_a_certificate_was_seen_a_carriers_own_place_gets_an_options_alone(
    ways: ModuleType,
) -> None:
    """As after a start of Kamailio; a party's Contact may lead where nobody looks first."""
    taken = ways.Ways(Calling("sip.acme.example"))
    with pytest.raises(ways.NoWay, match="no verified connection"):
        taken.take(PLACE, PLACE, "acme", own=True)
    taken.take(PLACE, PLACE, "acme", first=True, own=True)
    taken.take(PLACE, PLACE, "acme")
    ways.Ways(Calling()).take(PLACE, PLACE, "acme", own=True)


def test_a_place_is_reached_by_the_connection_whose_certificate_was_seen(
    ways: ModuleType, kamailio: Kamailio
) -> None:
    taken = ways.Ways(Calling("sip.acme.example"))
    ways.VERIFIED.put("place 192.0.2.2:5061", "1")
    ways.VERIFIED.put("192.0.2.2:5061", "7")
    with pytest.raises(ways.NoWay):
        taken.take(PLACE, PLACE, "acme")
    kamailio.alive = {7}
    for first in (False, True):
        taken.take(PLACE, PLACE, "acme", first=first, own=True)
        assert not kamailio.connects
        assert (kamailio.chosen, kamailio.keeps_to_it) == (7, 1)
        ways.Ways(Calling()).take(PLACE, PLACE, "acme", own=True)
        assert not kamailio.keeps_to_it


@pytest.mark.parametrize(
    ("place", "hop"),
    [
        ("192.0.2.2:5061", "sip:ann@192.0.2.2;transport=tls"),
        ("192.0.2.2:5061", "sips:192.0.2.2;transport=tcp"),
        ("192.0.2.2:5061", "sip:[::ffff:192.0.2.2]:05061;transport=TLS"),
        ("[2001:db8::2]:5061", "sip:[2001:DB8:0::2]:5061;transport=tls;lr"),
    ],
)
def test_a_carriers_place_is_known_however_a_party_writes_it(
    ways: ModuleType, kamailio: Kamailio, place: str, hop: str
) -> None:
    """And nothing is sent there while no certificate was seen."""
    taken = ways.Ways(Calling("sip.acme.example"))
    ways.VERIFIED.put(f"place {place}", "1")
    ways.VERIFIED.put(place, "7")
    with pytest.raises(ways.NoWay, match="no verified connection"):
        taken.take(hop, hop, "acme")
    kamailio.alive = {7}
    assert taken.take(hop, hop, "acme")[1] == "tls"
    assert not kamailio.connects


@pytest.mark.parametrize(
    ("uri", "transport"),
    [
        ("sip:a@h", "udp"), ("sip:a@h;transport=TCP", "tcp"), ("sips:a@h", "tls"),
        ("sips:a@h;transport=tcp", "tls"), ("SIPS:a@h;lr;transport=TLS", "tls"),
        ("sips:a@h;transport=ws", "wss"),
    ],
)  # fmt: skip
def test_a_secure_uri_is_reached_over_tls_alone(ways: ModuleType, uri: str, transport: str) -> None:
    """RFC 3261 names TCP in it, where older ones have transport=tls (26.2.2)."""
    assert ways.transport_of(uri) == transport
