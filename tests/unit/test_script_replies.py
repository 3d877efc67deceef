"""What becomes of a call that is under way: who answered it, who ended it and with what status, and
what of it the caller gets to read."""

from typing import Any

import pytest
from fake_kamailio import (
    ACME,
    BEN,
    CALL,
    CONTROL,
    GLOBEX,
    INITECH,
    OFFER,
    STRANGER,
    Script,
    hang_up,
    invite,
    reply,
    route,
    target,
)

from maskline_sip import ringing, sip, ways

TOLD = {"CallId": CALL, "CarrierName": "globex"}


@pytest.fixture
def sent(script: Script) -> sip.Message:
    """The INVITE of a call that nobody has said anything of yet."""
    script.request(invite())
    return script.sent


def ended(script: Script) -> dict[str, Any]:
    """How the call ended; it ends once."""
    (told,) = (one for one in script.control.events() if one["Event"] == "Ended")
    return told


@pytest.mark.parametrize(("rings", "answers"), [(180, 200), (101, 202), (198, 299)])
def test_a_call_rings_and_is_answered_once_each(
    script: Script, sent: sip.Message, rings: int, answers: int
) -> None:
    for _ in range(2):
        assert script.reply(reply(sent, rings))
        assert script.reply(reply(sent, 183))
    assert [*script.table("ringing")] == [CALL]
    for _ in range(2):
        assert script.reply(reply(sent, answers, body=OFFER))
    assert script.control.events() == [
        {**TOLD, "Event": "Ringing", "SipStatus": rings},
        {**TOLD, "Event": "Answered", "SipStatus": answers},
    ]
    assert not script.table("ringing")


def test_an_answer_tells_the_control_plane_how_to_hang_up(
    script: Script, sent: sip.Message
) -> None:
    script.reply(reply(sent, 180))
    script.reply(reply(sent, 200, body=OFFER))
    rang, answered = (given for _, given in script.control.told)
    assert "Legs" not in rang
    to_ben, to_ann = answered["Legs"]
    assert to_ben["CallId"] == "anns-call"
    assert to_ann["CallId"] == sent.call_id
    assert to_ann["From"].endswith(";tag=ben")


@pytest.mark.parametrize("status", [181, 182])
def test_a_call_that_is_queued_does_not_ring_yet(
    script: Script, sent: sip.Message, status: int
) -> None:
    assert script.reply(reply(sent, status))
    assert not script.control.told
    script.reply(reply(sent, 180))
    assert [one["Event"] for one in script.control.events()] == ["Ringing"]


def test_what_the_caller_reads_is_none_of_the_other_sides_words(
    script: Script, sent: sip.Message
) -> None:
    for status, body in ((180, b""), (200, OFFER)):
        given = reply(sent, status, ("Server", "Bens-Phone/1.0"), body=body)
        assert script.reply(given)
        told = str(script.sent)
        for word in (BEN, "ben@", "Bens-Phone", "His Words", "192.0.2.11", GLOBEX):
            assert word not in told
        assert script.sent.call_id == "anns-call"
        assert script.sent.first("via").startswith("SIP/2.0/UDP 192.0.2.1;")
    assert b"192.0.2.200" in script.sent.body


def test_ringing_lasts_from_the_first_word_of_the_phone(script: Script, sent: sip.Message) -> None:
    """Once: each time anew it would never end. That it is being tried is no such word."""
    script.control.answers["RouteCall"] = route(target(), target("initech", INITECH))
    script.request(invite())
    sent = script.sent
    script.reply(reply(sent, 180))
    assert script.kamailio.given("t_set_fr") == [(60_000, 0)]
    script.reply(reply(sent, 183))
    assert script.kamailio.given("t_set_fr") == []


