"""Announcements: what a refused caller hears, what they are told meanwhile and afterwards; and that
one ends with its caller's CANCEL, whenever that comes: no route runs then."""

from typing import Any

import pytest
from fake_kamailio import (
    ACME,
    CALL,
    GLOBEX,
    OFFER,
    SDP,
    Script,
    carrier,
    invite,
    unsealed,
)

from maskline_sip import sip
from maskline_sip.media import MediaDown

REFUSAL = {"Decision": "Refuse", "CallId": CALL, "SipStatus": 404, "Announcement": "a.wav"}


@pytest.fixture
def script() -> Script:
    made = Script()
    made.control.answers["RouteCall"] = REFUSAL
    return made


def reply_of(script: Script) -> sip.Message:
    ((header,),) = script.kamailio.given("append_to_reply")
    return unsealed(header)


def hearing(script: Script) -> list[str]:
    return [*script.table("announced")]


@pytest.mark.parametrize("hangs_up", [False, True])
def test_who_hangs_up_as_it_begins_leaves_no_sound(
    script: Script, monkeypatch: pytest.MonkeyPatch, *, hangs_up: bool
) -> None:
    def play(*_: Any) -> int:
        script.kamailio.says["t_is_canceled"] = 1 if hangs_up else -1
        return 1000

    monkeypatch.setattr(script.engine, "play", play)
    script.request(invite())
    assert script.engine.given("delete") == ([(CALL,)] if hangs_up else [])
    assert script.answered == ([] if hangs_up else [183])
    assert bool(hearing(script)) is not hangs_up


def test_the_caller_is_told_where_the_sound_comes_from_and_then_the_refusal(
    script: Script,
) -> None:
    script.control.answers["RouteCall"] = {**REFUSAL, "RetryAfter": 30}
    raw = invite(("Record-Route", "<sip:proxy.example;lr>"))
    script.request(raw)
    told, asked = reply_of(script), sip.parse(raw)
    assert told.start == "SIP/2.0 183 Session Progress"
    assert told.first("contact") == "<sip:192.0.2.100:5060>"
    assert told.first("record-route") == "<sip:proxy.example;lr>"
    assert told.first("content-type") == "application/sdp"
    assert b"192.0.2.200" in told.body
    script.fails(408)
    final = reply_of(script)
    assert final.start == "SIP/2.0 404 Not Found"
    assert final.first("retry-after") == "30"
    assert script.answered == [404]
    assert not script.relayed
    for one in (told, final):
        for name in ("via", "from", "call-id", "cseq"):
            assert one.all(name) == asked.all(name)
        assert one.address("to").uri == asked.address("to").uri
    assert len(told.address("to").tag) == 16
    assert told.address("to").tag == final.address("to").tag
    assert not hearing(script)
    assert script.engine.given("delete") == [(CALL,)]


def test_a_refusal_that_names_no_time_tells_none(script: Script) -> None:
    script.request(invite())
    script.fails(408)
    assert not reply_of(script).first("retry-after")


def test_it_is_waited_for_as_for_a_phone_and_described_after_that(script: Script) -> None:
    """What is put on a reply before the transaction waits, stays on all that follow."""
    script.request(invite())
    steps = ("t_set_fr", "t_on_failure", "t_suspend", "append_to_reply", "t_reply")
    done = [(name, *given) for name, *given in script.kamailio.done if name in steps]
    assert [name for name, *_ in done] == list(steps)
    assert done[:2] == [("t_set_fr", 1200, 1200), ("t_on_failure", "failed")]


@pytest.mark.parametrize("srtp", ["off", "optional", "required"])
def test_the_sound_is_on_the_callers_terms_and_such_as_it_can_be_played(srtp: str) -> None:
    script = Script(carriers=[carrier("acme", ACME, srtp=srtp), carrier("globex", GLOBEX)])
    script.control.answers["RouteCall"] = REFUSAL
    script.request(invite(body=SDP.replace(" 8\r", " 9 8 0\r").format("192.0.2.11", 4000).encode()))
    ((call, side, offered, terms),) = script.engine.given("offer")
    assert (call, side, offered.streams[0].payloads) == (CALL, "caller", [8, 0])
    assert (terms.sender, terms.receiver) == (srtp, "off")
    ((call, offerer, answerer, answer, terms),) = script.engine.given("answer")
    assert (call, offerer, answerer) == (CALL, "caller", "called")
    assert answer.streams[0].payloads == [8]
    assert (terms.sender, terms.receiver) == ("off", srtp)


@pytest.mark.parametrize("payload", ["9", "18"])
def test_who_offers_no_sound_that_can_be_played_is_refused_at_once(
    script: Script, payload: str
) -> None:
    told = SDP.replace(" 8\r", f" {payload}\r").format("192.0.2.11", 4000).encode()
    script.request(invite(body=told))
    assert script.answered == [404]
    assert not hearing(script)


def test_where_the_engine_is_down_the_refusal_comes_at_once(script: Script) -> None:
    script.engine.faults = [MediaDown("x")]
    script.request(invite())
    assert script.answered == [404]
    assert not script.kamailio.given("t_suspend")
    assert script.engine.given("delete") == [(CALL,)]
    assert script.kamailio.given("info") == [("not announced: MediaDown\n",)]


@pytest.mark.parametrize("body", [b"", OFFER])
def test_a_refusal_without_a_file_touches_no_engine(script: Script, body: bytes) -> None:
    script.control.answers["RouteCall"] = {**REFUSAL, "Announcement": None}
    script.request(invite(body=body))
    assert script.answered == [404]
    assert not script.engine.done


def test_who_insists_on_100rel_hears_nothing_and_the_control_plane_knows(script: Script) -> None:
    """RFC 3262: such a reply would have to be sent again and again."""
    script.request(invite(("Require", "100REL")))
    ((_, question),) = script.control.asked
    assert question["Silent"] is True
