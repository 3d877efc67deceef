"""Requests within a call: whose may pass, where they go, what a BYE ends and what is told of it."""

from typing import Any

import pytest
from credentials import answer
from fake_kamailio import (
    ACME,
    ANN,
    BEN,
    CALL,
    CONTROL,
    GLOBEX,
    OFFER,
    OURS,
    PROXY,
    STRANGER,
    Call,
    Script,
    answered,
    carrier,
    hang_up,
    invite,
    reply,
    unsealed,
    within,
)

from maskline_sip import dialogs, digest, sip
from maskline_sip.switch import SwitchDown


def ringing(script: Script) -> Call:
    script.request(invite())
    sent = script.sent
    assert script.reply(reply(sent, 180))
    return Call(sent, script.sent)


def events(script: Script, *names: str) -> list[dict[str, Any]]:
    wanted = names or ("Ended", "Stranded", "Moved")
    return [one for one in script.control.events() if one["Event"] in wanted]


@pytest.mark.parametrize("side", ["caller", "called"])
def test_a_bye_ends_the_call_for_both(script: Script, call: Call, side: str) -> None:
    script.request(*call.by(side, "BYE", ("Reason", "SIP;cause=200"), ("Reason", "Q.850;cause=31")))
    sent = script.sent
    if side == "caller":
        assert sent.start == f"BYE sip:ben@{GLOBEX} SIP/2.0"
        assert (sent.call_id, sent.address("to").tag) == (call.bens.call_id, "ben")
    else:
        assert sent.start == f"BYE sip:ann@{ACME} SIP/2.0"
        assert (sent.call_id, sent.address("to").tag) == ("anns-call", "ann")
    assert script.answered == []
    assert script.kamailio.given("t_on_reply") == [("back",)]
    assert events(script) == [
        {"CallId": CALL, "Event": "Ended", "EndedBy": side, "SipStatus": 200, "Cause": 31}
    ]
    assert script.engine.given("delete") == [(CALL, 1)]
    assert not script.table("ready")
    assert not script.table("described")


@pytest.mark.parametrize("side", ["caller", "called"])
def test_nothing_of_one_side_is_in_what_the_other_side_gets(
    script: Script, call: Call, side: str
) -> None:
    words = (ANN, "ann", ACME + ">") if side == "caller" else (BEN, "ben", GLOBEX)
    for method in ("INVITE", "UPDATE", "INFO", "OPTIONS", "BYE"):
        raw, source = call.by(side, method, ("User-Agent", "Secret/1"), ("Subject", "Secret"))
        script.request(raw, source)
        told = str(script.sent)
        assert not [word for word in (*words, "Secret", "His Words") if word in told], method


def test_the_reply_to_a_bye_is_written_before_it_comes(script: Script, call: Call) -> None:
    """Kamailio gives it to whoever hung up, whatever the other side says of its own."""
    raw, source = call.by("caller", "BYE")
    script.request(raw, source)
    ready = unsealed(script.kamailio.cells["$avp(ready)"])
    asked = sip.parse(raw)
    assert ready.start == "SIP/2.0 200 OK"
    for name in ("via", "from", "to", "call-id", "cseq"):
        assert ready.all(name) == asked.all(name)
    raw = within("BYE", call.anns, *[("Via", "SIP/2.0/UDP " + "x" * 500)] * 10)
    script.request(raw, source)
    assert "$avp(ready)" not in script.kamailio.cells  # more than Kamailio's language appends
    assert script.relayed


def test_the_control_plane_hangs_both_up(script: Script, call: Call) -> None:
    (legs,) = (told["Legs"] for _, told in script.control.told if "Legs" in told)
    for leg, tag, place in zip(legs, ("ben", "ann"), (GLOBEX, ACME), strict=True):
        script.request(hang_up(leg, "Q.850;cause=41"), CONTROL)
        assert script.sent.address("to").tag == tag
        assert not script.sent.all("reason")
        assert sip.host(script.kamailio.cells["$du"]) == place
        assert (events(script)[-1]["EndedBy"], events(script)[-1]["Cause"]) == ("us", 41)
    assert not [name for name, _ in script.control.asked if name == "GetLegs"]


