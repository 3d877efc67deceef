"""A call's first request: whether a call comes of it, what whoever is called gets, and what is told
when it comes to nothing before anybody was asked."""

from typing import Any

import pytest
from fake_kamailio import (
    ACME,
    ANN,
    BEN,
    CALL,
    GLOBEX,
    INITECH,
    OURS,
    PROXY,
    SDP,
    Engine,
    Script,
    carrier,
    invite,
    route,
    target,
)  # fmt: skip

from maskline_sip import sdp
from maskline_sip.media import MediaDown
from maskline_sip.others import Engine as Other
from maskline_sip.switch import SwitchDown

INACTIVE = SDP.format("192.0.2.11", 0).encode()
HEARD = {"Decision": "Refuse", "CallId": CALL, "SipStatus": 404}
BROWSERS = (
    "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8\r\na=rtcp-mux\r\na=setup:actpass\r\n"
    f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\na=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
)


def question(script: Script) -> dict[str, Any]:
    ((operation, asked),) = script.control.asked
    assert operation == "RouteCall"
    return asked


def test_a_call_goes_to_who_is_behind_the_number_and_shows_that_number(script: Script) -> None:
    script.request(invite())
    sent = script.sent
    assert sent.start == f"INVITE sip:{BEN}@{GLOBEX}:5060 SIP/2.0"
    assert sent.address("from").uri == f"sip:{PROXY}@192.0.2.100:5060"
    cells = script.kamailio.cells
    assert (cells["$ru"], cells["$du"]) == (f"sip:{BEN}@{GLOBEX}:5060", f"sip:{GLOBEX}:5060")
    assert ANN not in str(sent)
    assert b"192.0.2.200" in sent.body
    assert script.relayed
    assert script.kamailio.given("t_on_reply") == [("back",)]
    assert script.kamailio.given("t_on_failure")[-1] == ("failed",)
    assert not script.answered
    assert question(script) == {
        "CarrierName": "acme", "Caller": ANN, "Called": PROXY, "Plain": True
    }  # fmt: skip


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("p-asserted-identity", [f"<sip:{PROXY}@192.0.2.100:5060>"]),
        ("p-preferred-identity", [f"<sip:{PROXY}@192.0.2.100:5060>"]),
        (
            "remote-party-id",
            [f"<sip:{PROXY}@192.0.2.100:5060>;party=calling;privacy=off;screen=yes"],
        ),
    ],
)
def test_a_carrier_is_told_in_its_headers_the_number_to_be_shown(
    header: str, values: list[str]
) -> None:
    named = [carrier("acme", ACME), carrier("globex", GLOBEX, identity=[header])]
    script = Script(carriers=named)
    script.request(invite(("P-Asserted-Identity", f"<sip:{ANN}@ann.example>")))
    assert script.sent.all(header) == values
    identity = {"p-asserted-identity", "p-preferred-identity", "remote-party-id"}
    assert identity & {name for name, _ in script.sent.headers} == {header}
    assert ANN not in str(script.sent)


def test_a_request_that_comes_again_makes_no_second_call(script: Script) -> None:
    script.kamailio.says["t_newtran"] = 0
    script.request(invite())
    assert not script.control.asked
    assert not script.relayed
    assert not script.answered


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (invite(body=INACTIVE), 488), (invite(body=b"x=nothing"), 488),
        (invite(("Require", "gruu")), 420), (invite(hops=0), 483),
        (invite().replace(b"application/sdp", b"application/isup"), 415),
        (invite(uri="tel:+1", to="<sip:x@a>"), 404), (invite(uri="sip:x@a", to="<sip:y@a>"), 404),
    ],
    ids=["silent", "nothing", "extension", "hops", "type", "tel", "name"],
)  # fmt: skip
def test_what_cannot_become_a_call_is_refused_before_anybody_is_asked(
    script: Script, asked: bytes, status: int
) -> None:
    script.request(asked)
    assert script.answered == [status]
    assert not script.control.asked
    assert not script.relayed


ISUP = b"application/isup;version=itu-t92+\r\nContent-Disposition: "
PART = b"--x\r\nContent-Type: application/%b\r\n\r\n\1\2SECRET\r\n"


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        (invite().replace(b"application/sdp", ISUP + b"signal; handling=optional"), True),
        (invite().replace(b"application/sdp", ISUP + b'signal ;Handling="Optional"'), True),
        (invite().replace(b"application/sdp", ISUP + b"signal;handling=required"), False),
        (invite().replace(b"application/sdp", ISUP + b"signal"), False),
        *((invite(body=body).replace(b"application/sdp", b"multipart/mixed;boundary=x"), taken)
          for body, taken in (
              (PART % (ISUP + b"signal;handling=optional") + b"--x--", True),
              (PART % ISUP * 2 + b"--x--", False), (b"--x--", False),
              (PART % (ISUP + b"signal;handling=optional") + PART % b"x" + b"--x--", False))),
    ],
)  # fmt: skip
def test_what_nobody_needs_to_understand_is_left(script: Script, asked: bytes, taken: bool) -> None:
    """Calls from telephone networks bring what these say to each other, also without an offer."""
    script.request(asked)
    assert script.answered == ([] if taken else [415])
    assert script.relayed is taken
    if taken:
        assert script.sent.body == b""
        assert not script.sent.first("content-type")
        assert not script.engine.done


