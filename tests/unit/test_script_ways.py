"""Where a next hop leads to, as the script reads it, however it is written; and whether a
certificate was seen there."""

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fake_kamailio import ACME, PROXY, invite, loaded

from maskline_sip import sip
from maskline_sip.settings import Settings

PLACE = "sip:192.0.2.2:5061;transport=tls"


class Kamailio:
    """Its table of what certificates were seen, its connections, and whether it may make one."""

    def __init__(self) -> None:
        self.cells: dict[str, str] = {}
        self.alive: set[int] = set()
        self.connects = True
        self.chosen, self.keeps_to_it, self.watched = 0, 0, False
        self.told: dict[str, Any] = {}
        self.sections: list[str] = []
        self.pv = SimpleNamespace(
            sets=self.told.__setitem__, unset=lambda name: self.told.pop(name, None),
            get=self.told.get,
        )  # fmt: skip
        self.tls = SimpleNamespace(set_connect_server_id=self.sections.append)
        self.tm = SimpleNamespace(t_on_branch=self.on_branch)
        self.replies_connect = True
        self.source = ""
        self.closed: list[int] = []
        self.corex = SimpleNamespace(set_source_address=self.set_source)
        self.htable = self.tcpops = self

    def sht_get(self, _table: str, name: str) -> str | None:
        return self.cells.get(name)

    def sht_sets(self, _table: str, name: str, value: str) -> None:
        self.cells[name] = value

    def sht_rm(self, _table: str, name: str) -> None:
        self.cells.pop(name, None)

    def tcp_conid_alive(self, number: int) -> int:
        return 1 if number in self.alive else -1

    def tcp_enable_closed_event(self) -> None:
        self.watched = True

    def tcp_set_otcpid(self, number: int) -> None:
        self.chosen = number

    def tcp_set_otcpid_flag(self, on: int) -> None:
        self.keeps_to_it = on

    def on_branch(self, route: str) -> None:
        self.connects = route != "connected"

    def set_forward_no_connect(self) -> None:
        self.connects = False

    def tcp_close_connection_id(self, number: int) -> None:
        self.closed.append(number)

    def force_rport(self) -> None:
        self.source = "forced "

    def set_source(self, place: str) -> None:
        self.source += place

    def set_reply_no_connect(self) -> None:
        self.replies_connect = False


@pytest.fixture
def kamailio() -> Kamailio:
    return Kamailio()


@pytest.fixture
def ways(kamailio: Kamailio) -> ModuleType:
    return loaded("ways", kamailio)


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
        known = {"tls_profile": "acme", "tls_names": names, "register": False}
        self.marked = {"acme": SimpleNamespace(**known)}

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


@pytest.mark.parametrize("method", ["INVITE", "ACK"])
def test_no_connection_is_made_to_the_one_place_and_to_the_next_it_is(
    ways: ModuleType, kamailio: Kamailio, method: str
) -> None:
    taken = ways.Ways(Calling("sip.acme.example"))
    ways.VERIFIED.put("192.0.2.2:5061", "7")
    kamailio.alive, kamailio.told["$rm"] = {7}, method
    taken.take(PLACE, PLACE, "acme", own=True)
    assert not kamailio.connects
    if method != "ACK":
        other = "sip:192.0.2.3;transport=tcp"
        taken.take(other, other, "acme", own=True)
        assert kamailio.connects


def test_an_answer_makes_a_connection_where_the_callers_is_gone_as_its_carrier_wants_it(
    ways: ModuleType, kamailio: Kamailio
) -> None:
    """But none to a place that has shown the right certificate and is not connected."""
    back = ways.Ways(Calling("sip.acme.example")).back
    kamailio.told |= {"$T_req($proto)": "tls", "$T_req($conid)": 3, "$T_req($si)": "192.0.2.2"}
    via = "SIP/2.0/TLS sip.acme.example:5071;branch=z9hG4bK1;rport=1"
    back("acme", via)
    assert kamailio.sections == []
    del kamailio.told["$T_req($conid)"]
    for trunk in ("acme", "nobody"):
        back(trunk, via)
    assert kamailio.sections == ["acme", "default"]
    assert kamailio.replies_connect
    ways.VERIFIED.put("place 192.0.2.2:5071", "1")
    back("acme", via)
    assert not kamailio.replies_connect
    kamailio.told["$T_req($proto)"] = "tcp"
    back("acme", via)
    assert len(kamailio.sections) == 3


