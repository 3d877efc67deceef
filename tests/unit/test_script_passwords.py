"""Carriers that ask for our password within a call (RFC 3261 22): who gets it, how often, and the
numbers of all requests that follow."""

import pytest
from fake_kamailio import (
    ACME,
    CHALLENGE,
    CONTROL,
    GLOBEX,
    INITECH,
    OFFER,
    OURS,
    PROXY,
    Call,
    Script,
    answered,
    carrier,
    invite,
    proves,
    reply,
    route,
    target,
    within,
)

from maskline_sip import sip


@pytest.fixture
def asking() -> Script:
    """Ben's carrier asks for our password."""
    script = Script()
    script.control.answers["RouteCall"] = route(target("initech", f"{INITECH}:5060"))
    return script


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "INVITE", "OPTIONS"])
def test_a_password_is_asked_for_within_a_call_too(asking: Script, method: str) -> None:
    script, call = asking, answered(asking, source=INITECH)
    script.request(*call.by("caller", method))
    sent, hop = script.sent, script.kamailio.cells["$du"]
    assert sent.cseq[0] == 2
    assert script.reply(reply(sent, 401, CHALLENGE), INITECH)
    assert "n1" not in str(script.sent)
    script.kamailio.cells["$du"] = ""
    script.fails(401)
    again = script.sent
    assert again.first("authorization").startswith('Digest username="maskline"')
    assert f'uri="sip:ben@{GLOBEX}"' in again.first("authorization")
    assert (again.cseq[0], again.method) == (3, method)
    assert proves(again)
    assert script.kamailio.cells["$du"] == hop
    script.reply(reply(again, 401, CHALLENGE), INITECH)
    script.fails(401)
    assert not script.relayed  # once
    script.request(*call.by("caller", "INFO", number=3))
    assert script.sent.cseq[0] == 4  # all that follows is ahead
    script.reply(reply(script.sent, 401, CHALLENGE), INITECH)
    script.fails(401)
    assert script.sent.cseq[0] == 5
    script.request(*call.by("caller", "INFO", number=4))
    assert script.sent.cseq[0] == 6
    script.request(*call.by("called", "INFO", number=7))
    assert script.sent.cseq[0] == 7


@pytest.mark.parametrize("says", [{"t_is_canceled": 1}, {"t_branch_timeout": 1}])
def test_who_gave_up_or_fell_silent_gets_no_password(asking: Script, says: dict[str, int]) -> None:
    script, call = asking, answered(asking, source=INITECH)
    script.request(*call.by("caller", "INVITE"))
    script.reply(reply(script.sent, 401, CHALLENGE), INITECH)
    script.fails(401, **says)
    assert not script.relayed


def test_only_what_may_be_asked_again_waits_for_a_challenge(asking: Script) -> None:
    script, call = asking, answered(asking, source=INITECH)
    script.request(*call.by("caller", "INFO"))
    assert script.kamailio.given("t_on_failure") == [("failed",)]
    script.request(*call.by("called", "INFO"))  # Ann's carrier knows us by none
    assert not script.kamailio.given("t_on_failure")


RELIABLY = (("Require", "100rel"), ("RSeq", "77"))


def test_a_prack_names_its_invite_however_far_ahead_the_numbers_are(asking: Script) -> None:
    """The INVITE, an UPDATE before the answer and the PRACK itself are challenged in turn."""
    script = asking
    script.request(invite())
    script.reply(reply(script.sent, 401, CHALLENGE), INITECH)
    script.fails(401)
    sent = script.sent
    assert sent.cseq[0] == 2
    assert script.reply(reply(sent, 183, *RELIABLY), INITECH)
    call = challenged(script, Call(sent, script.sent), "UPDATE", 2)
    script.request(*call.by("caller", "PRACK", ("RAck", "77 1 INVITE"), number=3))
    assert (script.sent.cseq[0], script.sent.first("rack")) == (5, "77 2 INVITE")
    script.reply(reply(script.sent, 401, CHALLENGE), INITECH)
    script.fails(401)
    assert (script.sent.cseq[0], script.sent.first("rack")) == (6, "77 2 INVITE")
    assert proves(script.sent)


def test_what_one_carrier_asked_for_goes_to_no_other() -> None:
    """The call goes on from a carrier that asked for a password to one that does not ask."""
    account = {"username": "maskline", "password": "other"}
    script = Script(
        carriers=[
            carrier("acme", ACME),
            carrier("globex", GLOBEX, **account),
            carrier("initech", INITECH, username="maskline", password="secret"),
        ]
    )
    script.control.answers["RouteCall"] = route(target("initech", f"{INITECH}:5060"), target())
    script.request(invite())
    script.reply(reply(script.sent, 401, CHALLENGE), INITECH)
    script.fails(401)
    script.reply(reply(script.sent, 503), INITECH)
    script.fails(503)
    sent = script.sent
    assert script.reply(reply(sent, 200, body=OFFER))
    script.request(*Call(sent, script.sent).by("caller", "ACK", number=1))
    assert script.sent.cseq == (2, "ACK")
    assert not script.sent.first("authorization")


def test_a_refusal_that_asks_for_nothing_is_the_last_word(asking: Script) -> None:
    script, call = asking, answered(asking, source=INITECH)
    script.request(*call.by("caller", "INFO"))
    script.reply(reply(script.sent, 486), INITECH)
    script.fails(486)
    assert not script.relayed
    assert not script.kamailio.given("err")


def challenged(script: Script, call: Call, method: str, number: int) -> Call:
    """The call after a request of Ann's that is carried out once our password is told."""
    script.request(*call.by("caller", method, number=number))
    script.reply(reply(script.sent, 401, CHALLENGE), INITECH)
    script.fails(401)
    assert script.reply(reply(script.sent, 200), INITECH)
    return call._replace(anns=script.sent) if script.sent.first("contact") else call