def test_that_one_of_a_forks_phones_rings_no_more_is_no_ringing(
    script: Script, sent: sip.Message
) -> None:
    """RFC 6228. One that is to be confirmed must pass, or it comes again and ends the call."""
    assert not script.reply(reply(sent, 199))
    assert not script.written
    reliable = ("Require", "100rel"), ("RSeq", "7")
    assert script.reply(reply(sent, 199, *reliable))
    assert script.sent.status == 183
    assert not script.control.events()
    assert script.reply(reply(sent, 180, tag="carl"))
    assert [one["Event"] for one in script.control.events()] == ["Ringing"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b"Contact: <sip:ben@192.0.2.82>\r\n", b""), (b";tag=ben", b""),
        *((b"<sip:ben@192.0.2.82>", told) for told in (b"*", b"<>", b"<sip:>", b"<tel:+1>")),
        (b"<sip:ben@", b"<sip:b\xe9n@"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 299])
def test_an_answer_that_makes_no_dialogue_ends_the_call(
    script: Script, sent: sip.Message, right: bytes, wrong: bytes, status: int
) -> None:
    """RFC 3261 12.1.1: nobody could hang up."""
    assert script.reply(reply(sent, 198).replace(right, wrong))
    script.control.told.clear()
    assert not script.reply(reply(sent, status, body=OFFER).replace(right, wrong))
    assert script.answered == [500]
    assert ended(script) == {**TOLD, "Event": "Ended", "EndedBy": "us", "SipStatus": 500}
    assert script.engine.given("delete") == [(CALL,)]
    assert not script.table("ringing")


def dismissed(script: Script) -> list[dict[str, Any]]:
    return [given for operation, given in script.control.told if operation == "DismissLeg"]


def test_of_a_fork_whoever_answers_second_is_hung_up(script: Script, sent: sip.Message) -> None:
    script.reply(reply(sent, 180, tag="carl"))
    script.reply(reply(sent, 200, tag="ben", body=OFFER))
    assert not script.reply(reply(sent, 198, tag="carl"))
    assert not dismissed(script)
    assert not script.reply(reply(sent, 299, tag="carl", body=OFFER))
    (told,) = dismissed(script)
    assert told["SequenceNumber"] == 1
    assert [one["Event"] for one in script.control.events()] == ["Ringing", "Answered"]
    assert script.reply(reply(sent, 200, tag="ben", body=OFFER))  # comes again
    script.request(hang_up(told["Leg"]), CONTROL)
    assert script.sent.address("to").tag == "carl"
    assert script.sent.call_id == sent.call_id
    assert len(script.control.events()) == 2


@pytest.mark.parametrize(
    ("status", "by"),
    [(486, "called"), (603, "called"), (480, "called"), (404, "carrier"), (500, "carrier"),
     (300, "carrier"), (302, "carrier"), (401, "us")],
)  # fmt: skip
def test_a_refusal_is_whose_it_is(script: Script, sent: sip.Message, status: int, by: str) -> None:
    assert script.reply(reply(sent, status))
    script.fails(status)
    told = {**TOLD, "Event": "Ended", "EndedBy": by, "SipStatus": status}
    assert script.control.events() == [told]
    assert script.answered == []  # what was passed on answers
    assert script.engine.given("delete") == [(CALL,)]
    assert not script.table("ringing")
    assert not script.table("described")


@pytest.mark.parametrize(("said", "cause"), [("Q.850;cause=17", 17), ("SIP;cause=200", None)])
def test_the_cause_that_came_with_a_refusal_is_told(
    script: Script, sent: sip.Message, said: str, cause: int | None
) -> None:
    script.reply(reply(sent, 486, ("Reason", "SIP;cause=486"), ("Reason", said)))
    script.fails(486)
    assert ended(script).get("Cause") == cause


def test_the_cause_of_another_refusal_is_not_this_ones(script: Script, sent: sip.Message) -> None:
    script.reply(reply(sent, 486, ("Reason", "Q.850;cause=17")))
    script.fails(480)
    assert "Cause" not in ended(script)