def test_a_node_that_is_closed_takes_no_call(script: Script) -> None:
    script.others.closed = True
    script.request(invite())
    assert script.answered == [503]
    assert script.kamailio.given("append_to_reply") == [("Retry-After: 5\r\n",)]
    assert not script.control.asked
    script.others.closed, script.others.draining = False, True
    script.request(invite())
    assert script.relayed


def test_what_an_overloaded_node_refuses_its_carrier_may_try_elsewhere(script: Script) -> None:
    """So it is told no time to wait, which would be for all its calls (RFC 3261 21.5.4)."""
    script.others.refuses = lambda: True
    script.request(invite())
    assert script.answered == [503]
    assert not script.kamailio.given("append_to_reply")
    assert not script.control.asked
    script.kamailio.says["t_newtran"] = 0  # one that was taken comes again
    script.request(invite())
    assert script.answered == []


def test_without_the_control_plane_there_is_no_call(script: Script) -> None:
    script.control.answers["RouteCall"] = SwitchDown("silent")
    script.request(invite())
    assert script.answered == [503]
    assert script.kamailio.given("append_to_reply") == [("Retry-After: 5\r\n",)]
    assert not script.control.told


@pytest.mark.parametrize(("seconds", "told"), [(30, ["Retry-After: 30\r\n"]), (None, [])])
def test_a_refusal_is_the_control_planes(
    script: Script, seconds: int | None, told: list[str]
) -> None:
    script.control.answers["RouteCall"] = {**HEARD, "SipStatus": 486, "RetryAfter": seconds}
    script.request(invite())
    assert script.answered == [486]
    assert [one for (one,) in script.kamailio.given("append_to_reply")] == told
    assert not script.relayed
    assert not script.control.told


def test_who_hung_up_while_the_refusal_was_decided_is_not_answered_again(script: Script) -> None:
    script.control.answers["RouteCall"] = HEARD
    script.kamailio.says["t_is_canceled"] = 1
    script.request(invite())
    assert script.answered == []


@pytest.mark.parametrize(
    ("asked", "silent"),
    [
        (invite(), None), (invite(body=b""), True), (invite(("Require", "100rel")), True),
        (invite(("Require", "timer")), None), (invite(body=BROWSERS.encode()), True),
    ],
    ids=["offer", "no offer", "100rel", "timer", "browser"],
)  # fmt: skip
def test_the_control_plane_knows_who_can_hear_no_announcement(
    script: Script, asked: bytes, silent: bool | None
) -> None:
    """A browser would miss its beginning: it must be found and agree on keys first."""
    script.request(asked)
    assert question(script).get("Silent") is silent


def test_a_refused_caller_hears_why(script: Script) -> None:
    script.control.answers["RouteCall"] = {**HEARD, "Announcement": "a.wav", "RetryAfter": 9}
    script.request(invite())
    assert script.answered == [183]
    assert script.engine.given("play") == [(CALL, "caller", "a.wav")]
    assert script.kamailio.given("t_suspend") == [()]
    assert script.kamailio.given("t_set_fr") == [(1200, 1200)]
    script.fails(408)
    assert script.answered == [404]
    assert script.engine.given("delete") == [(CALL,)]
    assert not script.control.told


def test_who_offers_no_sound_is_refused_at_once(script: Script) -> None:
    script.control.answers["RouteCall"] = {**HEARD, "Announcement": "a.wav"}
    script.request(invite(body=b""))
    assert script.answered == [404]
    assert not script.engine.done


def test_a_call_without_an_offer_asks_for_one(script: Script) -> None:
    """RFC 3261 13.2.1: the answer of whoever is called holds the offer then."""
    script.request(invite(body=b""))
    assert script.sent.body == b""
    assert not script.engine.done


@pytest.mark.parametrize(
    ("fault", "status", "retry"), [(MediaDown("x"), 503, True), (sdp.Unacceptable("x"), 488, False),
                                   (KeyError("x"), 500, False)],
)  # fmt: skip
def test_a_call_whose_sound_cannot_be_had_is_over_and_told(
    script: Script, fault: Exception, status: int, retry: bool
) -> None:
    script.engine.faults = [fault]
    script.request(invite())
    assert script.answered == [status]
    assert bool(script.kamailio.given("append_to_reply")) is retry
    assert script.control.events() == [
        {"CallId": CALL, "Event": "Ended", "EndedBy": "us", "SipStatus": status}
    ]
    assert script.engine.given("delete") == [(CALL,)]
    assert not script.relayed
    assert not script.table("ringing")


