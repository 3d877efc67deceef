"""A call that its first place does not take: where it goes next, and where not; and passwords."""

import json

import pytest
from fake_kamailio import (
    ACME,
    BEN,
    CALL,
    CHALLENGE,
    CONTROL,
    GLOBEX,
    INITECH,
    OFFER,
    PROXYS_CHALLENGE,
    STRANGER,
    Call,
    Script,
    carrier,
    hang_up,
    invite,
    proves,
    reply,
    route,
    target,
)

from maskline_sip import sdp, sip

HERE, THERE = target(), target("initech", f"{INITECH}:5060")


@pytest.fixture
def script() -> Script:
    made = Script()
    made.control.answers["RouteCall"] = route(HERE, THERE)
    return made


def begin(script: Script, *targets: dict[str, str]) -> sip.Message:
    if targets:
        script.control.answers["RouteCall"] = route(*targets)
    script.request(invite())
    return script.sent


def refused(script: Script, to: sip.Message, status: int, *more: tuple[str, str]) -> None:
    """The place refuses, and nothing else of the call is left."""
    script.kamailio.cells["$T_branch_idx"] += 1  # as Kamailio counts in a failure
    index = script.kamailio.cells["$T_branch_idx"]
    script.kamailio.cells["$T_branch_idx"] = index - 1
    script.reply(reply(to, status, *more))
    script.kamailio.cells["$T_branch_idx"] = index
    script.fails(status)


def suspected(script: Script) -> list[str]:
    return [told["Address"] for name, told in script.control.told if name == "ReportTrunk"]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_place_that_cannot_take_a_call_is_passed_over(script: Script, status: int) -> None:
    refused(script, begin(script), status)
    assert script.kamailio.cells["$du"] == f"sip:{INITECH}:5060"
    assert script.sent.uri == f"sip:{BEN}@{INITECH}:5060"
    assert suspected(script) == [f"{GLOBEX}:5060"]
    assert script.kamailio.given("t_set_fr") == [(60_000, 5000)]
    assert not script.control.events()
    assert script.kamailio.given("t_on_failure")
    refused(script, script.sent, 503)
    assert not script.relayed
    (ended,) = script.control.events()
    assert (ended["EndedBy"], ended["SipStatus"]) == ("carrier", 503)
    assert ended["CarrierName"] == "initech"
    assert suspected(script) == [f"{GLOBEX}:5060", f"{INITECH}:5060"]


@pytest.mark.parametrize("status", [302, 403, 404, 408, 480, 486, 487, 488, 501, 505, 600, 603])
def test_what_a_place_says_of_the_call_holds_everywhere(script: Script, status: int) -> None:
    refused(script, begin(script), status)
    assert not script.relayed
    assert not suspected(script)
    assert [one["SipStatus"] for one in script.control.events()] == [status]


def test_a_place_that_says_nothing_is_passed_over(script: Script) -> None:
    begin(script)
    script.kamailio.cells["$T_branch_idx"] = 1
    script.fails(408, t_branch_timeout=1)
    assert script.kamailio.cells["$du"] == f"sip:{INITECH}:5060"
    assert suspected(script) == [f"{GLOBEX}:5060"]


@pytest.mark.parametrize("ring", [180, 183])
def test_a_phone_that_rang_is_the_only_one(script: Script, ring: int) -> None:
    sent = begin(script)
    script.reply(reply(sent, ring))
    script.fails(408, t_branch_timeout=1)
    assert not script.relayed
    assert script.control.events()[-1]["EndedBy"] == "us"


def test_what_a_place_says_after_the_call_went_on_is_nothing_to_it(script: Script) -> None:
    sent = begin(script)
    refused(script, sent, 503)
    script.kamailio.cells["$T_branch_idx"] = 0
    assert not script.reply(reply(sent, 180))
    assert not script.reply(reply(sent, 486))
    assert not script.reply(reply(sent, 200, body=OFFER))
    dismissed = [told for name, told in script.control.told if name == "DismissLeg"]
    assert len(dismissed) == 1
    assert not script.control.events()
    script.kamailio.cells["$T_branch_idx"] = 1
    assert script.reply(reply(sent, 180))