def test_so_does_an_answer_of_our_own(ways: ModuleType, kamailio: Kamailio) -> None:
    at = ways.Ways(Calling("sip.acme.example"))
    kamailio.told |= {"$proto": "tls", "$conid": 3, "$si": "192.0.2.2"}
    at.answer("acme")
    assert kamailio.sections == []
    del kamailio.told["$conid"]
    at.answer("")
    at.answer("acme")
    assert kamailio.sections == ["default", "acme"]
    assert kamailio.replies_connect
    ways.VERIFIED.put("place 192.0.2.2:5071", "1")
    kamailio.told["$(hdr(Via)[0])"] = "SIP/2.0/TLS sip.acme.example:5071;branch=z9hG4bK1"
    at.answer("acme")
    assert not kamailio.replies_connect
    kamailio.told["$proto"] = "tcp"
    at.answer("acme")
    assert len(kamailio.sections) == 3


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


class Routing(Calling):
    """Settings of a node that says of each listener which of them a hop is reached by."""

    def __init__(self, local: str | None = "192.0.2.1:5060", *names: str) -> None:
        super().__init__(*names)
        self.local = local

    def listener(self, transport: str, host: str) -> str | None:  # type: ignore[override]
        self.asked = transport, host
        return self.local

    def told(self, transport: str, local: str) -> str:
        return f"balancer-of-{transport}-{local}"


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


def test_a_connection_is_made_to_the_name_of_the_carriers_certificate(
    ways: ModuleType, kamailio: Kamailio
) -> None:
    def name(trunk: str, *names: str) -> Any:
        kamailio.told[ways.SERVER_NAME] = "of-another-carrier"
        ways.Ways(Routing("x", *names)).take(PLACE, PLACE, trunk, first=True)
        return kamailio.told.get(ways.SERVER_NAME)

    assert name("acme", "192.0.2.2", "sip.acme.example", "b.example") == "sip.acme.example"
    assert name("acme", "192.0.2.2", "2001:db8::1") is None
    assert name("nobody", "sip.acme.example") is None
    assert kamailio.sections == ["acme", "acme", "default"]


def test_a_broken_connection_to_a_place_of_right_certificates_is_not_made_anew(
    ways: ModuleType, kamailio: Kamailio
) -> None:
    taken = ways.Ways(Calling("sip.acme.example"))
    ways.VERIFIED.put("192.0.2.2:5061", "7")
    with pytest.raises(ways.NoWay, match="no verified connection"):
        taken.take(PLACE, PLACE, "acme")
    kamailio.alive = {7}
    taken.take(PLACE, PLACE, "acme")


@pytest.mark.parametrize(
    ("hop", "names", "shown", "right"),
    [
        (PLACE, ["SIP.acme.example"], {"sip.acme.example"}, True),
        (PLACE, ["sip.acme.example"], {"sip.globex.example"}, False),
        (PLACE, ["sip.acme.example"], set(), False),
        (PLACE, [], {"sip.globex.example"}, True),
        ("sip:192.0.2.2:5061;transport=tcp", ["sip.acme.example"], set(), True),
    ],
)
def test_a_place_is_a_carriers_when_its_certificate_says_so(
    ways: ModuleType, kamailio: Kamailio, monkeypatch: pytest.MonkeyPatch, hop: str,
    names: list[str], shown: set[str], right: bool,
) -> None:  # fmt: skip
    kamailio.told |= {"$tls_peer_raw_cert": "raw", "$conid": 7}
    certificates = {"raw": shown}
    monkeypatch.setattr(ways.certificates, "names", certificates.__getitem__)
    monkeypatch.setattr(ways.certificates, "fits", lambda found, wanted: bool(found & {*wanted}))
    checked = ways.Ways(Calling(*names))
    ways.VERIFIED.put("192.0.2.2:5061", "3")  # by an earlier connection
    carrier = SimpleNamespace(name="acme", tls_names=names)
    assert checked.verified(hop, carrier) is right
    looked = hop == PLACE and bool(names)
    assert ways.VERIFIED.get("place 192.0.2.2:5061") == ("1" if looked else None)
    assert kamailio.watched is (right and looked)
    known = ("7" if right else None) if looked else "3"
    assert ways.VERIFIED.get("192.0.2.2:5061") == known


