"""Where a next hop leads to, as the script reads it, however it is written."""

from types import ModuleType

import pytest
from fake_kamailio import ACME, PROXY, invite
from ways_stage import Calling, Kamailio, Listening, Routing

from maskline_sip import sip


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


@pytest.mark.parametrize("hop", ["", "tel:+14015550101", "sip:", "ben"])
def test_nowhere_is_no_way(ways: ModuleType, hop: str) -> None:
    with pytest.raises(ways.NoWay, match="no target"):
        ways.Ways(Listening()).check(hop, "")


@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1", "127.1"])
def test_who_is_nearby_is_spoken_to_where_it_spoke_from_alone(ways: ModuleType, host: str) -> None:
    hop = f"sip:[{host}]" if ":" in host else f"sip:{host}"
    with pytest.raises(ways.NoWay, match="this machine"):
        ways.Ways(Listening()).check(hop, "")
    ways.Ways(Listening()).check(hop, "", flow=hop)


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


def test_what_cannot_be_told_where_to_go_goes_nowhere(ways: ModuleType, kamailio: Kamailio) -> None:
    """Kamailio without memory would send it to the request URI that its sender wrote."""
    kamailio.pv.sets = lambda _name, _value: None
    with pytest.raises(ways.NoWay):
        ways.Ways(Routing()).take("sip:b", "sip:b@192.0.2.2", "acme")


@pytest.mark.parametrize(
    ("hop", "transport", "goes", "socket"),
    [
        ("sip:b@192.0.2.2", "udp", "sip:b@192.0.2.2", "udp"),
        ("sip:b@192.0.2.2;transport=TCP", "tcp", "sip:b@192.0.2.2;transport=TCP", "tcp"),
        ("sips:b@192.0.2.2", "tls", "sips:b@192.0.2.2", "tls"),
        ("SIPS:b@192.0.2.2", "tls", "SIPS:b@192.0.2.2", "tls"),
        ("sip:192.0.2.2;transport=ws", "ws", "sip:192.0.2.2;transport=ws", "tcp"),
        ("sip:192.0.2.2;transport=wss", "wss", "sip:192.0.2.2;transport=ws", "tls"),
    ],
)
def test_a_request_leaves_by_the_address_for_its_next_hop(
    ways: ModuleType, kamailio: Kamailio, hop: str, transport: str, goes: str, socket: str
) -> None:
    settings = Routing()
    assert ways.Ways(settings).take("sip:b", hop, "acme") == ("192.0.2.1:5060", transport)
    assert settings.asked == (transport, "192.0.2.2")
    told = {"$ru": "sip:b", "$du": goes, "$fs": f"{socket}:192.0.2.1:5060"}
    assert {name: kamailio.told[name] for name in told} == told
    assert kamailio.sections == (["acme"] if transport == "tls" else [])
    assert kamailio.connects
    with pytest.raises(ways.NoWay, match="no listener"):
        ways.Ways(Routing(None)).take("sip:b", hop, "acme")


def test_our_address_where_a_request_came_in(ways: ModuleType, kamailio: Kamailio) -> None:
    at, asked = ways.Ways(Routing()), sip.parse(invite())
    kamailio.told |= {"$Ri": "2001:db8::1", "$Rp": 5060, "$proto": "udp"}
    assert at.received_at(asked) == "balancer-of-udp-[2001:db8::1]:5060"
    kamailio.told |= {"$Ri": "192.0.2.1", "$Rp": 443, "$proto": "wss"}
    assert at.received_at(asked) == "balancer-of-wss-192.0.2.1:443;transport=wss"


SIPS, PLAIN = "<sips:ann@192.0.2.9>", "<sip:ann@192.0.2.9;transport=tls>"


@pytest.mark.parametrize(
    ("uri", "contact", "routes", "secure"),
    [
        (f"sips:{PROXY}@h", PLAIN, (), True), (f"sip:{PROXY}@h", SIPS, (), True),
        (f"SIPS:{PROXY}@h", PLAIN, (PLAIN,), True), (f"sip:{PROXY}@h", PLAIN, (SIPS, PLAIN), True),
        (f"sip:{PROXY}@h", SIPS, (PLAIN, SIPS), False), (f"sip:{PROXY}@h", PLAIN, (), False),
    ],
)  # fmt: skip
def test_who_wants_a_secure_place_of_ours_gets_one(
    ways: ModuleType,
    kamailio: Kamailio,
    uri: str,
    contact: str,
    routes: tuple[str, ...],
    secure: bool,
) -> None:
    """RFC 3261 12.1.1; where there is no TLS, such a place would lead nowhere."""
    raw = invite(*(("Record-Route", route) for route in routes), uri=uri)
    asked = sip.parse(raw.replace(f"<sip:ann@{ACME}>".encode(), contact.encode()))
    at = ways.Ways(Routing())
    kamailio.told |= {"$Ri": "192.0.2.1", "$Rp": 5061}
    for transport, parameter in (("tls", ""), ("wss", ";transport=ws"), ("tcp", None)):
        kamailio.told["$proto"] = transport
        told = f"balancer-of-{transport}-192.0.2.1:5061"
        if secure and parameter is not None:
            assert at.received_at(asked) == f"sips:{told}{parameter}"
        else:
            assert at.received_at(asked) == f"{told};transport={transport}"


@pytest.mark.parametrize(
    ("hop", "goes"),
    [
        ("sip:b@[64:ff9b::192.0.2.33]:5070;lr", "sip:b@[64:ff9b::c000:221]:5070;lr"),
        ("sip:[::ffff:192.0.2.33];transport=tcp", "sip:192.0.2.33;transport=tcp"),
        ("sip:b@[2001:DB8::1]", "sip:b@[2001:DB8::1]"), ("sip:b.c@h.example", "sip:b.c@h.example"),
        ("sip:b@[v.1]", "sip:b@[v.1]"),
    ],
)  # fmt: skip
def test_kamailio_is_told_an_address_as_it_can_read_it(
    ways: ModuleType, kamailio: Kamailio, hop: str, goes: str
) -> None:
    ways.Ways(Routing()).take(hop, hop, "acme")
    assert (kamailio.told["$ru"], kamailio.told["$du"]) == (hop, goes)


@pytest.mark.parametrize(
    ("hop", "end"),
    [
        ("sip:b@Host.Example", ("udp", "host.example", 5060)),
        ("sips:host.example", ("tls", "host.example", 5061)),
        ("sip:host.example;transport=WSS", ("tls", "host.example", 443)),
        ("sip:host.example;transport=ws", ("tcp", "host.example", 80)),
        ("sip:host.example:65535;transport=tcp", ("tcp", "host.example", 65535)),
    ],
)
def test_where_a_hop_leads_to(ways: ModuleType, hop: str, end: tuple[str, str, int]) -> None:
    assert ways.end_of(hop) == end


@pytest.mark.parametrize(
    ("hop", "named"),
    [("sip:a@host.example:5060", True), ("sip:a@192.0.2.1", False), ("sip:[2001:db8::1]", False),
     ("tel:+1", False), ("", False)],
)  # fmt: skip
def test_which_hops_are_named(ways: ModuleType, hop: str, named: bool) -> None:
    assert ways.named(hop) is named