def number_of(script: Script, call: Call, number: int) -> int:
    """The number of Ann's next request, as Ben's side gets it."""
    script.request(*call.by("caller", "INFO", number=number))
    return script.sent.cseq[0]


def test_a_late_challenge_takes_no_number_back(asking: Script) -> None:
    """What follows is not told a number that Ben has seen already: he would refuse it, be it a BYE
    (RFC 3261 12.2.2)."""
    script, call = asking, answered(asking, source=INITECH)
    script.request(*call.by("caller", "INFO", number=2))
    late, context, at_hand = script.sent, dict(script.kamailio.cells), script.at_hand
    for number in (3, 4):
        challenged(script, call, "INFO", number)
    script.kamailio.cells.clear()
    script.kamailio.cells |= context  # the transaction of the first one
    script.at_hand = at_hand
    script.reply(reply(late, 401, CHALLENGE), INITECH)
    script.fails(401)
    assert script.sent.cseq[0] == 7
    assert number_of(script, call, 5) > 7


def test_one_of_two_at_a_time_takes_not_the_others_number(asking: Script) -> None:
    script, call = asking, answered(asking, source=INITECH)
    script.request(*call.by("caller", "INFO", number=2))
    first, context, at_hand = script.sent, dict(script.kamailio.cells), script.at_hand
    assert number_of(script, call, 3) == 3
    script.kamailio.cells.clear()
    script.kamailio.cells |= context
    script.at_hand = at_hand
    script.reply(reply(first, 401, CHALLENGE), INITECH)
    script.fails(401)
    assert script.sent.cseq[0] == 4


def test_a_new_contact_tells_every_node_how_far_ahead_the_numbers_are(asking: Script) -> None:
    script, call = asking, answered(asking, source=INITECH)
    call = challenged(script, call, "INVITE", 2)
    known = dict(script.kamailio.tables)
    script.kamailio.tables.clear()  # another node, which saw nothing of it
    assert number_of(script, call, 3) == 4
    call = challenged(script, call, "UPDATE", 4)
    script.kamailio.tables.clear()
    script.kamailio.tables.update(known)  # one that saw the first of both
    assert number_of(script, call, 5) == 7


def test_a_carrier_may_ask_again_and_again(asking: Script) -> None:
    """As some do whenever a session timer is refreshed."""
    script, call = asking, answered(asking, source=INITECH)
    for number in range(2, 11):
        call = challenged(script, call, "UPDATE", number)
    call = challenged(script, call, "INFO", 11)
    assert number_of(script, call, 12) == 22


def test_the_contact_of_who_is_asked_tells_it_too(asking: Script) -> None:
    script, call = asking, answered(asking, source=INITECH)
    call = challenged(script, call, "INFO", 2)
    script.request(*call.by("called", "UPDATE", number=1))
    update = script.sent
    script.kamailio.tables.clear()
    script.request(within_of(call, update))
    assert script.sent.cseq[0] == 4


def within_of(call: Call, update: sip.Message) -> bytes:
    """An INFO of Ann's, to where Ben says that he is now."""
    raw, _ = call.by("caller", "INFO", number=3)
    before = sip.address(call.anns.first("contact")).uri
    return raw.replace(before.encode(), sip.address(update.first("contact")).uri.encode())


def test_the_numbers_of_another_call_are_its_own(asking: Script) -> None:
    script = asking
    one = challenged(script, answered(script, source=INITECH), "INFO", 2)
    script.request(invite().replace(b"anns-call", b"another").replace(b"tag=ann", b"tag=amy"))
    sent = script.sent
    assert script.reply(reply(sent, 200, body=OFFER, tag="bob"), INITECH)
    other = Call(sent, script.sent)
    assert number_of(script, other, 2) == 2
    assert number_of(script, one, 3) == 4


def test_over_tls_a_text_waits_for_a_certificate_and_a_partys_own_place_does_not() -> None:
    """A carrier's place is asked by an OPTIONS first; a Contact may lead where nobody looks."""
    names = {"tls_names": ["sip.globex.example"]}
    script = Script(
        carriers=[carrier("acme", ACME), carrier("globex", GLOBEX, **names)],
        listen=[f"udp:{OURS}:5060", f"tls:{OURS}:5061"],
    )
    place = f"{GLOBEX}:5061;transport=tls"
    text = invite(("X-Carrier", "globex"), body=b"hi", method="MESSAGE", uri=f"sip:{PROXY}@{place}")
    script.request(text, CONTROL)
    assert script.answered == [503]
    assert not script.relayed
    sent = answered(script).bens
    told = reply(sent, 200, body=OFFER).replace(b"192.0.2.82>", b"192.0.2.83;transport=tls>")
    script.request(invite())
    assert script.reply(told)
    script.request(within("BYE", script.sent))
    assert script.relayed


def test_a_change_that_cannot_be_sent_with_the_password_is_taken_back(asking: Script) -> None:
    script, call = asking, answered(asking, source=INITECH)
    moved = OFFER.replace(b"192.0.2.11", b"192.0.2.12")
    script.request(*call.by("caller", "INVITE", body=moved))
    script.reply(reply(script.sent, 401, CHALLENGE), INITECH)
    script.kamailio.says["t_relay"] = -1
    script.engine.done.clear()
    script.fails(401)
    offers = [given.place(given.streams[0]) for *_, given, _ in script.engine.given("offer")]
    assert offers == ["IP4 192.0.2.12", "IP4 192.0.2.11"]