def test_who_is_told_later_that_a_call_is_over_does_not_end_it_again(
    script: Script, call: Call
) -> None:
    """Its record says when it ended, and why."""
    (legs,) = (told["Legs"] for _, told in script.control.told if "Legs" in told)
    bye = hang_up(legs[0]).replace(b"Reason: Q.850;cause=16\r\n", b"")
    script.request(bye, CONTROL)
    assert script.sent.method == "BYE"
    assert not events(script)


@pytest.mark.parametrize(("by", "told"), [("called", ["Stranded"]), ("us", [])])
def test_a_bye_that_cannot_be_sent_is_told_and_ends_nothing(
    script: Script, call: Call, by: str, told: list[str]
) -> None:
    (legs,) = (told["Legs"] for _, told in script.control.told if "Legs" in told)
    asked = (hang_up(legs[0]), CONTROL) if by == "us" else call.by(by, "BYE")
    script.kamailio.says["t_relay"] = -1
    script.request(*asked)
    assert script.answered == [503 if by == "us" else 500]
    assert [one["Event"] for one in events(script)] == told
    assert [one["EndedBy"] for one in events(script)] == [by] * len(told)
    assert not script.engine.given("delete")


def test_who_is_called_cannot_end_what_they_have_not_answered(script: Script) -> None:
    """RFC 3261 15."""
    call = ringing(script)
    script.request(*call.by("called", "BYE"))
    assert script.answered == [481]
    assert not script.relayed
    assert not events(script)


def at_another_node(monkeypatch: pytest.MonkeyPatch, *states: str) -> tuple[Script, Call]:
    """A node by which a message comes of a call that rings at another one, and what its record says
    of that, each time."""
    other, told = Script(), iter(states)
    call = ringing(other)
    other.routes.dialogs._node = "bbbbbbbb"
    other.kamailio.tables.clear()
    other.control.told.clear()
    monkeypatch.setattr(dialogs.time, "sleep", lambda _: None)
    monkeypatch.setattr(other.control, "ask", lambda *_: {"State": next(told)})
    return other, call


def test_who_is_called_cannot_end_it_by_another_node_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script, call = at_another_node(monkeypatch, "Ringing", "Ringing")
    script.request(*call.by("called", "BYE"))
    assert script.answered == [481]
    assert not script.relayed
    assert not events(script)


