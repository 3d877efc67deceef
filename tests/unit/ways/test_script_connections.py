"""Which connections are used, made and closed, and whether a certificate was seen there."""

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ways_stage import PLACE, Calling, Kamailio, Listening, Routing


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