def test_a_fault_in_a_further_attempt_ends_the_call(script: Script) -> None:
    sent = begin(script)
    script.engine.faults = [KeyError(BEN)]
    refused(script, sent, 503)
    assert script.control.events()[-1]["EndedBy"] == "carrier"
    ((line,),) = script.kamailio.given("err")
    assert line == "no further attempt: KeyError\n"


def test_a_further_place_that_cannot_be_sent_to_is_suspected_too(script: Script) -> None:
    sent = begin(script, HERE, THERE, target(address="192.0.2.4:5060"))
    script.kamailio.says["t_relay"] = -1
    refused(script, sent, 503)
    assert suspected(script) == [f"{GLOBEX}:5060", f"{INITECH}:5060", "192.0.2.4:5060"]
    assert script.control.events()[-1]["SipStatus"] == 503


@pytest.mark.parametrize(
    ("status", "asked", "name"),
    [(401, CHALLENGE, "authorization"), (407, PROXYS_CHALLENGE, "proxy-authorization")],
)
def test_a_carrier_that_asks_for_our_password_gets_its_answer_once(
    script: Script, status: int, asked: tuple[str, str], name: str
) -> None:
    sent = begin(script, THERE, HERE)
    assert sent.cseq[0] == 1
    refused(script, sent, status, asked)
    again = script.sent
    assert again.first(name).startswith('Digest username="maskline", realm="initech"')
    assert f'uri="sip:{BEN}@{INITECH}:5060"' in again.first(name)
    assert proves(again)
    assert again.cseq[0] == 2
    assert again.call_id == sent.call_id
    assert again.address("from") == sent.address("from")
    assert script.kamailio.cells["$du"] == f"sip:{INITECH}:5060"
    assert script.kamailio.given("t_set_fr") == [(20_000, 3000)]  # there is another place yet
    assert not script.control.told
    refused(script, again, status, asked)
    assert not script.sent.first(name)
    refused(script, script.sent, 486)
    assert not script.relayed
    (ended,) = script.control.events()
    assert (ended["EndedBy"], ended["SipStatus"]) == ("called", 486)


def test_who_does_not_know_us_is_not_asked_at_another_place(script: Script) -> None:
    """But another carrier is, and by the next call first."""
    again = target("initech", "192.0.2.94:5060")
    refused(script, begin(script, THERE, again, HERE), 401, CHALLENGE)
    refused(script, script.sent, 401, CHALLENGE)
    assert script.kamailio.cells["$du"] == f"sip:{GLOBEX}:5060"
    assert script.kamailio.given("t_set_fr") == [(60_000, 5000)]
    assert suspected(script) == [f"{INITECH}:5060"]
    ((line,),) = script.kamailio.given("err")
    assert line == "carrier initech takes no call: the user name or the password is wrong\n"
    script.reply(reply(script.sent, 200, body=OFFER))
    assert script.control.events()[-1]["CarrierName"] == "globex"


def test_who_knows_us_by_no_password_is_passed_by_if_it_asks(script: Script) -> None:
    refused(script, begin(script, HERE, THERE), 407, PROXYS_CHALLENGE)
    assert script.kamailio.cells["$du"] == f"sip:{INITECH}:5060"


def test_who_does_not_know_us_ends_the_call_where_there_is_nobody_else(script: Script) -> None:
    again = target("initech", "192.0.2.94:5060")
    refused(script, begin(script, THERE, again), 401, CHALLENGE)
    refused(script, script.sent, 401, CHALLENGE)
    assert not script.relayed
    (ended,) = script.control.events()
    assert (ended["EndedBy"], ended["SipStatus"]) == ("us", 401)
    assert not suspected(script)


def test_a_phone_that_rang_is_not_asked_at_another_carrier(script: Script) -> None:
    sent = begin(script, THERE, HERE)
    script.reply(reply(sent, 180), INITECH)
    refused(script, sent, 401)
    assert not script.relayed