def test_who_answered_a_moment_ago_can_end_it_by_another_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whose record says so a moment later."""
    for states in (("Ringing", "Answered"), ("Answered",)):
        script, call = at_another_node(monkeypatch, *states)
        script.request(*call.by("called", "BYE"))
        assert script.relayed
        assert [one["EndedBy"] for one in events(script)] == ["called"]


def test_the_callers_early_bye_ends_no_call_by_another_node_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script, call = at_another_node(monkeypatch, "Ringing", "Ringing")
    script.request(*call.by("caller", "BYE"))
    assert script.relayed
    assert not events(script)
    assert not script.engine.given("delete")


@pytest.mark.parametrize("method", ["UPDATE", "INFO", "PRACK"])
def test_who_rings_may_say_all_else(script: Script, method: str) -> None:
    """RFC 3311: a call can be changed before it is answered."""
    call = ringing(script)
    for side in ("called", "caller"):
        script.request(*call.by(side, method))
        assert script.relayed


def test_the_callers_early_bye_ends_one_phones_ringing_and_no_call(script: Script) -> None:
    call = ringing(script)
    begun = dict(script.kamailio.cells)
    script.request(*call.by("caller", "BYE"))
    assert script.relayed
    assert not events(script)
    assert not script.engine.given("delete")
    script.kamailio.cells.update(begun)
    script.reply(reply(call.bens, 487))
    script.fails(487)
    assert [one["EndedBy"] for one in events(script)] == ["caller"]


def test_a_phone_that_refuses_after_the_callers_early_bye_is_who_refused(script: Script) -> None:
    call = ringing(script)
    begun = dict(script.kamailio.cells)
    script.request(*call.by("caller", "BYE"))
    script.kamailio.cells.update(begun)
    script.reply(reply(call.bens, 486))
    script.fails(486)
    assert [one["EndedBy"] for one in events(script)] == ["called"]


def test_a_phone_that_says_487_by_itself_is_who_refused(script: Script) -> None:
    call = ringing(script)
    script.reply(reply(call.bens, 487))
    script.fails(487)
    assert [one["EndedBy"] for one in events(script)] == ["called"]


def test_an_early_bye_that_cannot_be_sent_strands_nothing(script: Script) -> None:
    call = ringing(script)
    script.kamailio.says["t_relay"] = -1
    script.request(*call.by("caller", "BYE"))
    assert script.answered == [500]
    assert not events(script)


@pytest.mark.parametrize(
    ("side", "known", "wrong"),
    [
        ("caller", b"tag=ann", b"tag=eve"),
        ("caller", b"anns-call", b"eves-call"),
        ("caller", b"BYE sip:", b"BYE sip:x"),
        ("called", b"Call-ID: ", b"Call-ID: x"),
        ("called", b"To: <sip:", b"To: <sip:x@x>;tag=y <sip:"),
    ],
)
def test_who_does_not_know_all_of_a_call_cannot_end_it(
    script: Script, call: Call, side: str, known: bytes, wrong: bytes
) -> None:
    raw, source = call.by(side, "BYE")
    script.request(raw.replace(known, wrong), source)
    assert script.answered == [481]
    assert not script.relayed
    assert not events(script)


def test_nothing_answers_an_ack(script: Script, call: Call) -> None:
    script.request(within("ACK", call.anns, number=1).replace(b"tag=ann", b"tag=eve"))
    assert not script.answered
    assert not script.relayed
    script.request(within("ACK", call.anns, number=1))
    assert script.sent.method == "ACK"
    assert script.sent.cseq[0] == 1
    assert script.relayed
    assert not script.kamailio.given("t_newtran")
    assert "$avp(maskline)" not in script.kamailio.cells
    assert not script.kamailio.given("t_on_reply")


@pytest.mark.parametrize(("found", "method"), [(1, "INFO"), (0, "ACK"), (1, "BYE")])
def test_what_came_before_is_left_to_its_transaction(
    script: Script, call: Call, found: int, method: str
) -> None:
    script.kamailio.says["t_check_trans"] = found
    script.request(*call.by("caller", method))
    assert not script.relayed
    assert not script.answered
    assert not events(script)


def test_who_is_out_of_reach_for_a_moment_loses_no_call(script: Script, call: Call) -> None:
    """To a 408 the other one would hang up. We may say it to a BYE, after Kamailio's own time."""
    for method in ("INVITE", "UPDATE", "INFO", "OPTIONS", "PRACK", "BYE"):
        script.request(*call.by("caller", method))
        assert script.relayed
        waits = script.kamailio.given("t_set_fr")
        assert waits == ([] if method == "BYE" else [(0, 32_000)]), method


def test_what_comes_again_while_it_is_looked_at_is_looked_at_once(
    script: Script, call: Call
) -> None:
    script.kamailio.says["t_newtran"] = 0
    script.request(*call.by("caller", "BYE"))
    assert not script.relayed
    assert not events(script)


@pytest.mark.parametrize(
    ("method", "more", "status"),
    [("SUBSCRIBE", (), 405), ("REFER", (), 405), ("MESSAGE", (), 405),
     ("INFO", (("Require", "gruu"),), 420)],
)  # fmt: skip
def test_what_we_cannot_do_within_a_call_is_refused(
    script: Script, call: Call, method: str, more: tuple[tuple[str, str], ...], status: int
) -> None:
    script.request(*call.by("caller", method, *more))
    assert script.answered == [status]
    assert not script.relayed


def test_a_loop_ends(script: Script, call: Call) -> None:
    raw, source = call.by("caller", "INFO")
    script.request(raw.replace(b"Max-Forwards: 70", b"Max-Forwards: 0"), source)
    assert script.answered == [483]