def test_who_hangs_up_while_it_rings_ended_it(script: Script, sent: sip.Message) -> None:
    script.reply(reply(sent, 180))
    script.reply(reply(sent, 487))
    script.fails(487, t_is_canceled=1)
    assert (ended(script)["EndedBy"], ended(script)["SipStatus"]) == ("caller", 487)
    assert script.answered == []  # Kamailio has


def test_nobody_else_is_called_for_who_hung_up(script: Script) -> None:
    script.control.answers["RouteCall"] = route(target(), target("initech", INITECH))
    script.request(invite())
    script.fails(503, t_is_canceled=1, t_branch_timeout=1)
    assert not script.relayed
    assert ended(script)["EndedBy"] == "caller"


def test_a_call_that_we_gave_up_gets_480(script: Script, sent: sip.Message) -> None:
    script.control.answers["RouteCall"] = route(target(), target("initech", INITECH))
    script.request(invite())
    script.fails(503, isflagset=1)
    assert script.answered == [480]
    assert not script.relayed
    assert (ended(script)["EndedBy"], ended(script)["SipStatus"]) == ("us", 480)


def test_what_comes_after_a_call_was_given_up_is_nothing_to_its_caller(
    script: Script, sent: sip.Message
) -> None:
    script.kamailio.says["isflagset"] = 1
    assert script.reply(reply(sent, 180))  # it rings still
    ringing.end(CALL)  # its caller was told 480
    assert not script.reply(reply(sent, 180))
    assert not script.reply(reply(sent, 200, body=OFFER))
    assert len(dismissed(script)) == 1


def test_a_call_whose_note_is_lost_goes_on(script: Script, sent: sip.Message) -> None:
    ringing.end(CALL)
    assert script.reply(reply(sent, 180))
    assert script.reply(reply(sent, 200, body=OFFER))


def test_who_has_answered_is_not_given_up(script: Script, sent: sip.Message) -> None:
    script.reply(reply(sent, 200, body=OFFER))
    script.kamailio.says["isflagset"] = 1
    assert script.reply(reply(sent, 200, body=OFFER))


def test_a_carrier_that_says_nothing_is_who_refused(script: Script, sent: sip.Message) -> None:
    script.fails(408, t_branch_timeout=1)
    assert script.answered == [503]
    assert ended(script) == {**TOLD, "Event": "Ended", "EndedBy": "carrier", "SipStatus": 503}


def test_a_phone_that_rings_for_too_long_is_stopped_by_us(
    script: Script, sent: sip.Message
) -> None:
    script.reply(reply(sent, 180))
    script.fails(408, t_branch_timeout=1)
    assert script.answered == []  # by what Kamailio says: 408
    assert ended(script) == {**TOLD, "Event": "Ended", "EndedBy": "us", "SipStatus": 408}


def test_a_refusal_that_could_not_be_passed_on_is_told_by_us(
    script: Script, sent: sip.Message
) -> None:
    broken = reply(sent, 486).replace(b"CSeq: 1 INVITE", b"CSeq: broken")
    assert not script.reply(broken)
    assert script.answered == []
    script.fails(486)
    assert script.answered == [486]
    assert ended(script)["EndedBy"] == "called"


@pytest.mark.parametrize(("status", "told"), [(407, 480), (302, 480), (599, 500), (606, 603)])
def test_what_only_the_carrier_may_read_is_not_told_by_us_either(
    script: Script, sent: sip.Message, status: int, told: int
) -> None:
    script.reply(reply(sent, status).replace(b"CSeq: 1 INVITE", b"CSeq: broken"))
    script.fails(status)
    assert script.answered == [told]
    assert script.kamailio.given("append_to_reply") == []