def test_the_ack_of_a_call_brings_what_its_invite_brought(script: Script) -> None:
    """RFC 3261 22.1: nobody can be asked for it. So does that of a change within the call."""
    refused(script, begin(script, THERE), 401, CHALLENGE)
    sent = script.sent
    assert script.reply(reply(sent, 200, body=OFFER), INITECH)
    call = Call(sent, script.sent)
    script.request(*call.by("caller", "ACK", number=1))
    proof = sent.all("authorization")
    assert proof
    assert script.sent.all("authorization") == proof
    assert script.sent.cseq[0] == sent.cseq[0]
    script.request(*call.by("caller", "INVITE", number=2, body=OFFER))
    plain = script.sent
    assert script.reply(reply(plain, 200, body=OFFER), INITECH)
    script.request(*Call(plain, script.sent).by("caller", "ACK", number=2))
    assert not script.sent.all("authorization")
    script.request(*call.by("caller", "INVITE", number=3, body=OFFER))
    refused(script, script.sent, 407, PROXYS_CHALLENGE)
    changed = script.sent
    assert script.reply(reply(changed, 200, body=OFFER), INITECH)
    script.request(*Call(changed, script.sent).by("caller", "ACK", number=3))
    assert script.sent.all("proxy-authorization") == changed.all("proxy-authorization") != []
    assert not script.sent.all("authorization")


def test_the_last_place_is_waited_for_as_long_with_a_password_as_without(script: Script) -> None:
    sent = begin(script, THERE)
    assert script.kamailio.given("t_set_fr") == [(60_000, 5000)]
    refused(script, sent, 401, CHALLENGE)
    assert script.kamailio.given("t_set_fr") == [(60_000, 5000)]


def test_the_caller_does_not_read_the_challenge(script: Script) -> None:
    sent = begin(script, THERE)
    assert script.reply(reply(sent, 407, PROXYS_CHALLENGE))
    assert script.sent.status == 480
    assert "n1" not in str(script.sent)
    assert "initech" not in str(script.sent)


def test_nobody_is_told_a_password_who_knows_us_by_none(script: Script) -> None:
    refused(script, begin(script, HERE), 401, CHALLENGE)
    assert not script.relayed
    assert not script.kamailio.given("err")


def test_a_challenge_is_answered_to_who_asked_it_alone() -> None:
    """What one carrier asked is nothing to the next one, whose refusal asks for nothing."""
    known = {"username": "maskline", "password": "secret"}
    names = (("globex", GLOBEX), ("initech", INITECH))
    carriers = [carrier(name, at, **known) for name, at in names]
    script = Script(carriers=[carrier("acme", ACME), *carriers])
    sent = begin(script, THERE, HERE)
    refused(script, sent, 401, CHALLENGE)
    refused(script, script.sent, 503)
    assert script.sent.uri.endswith(f"{GLOBEX}:5060")
    assert not script.sent.first("authorization")
    asked = CHALLENGE[0], CHALLENGE[1].replace("initech", "globex").replace("n1", "n2")
    refused(script, script.sent, 401, asked)
    (told,) = script.sent.all("authorization")
    assert 'realm="globex", nonce="n2"' in told
    refused(script, script.sent, 486)
    assert not script.relayed


def test_a_challenge_that_could_not_be_read_is_not_answered(script: Script) -> None:
    sent = begin(script, THERE)
    broken = reply(sent, 401, CHALLENGE).replace(b"CSeq: 1 INVITE", b"CSeq: broken")
    assert not script.reply(broken)
    script.fails(401)
    assert not script.relayed
    ((line,),) = script.kamailio.given("err")
    assert line == "carrier initech takes no call: its challenge cannot be read\n"


@pytest.mark.parametrize("asked", [(), (("WWW-Authenticate", "Basic realm=x"),)])
def test_a_challenge_that_cannot_be_answered_ends_the_call(
    script: Script, asked: tuple[tuple[str, str], ...]
) -> None:
    refused(script, begin(script, THERE), 401, *asked)
    assert not script.relayed
    assert script.control.events()[-1]["SipStatus"] == 401