def over(script: Script) -> None:
    (legs,) = (told["Legs"] for _, told in script.control.told if "Legs" in told)
    script.control.answers["GetLegs"] = {"State": "Ended", "Legs": legs}


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "OPTIONS", "PRACK"])
def test_nobody_goes_on_with_a_call_that_is_over(script: Script, call: Call, method: str) -> None:
    over(script)
    script.request(*call.by("called", method))
    assert script.answered == [481]
    script.request(*call.by("called", "BYE"))
    assert script.relayed
    script.request(*call.by("called", "ACK"))
    assert script.relayed


def test_of_a_fork_the_one_that_answered_has_the_call(script: Script) -> None:
    script.request(invite())
    sent = script.sent
    script.reply(reply(sent, 180, tag="carl"))
    seen_of_carl = script.sent
    script.reply(reply(sent, 200, tag="ben", body=OFFER))
    call = Call(sent, script.sent)
    (legs,) = (told["Legs"] for _, told in script.control.told if "Legs" in told)
    script.control.answers["GetLegs"] = {"State": "Answered", "Legs": legs}
    for method in ("INVITE", "BYE"):
        script.request(within(method, seen_of_carl))
        assert script.answered == [481]
        script.request(within(method, sent).replace(b"tag=ben", b"tag=carl"), GLOBEX)
        assert script.answered == [481]
    assert not events(script)
    for side in ("called", "caller"):
        script.request(*call.by(side, "INVITE"))
        assert script.relayed


def test_who_has_not_taken_a_call_cannot_have_its_sound_by_an_ack(script: Script) -> None:
    """Another phone of a fork, or a carrier that refused: neither has anything to acknowledge."""
    call = ringing(script)
    script.request(*call.by("called", "ACK", number=1, body=OFFER))
    assert not script.relayed
    assert not script.engine.given("answer")
    script = Script()
    call = answered(script)
    (legs,) = (told["Legs"] for _, told in script.control.told if "Legs" in told)
    script.control.answers["GetLegs"] = {"State": "Answered", "Legs": legs}
    script.engine.done.clear()
    theirs, source = call.by("called", "ACK", number=1, body=OFFER)
    script.request(theirs.replace(b"tag=ben", b"tag=carl"), source)
    assert not script.relayed
    assert not script.answered
    assert not script.engine.done
    script.request(theirs, source)
    assert script.relayed
    assert len(script.engine.given("answer")) == 1


def test_without_the_control_plane_a_call_can_be_hung_up_but_not_moved(
    script: Script, call: Call
) -> None:
    """A route set may be missing. To a 503 a phone might hang up (RFC 3261 12.2.1.2)."""
    script.control.answers["GetLegs"] = SwitchDown("silent")
    for method in ("INVITE", "UPDATE"):
        script.request(*call.by("caller", method))
        assert script.answered == [500]
        assert script.kamailio.given("append_to_reply") == [("Retry-After: 5\r\n",)]
    script.request(*call.by("caller", "INFO"))
    assert script.relayed
    script.request(*call.by("caller", "BYE"))
    assert script.relayed
    assert len(events(script, "Ended")) == 1


@pytest.mark.parametrize("route", ["<>", "<tel:+1>", "nowhere"])
def test_a_proxy_that_says_not_where_it_is_is_not_sent_to(script: Script, route: str) -> None:
    """Where it would go then, Kamailio knows by the request: to us."""
    script.request(invite())
    sent = script.sent
    script.reply(reply(sent, 200, ("Record-Route", route), body=OFFER))
    script.request(*Call(sent, script.sent).by("caller", "BYE"))
    assert script.answered == [500]
    assert not script.relayed


@pytest.mark.parametrize("target_", [b"sip:x@192.0.2.100", b"sip:x@127.0.0.1"])
def test_nobody_sends_us_to_ourselves(script: Script, target_: bytes) -> None:
    script.request(invite().replace(b"sip:ann@192.0.2.1", target_))
    sent = script.sent
    script.reply(reply(sent, 200, body=OFFER))
    assert not script.table("ready")
    script.request(within("BYE", sent), GLOBEX)
    assert script.answered == [500]
    assert not script.relayed