def test_for_one_call_nobody_keeps_others_back(script: Script, sent: sip.Message) -> None:
    """As who goes by a Retry-After would (RFC 3261 21.5.4)."""
    script.reply(reply(sent, 503).replace(b"CSeq: 1 INVITE", b"CSeq: broken"))
    script.fails(503)
    assert script.answered == [503]
    script.kamailio.says["t_relay"] = -1
    script.request(invite())
    assert script.answered == [503]
    assert script.kamailio.given("append_to_reply") == []


def test_the_answer_to_an_offer_of_the_called(script: Script) -> None:
    """In a reply to an INVITE without a description stands an offer (RFC 3261 13.2.1)."""
    script.request(invite(body=b""))
    script.reply(reply(script.sent, 200, body=OFFER))
    assert [given[:2] for given in script.engine.given("offer")] == [(CALL, "called")]
    assert not script.engine.given("answer")


def test_a_reply_that_cannot_be_read_is_kept_back_and_logged_without_its_words(
    script: Script, sent: sip.Message
) -> None:
    broken = reply(sent, 180).replace(b"CSeq: 1 INVITE", f"CSeq: {BEN}".encode())
    assert not script.reply(broken)
    assert not script.written
    ((line,),) = script.kamailio.given("err")
    assert line.startswith("reply dropped: Malformed ")
    assert BEN not in line


def test_route_sets_are_remembered(script: Script, sent: sip.Message) -> None:
    script.reply(reply(sent, 180, ("Record-Route", "<sip:proxy.example;lr>")))
    assert len(script.table("routes")) == 1


def test_an_answer_says_where_who_answered_is_found(script: Script, sent: sip.Message) -> None:
    """By the address that it came from, where it tells a name alone (RFC 7118 5)."""
    told = reply(sent, 200, body=OFFER).replace(b"ben@192.0.2.82", b"ben@phone.example")
    assert script.reply(told, f"{STRANGER}:5070")
    contact = sip.user(sip.address(script.sent.first("contact")).uri)
    opened = script.routes.reports._keys.open(contact)
    assert opened
    assert opened[1].flow == f"sip:{STRANGER}:5060;transport=udp"
    assert opened[1].target == "sip:ben@phone.example"


def test_no_connection_is_made_to_a_place_whose_certificates_name_is_looked_for(
    script: Script,
) -> None:
    """The place is the topmost Via's, whatever stands below it."""
    below = b"Via: SIP/2.0/TLS 10.0.0.1:7777;branch=z9hG4bK0\r\nMax-Forwards"
    script.request(invite().replace(b"Max-Forwards", below), ACME, "tls")
    sent = script.sent
    ways.VERIFIED.put(f"place {ACME}:5061", "1")  # where TLS has none told
    assert script.reply(reply(sent, 182))
    assert script.kamailio.given("set_reply_no_connect")
    script.fails(408, t_branch_timeout=1)
    assert script.kamailio.given("set_reply_no_connect")


@pytest.mark.parametrize(("connection", "chosen"), [(None, [("acme",)]), (3, [])])
def test_a_caller_whose_connection_is_gone_is_answered_over_one_of_its_carriers(
    script: Script, connection: int | None, chosen: list[tuple[str]]
) -> None:
    """It is made to whom shows such a certificate as the carrier has (RFC 3261 18.2.2)."""
    script.request(invite(), ACME, "tls")
    script.kamailio.cells["$T_req($conid)"] = connection
    assert script.reply(reply(script.sent, 182))
    assert script.kamailio.given("set_connect_server_id") == chosen
    script.fails(408, t_branch_timeout=1)
    assert script.answered == [503]
    assert script.kamailio.given("set_connect_server_id") == chosen


def test_what_is_asked_again_is_answered_by_what_was_said_first(
    script: Script, sent: sip.Message
) -> None:
    """A leg is sealed once while nothing of it changes: its token stays what it was."""
    script.reply(reply(sent, 180))
    first = script.sent.first("contact")
    script.reply(reply(sent, 180))
    assert script.sent.first("contact") == first