def test_a_carrier_that_falls_silent_gets_no_password(script: Script) -> None:
    sent = begin(script, THERE)
    script.reply(reply(sent, 401, CHALLENGE))
    script.fails(401, t_branch_timeout=1)
    assert not script.relayed


def test_who_asks_anew_is_ahead_by_as_much(script: Script) -> None:
    """RFC 3261 21.4.26: the number of a call that was refused went up by the password's one."""
    refused(script, begin(script, THERE), 401, CHALLENGE)
    script.request(invite(number=2))
    assert script.sent.cseq[0] == 3
    refused(script, script.sent, 401, CHALLENGE)
    assert script.sent.cseq[0] == 4
    assert begin(script, HERE).cseq[0] == 1  # of a carrier without passwords nothing is kept


def test_of_two_encrypted_calls_in_the_engine_one_is_given_up_with_its_carrier() -> None:
    script = Script(
        carriers=[
            carrier("acme", ACME, srtp="optional"),
            carrier("globex", GLOBEX, srtp="required"),
            carrier("initech", INITECH),
        ]
    )
    sent = begin(script, HERE, THERE)
    assert not script.engine.given("delete second")
    refused(script, sent, 503)
    assert script.engine.given("delete second") == [(CALL,)]
    assert json.loads(script.kamailio.cells["$avp(attempt)"])["halves"] == 1


def test_no_half_is_given_up_that_the_next_carrier_needs() -> None:
    encrypted = [carrier(name, at, srtp="required") for name, at in
                 (("acme", ACME), ("globex", GLOBEX), ("initech", INITECH))]  # fmt: skip
    script = Script(carriers=encrypted)
    script.engine.faults = [sdp.Unacceptable("x"), None]
    sent = begin(script, HERE, THERE)
    assert sent.uri.endswith(f"{INITECH}:5060")
    assert not script.engine.given("delete second")


def dismissed(script: Script) -> list[dict[str, str]]:
    return [told["Leg"] for name, told in script.control.told if name == "DismissLeg"]


def gone_on(script: Script) -> sip.Message:
    """The INVITE of a place that the call has gone on from, where numbers are written otherwise."""
    there = target("initech", f"{INITECH}:5060", Caller="0019135550199", Called="4015550101")
    sent = begin(script, there, HERE)
    refused(script, sent, 503)
    assert script.sent.address("to") != sent.address("to")
    script.kamailio.cells["$T_branch_idx"] = 0
    return sent


def test_who_answers_too_late_is_hung_up_in_the_words_that_they_know(script: Script) -> None:
    sent = gone_on(script)
    assert not script.reply(reply(sent, 200, body=OFFER), INITECH)
    (leg,) = dismissed(script)
    script.request(hang_up(leg), CONTROL)
    bye = script.sent
    assert (bye.address("from"), bye.call_id) == (sent.address("from"), sent.call_id)
    assert bye.address("to") == sip.Address(sent.address("to").uri, "ben")
    script.reply(reply(bye, 401, CHALLENGE), INITECH)
    script.fails(401)
    assert script.sent.first("authorization")  # their carrier knows us by a password
    assert not script.control.events()


def test_who_answers_too_late_from_elsewhere_is_hung_up_too(script: Script) -> None:
    sent = gone_on(script)
    assert not script.reply(reply(sent, 200, body=OFFER), STRANGER)
    (leg,) = dismissed(script)
    script.request(hang_up(leg), CONTROL)
    assert script.relayed


def test_who_does_not_tell_where_they_are_cannot_be_told(script: Script) -> None:
    told = reply(gone_on(script), 200, body=OFFER)
    contact = f"Contact: <sip:ben@{GLOBEX}>\r\n".encode()
    assert not script.reply(told.replace(contact, b""), INITECH)
    assert not dismissed(script)
    assert not script.kamailio.given("err")
