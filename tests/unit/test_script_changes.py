"""Calls that are changed while they last: who is found where, and whose sound goes where."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from fake_kamailio import (
    ACME,
    CALL,
    CONTROL,
    GLOBEX,
    OFFER,
    Call,
    Script,
    answered,
    carrier,
    hang_up,
    invite,
    loaded,
    reply,
)

from maskline_sip import sip
from maskline_sip.others import Engine

MOVED = OFFER.replace(b"192.0.2.11", b"192.0.2.12")
NOTHING = OFFER.replace(b"RTP/AVP 8", b"RTP/AVP 77")  # no codec that we know


def moves(script: Script) -> list[dict[str, Any]]:
    return [one for one in script.control.events() if one["Event"] == "Moved"]


def test_who_moves_is_found_where_they_say(script: Script, call: Call) -> None:
    script.request(*call.by("called", "INVITE", body=OFFER))
    asked = script.sent
    assert f"<sip:moved@{GLOBEX}>" not in str(asked)
    assert script.reply(reply(asked, 200, body=OFFER), ACME)
    assert moves(script) == [{"CallId": CALL, "Event": "Moved", "SipStatus": 200}]
    legs = script.control.told[-1][1]["Legs"]
    script.request(hang_up(legs[1]), CONTROL)
    assert script.sent.uri == f"sip:moved@{GLOBEX}"


@pytest.mark.parametrize("method", ["INFO", "OPTIONS", "UPDATE", "INVITE", "BYE"])
@pytest.mark.parametrize("status", [199, 200, 299, 481])
def test_a_reply_within_a_call_is_passed_on(
    script: Script, call: Call, method: str, status: int
) -> None:
    """Also without a Contact: there is a dialog."""
    script.request(*call.by("caller", method))
    told = reply(script.sent, status).replace(f"Contact: <sip:ben@{GLOBEX}>\r\n".encode(), b"")
    assert script.reply(told)
    assert script.sent.address("to") == call.anns.address("to")
    assert script.sent.cseq == (2, method)
    assert not moves(script)


def test_each_phone_of_a_fork_is_reached_by_its_own_proxies(script: Script) -> None:
    """Also when it has told that it is elsewhere: routes stay as they were (RFC 3261 12.2)."""
    script.request(invite())
    sent = script.sent
    for tag, port in (("one", 5071), ("two", 5072)):
        route = f"<sip:{GLOBEX}:{port};lr>"
        assert script.reply(reply(sent, 180, ("Record-Route", route), tag=tag))
    call = Call(sent, script.sent)
    raw, source = call.by("called", "UPDATE", body=OFFER)
    script.request(raw.replace(b";tag=ben", b";tag=two"), source)
    moved = sip.address(script.sent.first("contact")).uri
    raw, source = call.by("caller", "UPDATE", body=OFFER)
    known = sip.address(call.anns.first("contact")).uri
    script.request(raw.replace(known.encode(), moved.encode()), source)
    assert script.sent.uri == f"sip:moved@{GLOBEX}"
    assert script.sent.all("route") == [f"<sip:{GLOBEX}:5072;lr>"]


def test_what_rings_again_within_a_call_is_no_other_call(script: Script, call: Call) -> None:
    before = len(script.control.told)
    script.request(*call.by("caller", "INVITE", body=OFFER))
    asked = script.sent
    assert script.reply(reply(asked, 199))
    assert script.reply(reply(asked, 486))
    assert len(script.control.told) == before
    script.fails(486)
    assert len(script.control.told) == before
    assert not script.engine.given("delete")


@pytest.mark.parametrize("status", [488, 300, 491])
def test_a_change_that_is_refused_changes_nothing(script: Script, call: Call, status: int) -> None:
    """RFC 3261 14.1: where it named another place for the sound, the old one holds again."""
    script.request(*call.by("caller", "INVITE", body=MOVED))
    asked = script.sent
    script.engine.done.clear()
    assert script.reply(reply(asked, 199))
    assert script.reply(reply(asked, status))
    ((reference, side, given, _),) = script.engine.given("offer")
    assert (reference, side) == (CALL, "caller")
    assert "192.0.2.11" in given.place(given.streams[0])
    script.engine.done.clear()
    script.request(*call.by("caller", "INVITE", body=OFFER, number=3))
    asked = script.sent
    script.engine.done.clear()
    assert script.reply(reply(asked, status))
    assert not script.engine.given("offer")  # it named no other place


@pytest.mark.parametrize("status", [200, 299])
def test_a_change_that_is_taken_is_not_taken_back(script: Script, call: Call, status: int) -> None:
    script.request(*call.by("caller", "INVITE", body=MOVED))
    asked = script.sent
    script.engine.done.clear()
    assert script.reply(reply(asked, 199))
    assert script.reply(reply(asked, status, body=OFFER))
    assert not script.reply(reply(asked, status, body=NOTHING))  # comes again
    assert not script.engine.given("offer")


def offered_back(script: Script) -> list[tuple[str, str, str]]:
    """Whose old place the engine was offered again."""
    told = script.engine.given("offer")
    return [(call, side, given.place(given.streams[0])) for call, side, given, _ in told]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_change_that_is_answered_by_what_cannot_pass_is_taken_back(
    script: Script, call: Call, method: str
) -> None:
    script.request(*call.by("caller", method, body=MOVED))
    asked = script.sent
    script.engine.done.clear()
    assert not script.reply(reply(asked, 200, body=NOTHING))
    assert script.answered == [488]
    assert offered_back(script) == [(CALL, "caller", "IP4 192.0.2.11")]
    assert not script.engine.given("delete")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_change_that_cannot_be_passed_on_is_taken_back(
    script: Script, call: Call, method: str
) -> None:
    script.kamailio.says["t_relay"] = -1
    script.engine.done.clear()
    script.request(*call.by("called", method, body=MOVED))
    assert script.answered == [500]
    _, back = offered_back(script)
    assert back == (CALL, "called", "IP4 192.0.2.11")
    raw, source = call.by("called", method, body=MOVED)
    script.kamailio.says["t_relay"] = 1
    script.engine.done.clear()
    script.request(raw.replace(f"Contact: <sip:moved@{GLOBEX}>\r\n".encode(), b""), source)
    assert script.answered == [400]
    assert len(offered_back(script)) == 2


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_change_that_nobody_answers_is_taken_back(
    script: Script, call: Call, method: str
) -> None:
    """Kamailio says 408 itself, which is no reply that came."""
    script.request(*call.by("caller", method, body=MOVED))
    assert script.kamailio.given("t_on_failure") == [("failed",)]
    script.engine.done.clear()
    script.fails(408, t_branch_timeout=1)
    assert offered_back(script) == [(CALL, "caller", "IP4 192.0.2.11")]
    assert not script.answered
    script.kamailio.says.clear()
    script.request(*call.by("caller", method, body=OFFER, number=3))
    assert not script.kamailio.given("t_on_failure")  # it named no other place


def test_a_party_is_found_by_the_connection_that_it_came_by(script: Script, call: Call) -> None:
    """RFC 7118 5.2: nobody can connect to a browser."""
    raw, source = call.by("caller", "INVITE")
    script.request(raw, f"{source}:8443", "ws")
    token = sip.user(sip.address(script.sent.first("contact")).uri)
    opened = script.routes.reports._keys.open(token)
    assert opened
    assert opened[1].flow == f"sip:{ACME}:8443;transport=ws"


def test_who_came_by_a_proxy_is_found_by_it_also_when_they_move(script: Script) -> None:
    """The Record-Route of the first request holds, whatever later ones say (RFC 3261 12.2)."""
    script.request(invite(("Record-Route", f"<sip:{ACME}:5080;lr>")))
    sent = script.sent
    assert script.reply(reply(sent, 200, body=OFFER))
    call = Call(sent, script.sent)
    assert [given[:3] for given in script.engine.given("answer")] == [(CALL, "caller", "called")]
    script.request(*call.by("caller", "UPDATE"))
    moved = Call(script.sent, call.anns)
    script.request(*moved.by("called", "INFO"))
    assert script.sent.uri == f"sip:moved@{ACME}"
    assert script.sent.first("route") == f"<sip:{ACME}:5080;lr>"
    assert script.kamailio.cells["$du"] == f"sip:{ACME}:5080;lr"


def keyed(key: str) -> bytes:
    """A description with a key of this letter."""
    line = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key * 40}\r\n".encode()
    return OFFER.replace(b"RTP/AVP", b"RTP/SAVP") + line


def keys_offered_back(script: Script) -> list[str]:
    """The letters of the keys by which the engine was told again to understand a side."""
    return [given.streams[0].keys[0][2][0] for _, _, given, _ in script.engine.given("offer")]


@pytest.mark.parametrize("side", ["caller", "called"])
def test_who_offered_other_keys_in_vain_is_understood_by_those_of_before(side: str) -> None:
    """They go on with these (RFC 3264 8), and the engine would take them for noise."""
    plain, keys = carrier("acme", ACME), carrier("globex", GLOBEX, srtp="required")
    if side == "caller":
        plain, keys = carrier("globex", GLOBEX), carrier("acme", ACME, srtp="required")
    script = Script(carriers=[plain, keys])
    script.request(invite(body=keyed("A") if side == "caller" else OFFER))
    sent = script.sent
    script.reply(reply(sent, 200, body=OFFER if side == "caller" else keyed("A")))
    call = Call(sent, script.sent)

    def changes(key: str, status: int) -> list[str]:
        script.request(*call.by(side, "INVITE", body=keyed(key)))
        script.engine.done.clear()
        source = GLOBEX if side == "caller" else ACME
        script.reply(reply(script.sent, status, body=b"" if status > 299 else OFFER), source)
        return keys_offered_back(script)

    assert changes("B", 491) == ["A"]
    assert changes("C", 200) == []
    assert changes("C", 488) == []
    assert changes("D", 488) == ["C"]
    assert changes("D", 488) == ["C"]
    script.engine.told_by_others = True  # which keys these were is not known here
    assert changes("D", 488) == []
    assert {at for at, _ in script.kamailio.tables} >= {"held"}
    script.request(*call.by(side, "BYE"))
    assert not [at for at, _ in script.kamailio.tables if at == "held"]


@pytest.mark.parametrize("answer", [b"", NOTHING])
def test_no_keys_are_left_of_a_call_that_came_to_nothing(answer: bytes) -> None:
    keys = carrier("acme", ACME, srtp="required")
    script = Script(carriers=[keys, carrier("globex", GLOBEX)])
    script.kamailio.says["t_relay"] = 1 if answer else -1
    script.request(invite(body=keyed("A")))
    if answer:
        script.reply(reply(script.sent, 200, body=answer))
    assert script.answered == ([488] if answer else [503])
    assert not [at for at, _ in script.kamailio.tables if at == "held"]


def test_of_who_tells_no_keys_none_are_kept(script: Script, call: Call) -> None:
    script.request(*call.by("caller", "INVITE", body=MOVED))
    assert not [at for at, _ in script.kamailio.tables if at == "held"]


def at_other_nodes(monkeypatch: pytest.MonkeyPatch) -> tuple[Script, Script]:
    """Two nodes that have the sound of calls at the first one's engine, and a clock that goes on
    with each look at it."""
    clock = itertools.count(1_000_000)
    one, other = Script(), Script(node="bbbbbbbb")
    for node, its in ((one, "bbbbbbbb"), (other, CALL[:8])):
        node.others.engines = {its: Engine("127.0.0.1", 9, ())}
    monkeypatch.setattr(loaded("engines", one.kamailio), "Media", lambda *_: one.engine)
    told = SimpleNamespace(time=lambda: next(clock))
    monkeypatch.setattr(loaded("bodies", one.kamailio), "time", told)
    return one, other


def origin(told: sip.Message) -> int:
    """The number of a description."""
    return int(told.body.split(b"\r\no=- ")[1].split(b" ")[1])


def test_whichever_node_tells_a_description_its_number_grows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RFC 3264 8: there are phones that do not heed what seems older than what they know."""
    one, other = at_other_nodes(monkeypatch)
    call = answered(one)
    seen = [origin(call.bens)]
    for number, node in enumerate((other, one, one, other), 2):
        node.request(*call.by("caller", "INVITE", body=OFFER, number=number))
        asked = node.sent
        seen.append(origin(asked))
        for _ in range(2):  # what is said again is the same
            assert node.reply(reply(asked, 183, body=OFFER))
            ringing = origin(node.sent)
            assert node.reply(reply(asked, 200, body=OFFER))
            assert origin(node.sent) == ringing
    assert seen == sorted(set(seen))
