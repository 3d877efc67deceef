"""Texts over SIP as the script sends and takes them."""

import pytest
from fake_kamailio import (
    ACME,
    ANN,
    BEN,
    CONTROL,
    GLOBEX,
    INITECH,
    PROXY,
    PROXYS_CHALLENGE,
    Script,
    carrier,
    invite,
    proves,
    reply,
)

KNOWN = {"username": "maskline", "password": "secret", "identity": ["p-asserted-identity"]}
TEXT = "Where are you? ☂".encode()


@pytest.fixture
def script() -> Script:
    return Script(carriers=[carrier("acme", ACME), carrier("initech", INITECH, **KNOWN)])


def ours() -> bytes:
    """What the control plane has us send to Ben."""
    raw = invite(
        ("X-Carrier", "initech"), body=TEXT, method="MESSAGE", uri=f"sip:{BEN}@{INITECH}:5060"
    )
    return raw.replace(f'"Ann" <sip:{ANN}@ann.example>'.encode(), f"<sip:{PROXY}@h>".encode())


def theirs(kind: str = "text/plain") -> bytes:
    return invite(body=TEXT, method="MESSAGE").replace(b"application/sdp", kind.encode())


def test_a_text_goes_to_the_carriers_place_and_shows_the_proxy_number(script: Script) -> None:
    script.request(ours(), CONTROL)
    sent = script.sent
    assert sent.start == f"MESSAGE sip:{BEN}@{INITECH}:5060 SIP/2.0"
    assert script.kamailio.cells["$du"] == f"sip:{INITECH}:5060"
    shown = f"<sip:{PROXY}@192.0.2.100:5060>"
    assert sent.first("from").startswith(f"{shown};tag=")
    assert sent.all("p-asserted-identity") == [shown]
    assert sent.body == TEXT
    assert sent.first("content-type") == "text/plain;charset=UTF-8"
    assert not sent.first("contact")  # RFC 3428 4
    assert not sent.first("x-carrier")
    assert script.reply(reply(sent, 202), INITECH)
    assert script.sent.status == 202


def test_no_text_is_taken_for_which_there_is_no_memory(script: Script) -> None:
    """Its carrier keeps it for so long. Who repeats one that was taken is answered by tm, and what
    we have taken goes out."""
    script.control.answers["AcceptMessage"] = {"SipStatus": 202}
    script.others.short = True
    script.request(theirs())
    assert script.answered == [503]
    assert script.kamailio.given("append_to_reply") == [("Retry-After: 5\r\n",)]
    assert not script.kamailio.given("t_newtran")
    script.request(ours(), CONTROL)
    assert script.relayed
    script.kamailio.says |= {"t_check_trans": 0, "t_newtran": 0}
    script.request(theirs())
    assert script.answered == []
    assert not script.control.asked


def test_a_text_is_sent_again_with_our_password_once(script: Script) -> None:
    script.request(ours(), CONTROL)
    first = script.sent
    assert script.reply(reply(first, 407, PROXYS_CHALLENGE), INITECH)
    script.fails(407)
    again = script.sent
    assert again.first("proxy-authorization").startswith('Digest username="maskline"')
    assert proves(again)
    assert (again.body, again.call_id, again.cseq[0]) == (TEXT, first.call_id, 2)
    assert script.kamailio.cells["$du"] == f"sip:{INITECH}:5060"
    assert not script.table("ahead")
    script.reply(reply(again, 407, PROXYS_CHALLENGE), INITECH)
    script.fails(407)
    assert not script.relayed
    assert script.answered == [503]  # to the control plane: another carrier may take it


def test_who_asks_for_a_password_that_we_have_not_takes_no_text(script: Script) -> None:
    script.request(ours().replace(b"initech", b"acme"), CONTROL)
    script.reply(reply(script.sent, 401, PROXYS_CHALLENGE))
    script.fails(401)
    assert script.answered == [503]


def test_a_text_of_a_carrier_is_answered_as_the_control_plane_says(script: Script) -> None:
    script.control.answers["AcceptMessage"] = {"SipStatus": 480, "RetryAfter": 7}
    script.request(theirs())
    assert script.answered == [480]
    assert script.kamailio.given("append_to_reply") == [("Retry-After: 7\r\n",)]
    ((operation, told),) = script.control.asked
    assert operation == "AcceptMessage"
    assert (told["Caller"], told["Called"], told["Text"]) == (ANN, PROXY, TEXT.decode())
    assert "SentTimestamp" not in told
    script.request(theirs("message/cpim"))
    assert script.answered == [415]
    script.kamailio.says["t_newtran"] = 0
    script.request(theirs())
    assert script.answered == []
    assert len(script.control.asked) == 1


def test_the_control_plane_is_told_when_a_text_was_sent(script: Script) -> None:
    date = b"Date: Sat, 13 Nov 2010 23:29:00 GMT\r\nContent-Type"
    script.request(theirs().replace(b"Content-Type", date))
    ((_, told),) = script.control.asked
    assert told["SentTimestamp"] == 1_289_690_940_000


def test_a_carrier_without_texts_sends_none() -> None:
    script = Script(carriers=[carrier("acme", ACME, messages=False), carrier("globex", GLOBEX)])
    script.request(theirs())
    assert script.answered == [405]
    assert not script.control.asked