def test_a_call_without_a_contact_makes_no_dialogue(script: Script) -> None:
    script.request(invite().replace(b"Contact: <sip:ann@192.0.2.1>\r\n", b""))
    assert script.answered == [400]
    assert script.control.events()[-1]["SipStatus"] == 400


def test_a_call_that_nobody_can_be_sent_has_no_way(script: Script) -> None:
    script.kamailio.says["t_relay"] = -1
    script.request(invite())
    assert script.answered == [503]
    (ended,) = script.control.events()
    assert (ended["EndedBy"], ended["SipStatus"]) == ("us", 503)
    told = [given for operation, given in script.control.told if operation == "ReportTrunk"]
    assert [(one["CarrierName"], one["Address"]) for one in told] == [("globex", f"{GLOBEX}:5060")]


def test_who_hangs_up_before_the_call_left_is_who_ended_it(script: Script) -> None:
    script.kamailio.says |= {"t_relay": -1, "t_is_canceled": 1}
    script.request(invite())
    assert script.answered == []  # Kamailio has
    assert script.control.events() == [
        {"CallId": CALL, "Event": "Ended", "EndedBy": "caller", "SipStatus": 487}
    ]
    assert script.engine.given("delete") == [(CALL,)]
    assert not script.table("ringing")


def test_a_call_goes_to_the_next_place_where_one_cannot_be_reached_by_our_addresses(
    script: Script,
) -> None:
    places = target(address="[2001:db8::2]:5060"), target(address="192.0.2.4:5060")
    script.control.answers["RouteCall"] = route(*places)
    script.request(invite())
    assert script.kamailio.cells["$du"] == "sip:192.0.2.4:5060"
    told = [given for operation, given in script.control.told if operation == "ReportTrunk"]
    assert [one["Address"] for one in told] == ["[2001:db8::2]:5060"]


def test_over_tls_no_call_leaves_before_its_carriers_certificate_was_seen() -> None:
    names = {"tls_names": ["sip.globex.example"]}
    script = Script(
        carriers=[carrier("acme", ACME), carrier("globex", GLOBEX, **names)],
        listen=[f"udp:{OURS}:5060", f"tls:{OURS}:5061"],
    )
    place = target(address=f"{GLOBEX}:5061", Transport="tls")
    script.control.answers["RouteCall"] = route(place)
    script.request(invite())
    assert script.answered == [503]
    assert not script.relayed


def test_a_carrier_that_may_not_have_such_sound_is_passed_over_and_not_suspected(
    script: Script,
) -> None:
    script.engine.faults = [sdp.Unacceptable("x"), None]
    script.control.answers["RouteCall"] = route(target(), target("initech", f"{INITECH}:5060"))
    script.request(invite())
    assert script.kamailio.cells["$du"] == f"sip:{INITECH}:5060"
    assert not script.control.told


def test_the_sound_is_left_to_another_node_where_our_engine_is_down() -> None:
    script = Script()
    other, others = Engine(), {"bbbbbbbb": Other("192.0.2.50", 2223, ("192.0.2.200",))}
    script.others.engines = others
    engines = script.routes.bodies.media
    engines._known = {others["bbbbbbbb"]: other}
    script.engine.faults = [MediaDown("x")]
    script.request(invite())
    assert script.relayed
    assert len(other.given("offer")) == 1
    assert script.engine.given("delete") == [(CALL,)]
    kept = script.kamailio.cells["$avp(maskline)"]
    assert f"{CALL}~bbbbbbbb" in kept


@pytest.mark.parametrize(
    ("seconds", "targets", "ringing", "silent"),
    [(60, 1, 60_000, 5000), (60, 2, 20_000, 3000), (10, 2, 10_000, 3000), (10, 1, 10_000, 5000)],
)
def test_how_long_a_place_may_say_nothing_and_how_long_it_may_try(
    script: Script, seconds: int, targets: int, ringing: int, silent: int
) -> None:
    """Less while there is another place to try; the whole never longer than a phone may ring."""
    places = [target(), target("initech", f"{INITECH}:5060")][:targets]
    script.control.answers["RouteCall"] = route(*places, MaxRingSeconds=seconds)
    script.request(invite())
    assert script.kamailio.given("t_set_fr") == [(ringing, silent)]
    assert script.kamailio.given("t_set_max_lifetime") == [(1000 * seconds + silent, 0)]


@pytest.mark.parametrize("recorded", [True, False])
def test_a_recorded_call_says_so_in_both_legs(script: Script, recorded: bool) -> None:
    script.control.answers["RouteCall"] = route(Recorded=recorded)
    script.request(invite())
    offered = SDP.replace(" 8\r\n", " 9 8\r\n").format("192.0.2.11", 4000).encode()
    script.request(invite(body=offered))
    (_, _, given, _), *_ = script.engine.given("offer")[1:]
    assert given.streams[0].payloads == ([8] if recorded else [9, 8])