@pytest.mark.parametrize(
    ("proto", "via", "source"),
    [
        ("tcp", "SIP/2.0/TCP 10.0.0.1:5071;rport;branch=b", "forced tcp:[2001:db8::2]:5071"),
        ("tls", "SIP/2.0/TLS h.example;RPORT=9;branch=b", "forced tls:[2001:db8::2]:5061"),
        ("tls", "SIP / 2.0 / TLS [2001:db8::9] : 77 ;rport", "forced tls:[2001:db8::2]:77"),
        ("tls", "SIP/2.0/TLS h.example;branch=b", "forced tls:[2001:db8::2]:5061"),
        ("tcp", "SIP/2.0/TCP h.example", "forced tcp:[2001:db8::2]:5060"),
        ("tls", "SIP/2.0/TLS 10.0.0.1:5071;branch=b", ""),
        ("udp", "SIP/2.0/UDP 10.0.0.1:5071;rport", ""), ("ws", "SIP/2.0/WS x.invalid;rport", ""),
    ],
)  # fmt: skip
def test_a_reply_goes_where_the_sender_listens_if_the_connection_is_gone(
    ways: ModuleType, kamailio: Kamailio, proto: str, via: str, source: str
) -> None:
    kamailio.told |= {"$proto": proto, "$si": "2001:db8::2"}
    ways.Ways(Calling()).answer_at_place(via)
    assert kamailio.source == source


@pytest.mark.parametrize(
    ("hop", "answers", "closed"),
    [
        (PLACE, True, [7]), ("sip:192.0.2.2;transport=tcp", True, [7]),
        ("sip:192.0.2.2", True, []), (PLACE, False, []),
    ],
)  # fmt: skip
def test_a_connection_over_which_nobody_answers_any_more_is_closed(
    ways: ModuleType, kamailio: Kamailio, hop: str, answers: bool, closed: list[int]
) -> None:
    """But one over which nobody has yet may be slow to begin."""
    kamailio.told["$conid"] = 7
    at = ways.Ways(Calling())
    if answers:
        assert at.verified(hop, SimpleNamespace(tls_names=[]))
    at.break_off(hop)
    assert kamailio.closed == closed


@pytest.mark.parametrize(
    ("host", "place"), [("192.0.2.2", "192.0.2.2"), ("2001:db8::2", "[2001:db8::2]")]
)
def test_a_lost_connection_is_its_carriers(
    ways: ModuleType, kamailio: Kamailio, host: str, place: str
) -> None:
    """Unless it has another one, or never had one that counts."""
    kamailio.told |= {"$si": host, "$sp": 5061}
    at = ways.Ways(Calling("sip.acme.example"))
    assert not at.lost()[0]
    ways.VERIFIED.put(f"{place}:5061", "7")
    ways.VERIFIED.put(f"carrier {place}:5061", "acme")
    assert at.lost() == ({"acme"}, f"{place}:5061")
    kamailio.alive = {7}
    assert not at.lost()[0]


class Registering(Listening):
    """Settings of a node that registers with two carriers at one place, and not with a third."""

    marked = {  # noqa: RUF012
        name: SimpleNamespace(name=name, mark=name, register=register)
        for name, register in (("acme", True), ("globex", True), ("initech", False))
    }


@pytest.mark.parametrize(("transport", "noted"), [("tcp", True), ("tls", True), ("udp", False)])
def test_a_registration_is_lost_with_its_connection(
    ways: ModuleType, kamailio: Kamailio, transport: str, noted: bool
) -> None:
    """RFC 5626. Of each carrier once, whichever was the last that it came by."""
    kamailio.told |= {"$si": "192.0.2.2", "$sp": 5070, "$conid": 7}
    at, hop = ways.Ways(Registering()), f"sip:192.0.2.2:5070;transport={transport}"
    for name in ("acme", "globex"):
        at.registered(hop, Registering.marked[name])
    assert kamailio.watched is noted
    kamailio.told["$conid"] = 8
    at.registered(hop, Registering.marked["globex"])
    kamailio.alive = {8}
    assert at.lost()[0] == ({"acme"} if noted else set())
    kamailio.alive = set()
    assert at.lost() == ({"globex"} if noted else set(), "192.0.2.2:5070")
    assert not at.lost()[0]


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


@pytest.mark.parametrize(
    ("found", "wanted", "fits"),
    [
        ({"sip.acme.example"}, ["x", "sip.acme.example"], True), ({"x"}, ["y"], False),
        ({"*.acme.example"}, ["sip.acme.example"], True), ({"*.acme.example"}, [], False),
        ({"*.acme.example"}, ["a.b.acme.example"], False),
        ({"*.acme.example"}, ["acme.example"], False), ({"192.0.2.1"}, ["192.0.2.1"], True),
        ({"*.0.2.1"}, ["192.0.2.1"], False), (set(), ["x"], False),
    ],
)  # fmt: skip
def test_for_whom_a_certificate_is(
    ways: ModuleType, found: set[str], wanted: list[str], fits: bool
) -> None:
    assert ways.certificates.fits(found, wanted) is fits