def test_a_stranger_cannot_go_on_with_somebodys_call(script: Script, call: Call) -> None:
    raw, _ = call.by("called", "BYE")
    script.request(raw, STRANGER)
    assert not script.relayed
    assert not script.answered
    assert not events(script)


def test_a_call_outlives_its_carrier(script: Script, call: Call) -> None:
    """Of which a new start's settings may know nothing any more."""
    later = Script(carriers=[carrier("acme", ACME)])
    later.request(*call.by("caller", "INFO"))
    assert later.relayed
    later.request(*call.by("caller", "BYE"))
    assert later.relayed
    assert [one["EndedBy"] for one in events(later)] == ["caller"]


def test_who_calls_from_anywhere_is_found_where_they_spoke_from() -> None:
    """Also on this machine, where no party may send us else."""
    known = {"inbound_username": "acme-in", "inbound_password": "secret"}
    script = Script(carriers=[carrier("acme", ACME, **known), carrier("globex", GLOBEX)])
    here = "127.0.0.7:5070"
    script.request(invite(), here)
    asked = [one.partition(": ")[2].strip() for (one,) in script.kamailio.given("append_to_reply")]
    account = digest.Account("acme-in", "secret")
    told = answer(asked, account, "INVITE", sip.parse(invite()).uri)
    assert told
    script.request(invite(("Authorization", told)), here)
    sent = script.sent
    assert script.reply(reply(sent, 200, body=OFFER))
    script.request(within("ACK", script.sent, number=1), here)
    assert script.relayed
    script.request(within("BYE", sent), GLOBEX)
    assert script.kamailio.cells["$du"] == f"sip:{here};transport=udp"
    assert script.relayed


def test_who_calls_a_secure_address_is_told_one() -> None:
    """RFC 3261 12.1.1. The other party's is as plain as what it was called by."""
    script = Script(listen=[f"udp:{OURS}:5060", f"tls:{OURS}:5061"])
    script.request(invite(uri=f"sips:{PROXY}@{OURS}"), transport="tls")
    sent = script.sent
    assert sent.first("contact").startswith("<sip:")
    assert script.reply(reply(sent, 200, body=OFFER))
    (told,) = script.sent.all("contact")
    assert told.startswith("<sips:")
    assert told.endswith(f"@{OURS}:5060>")


@pytest.mark.parametrize(
    ("target", "scheme"), [("sips:ben@192.0.2.82", "sips"), (f"sip:ben@{GLOBEX}", "sip")]
)
def test_who_tells_a_secure_address_is_told_one_within_the_call(target: str, scheme: str) -> None:
    """RFC 3261 8.1.1.8; and we are found there."""
    script = Script(listen=[f"udp:{OURS}:5060", f"tls:{OURS}:5061"])
    script.request(invite())
    sent = script.sent
    answer = reply(sent, 200, body=OFFER).replace(f"sip:ben@{GLOBEX}".encode(), target.encode())
    assert script.reply(answer)
    call = Call(sent, script.sent)
    script.request(*call.by("caller", "UPDATE", body=OFFER))
    contact = script.sent.address("contact").uri
    assert contact.startswith(f"{scheme}:")
    later = within("BYE", call.bens)
    there = later.replace(call.bens.address("contact").uri.encode(), contact.encode())
    script.request(there, GLOBEX)
    assert script.sent.method == "BYE"
    assert events(script, "Ended")


def test_a_call_to_a_secure_address_can_be_ended_by_us() -> None:
    """By a line of our own, which is none of TLS."""
    script = Script(listen=[f"udp:{OURS}:5060", f"tls:{OURS}:5061"])
    script.request(invite(uri=f"sips:{PROXY}@{OURS}"), transport="tls")
    assert script.reply(reply(script.sent, 200, body=OFFER))
    (answered,) = [one for _, one in script.control.told if one.get("Event") == "Answered"]
    for leg in answered["Legs"]:
        assert leg["Target"].startswith("sip:")
        script.request(hang_up(leg), CONTROL)
        assert script.sent.method == "BYE"
