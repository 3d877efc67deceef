"""Peers that are odd and in their right, and others that many networks have all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.carriers import acknowledged
from acceptance.peers import header
from acceptance.plain_phone import SDP, Phone, connect, within
from acceptance.service import Service, running
from acceptance.tampering import changed_script
from acceptance.test_leak import open_session


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for service in running(tmp_path_factory.mktemp("odd-peers")):
        open_session(service)
        yield service


def untagged(called: Phone, request: str, status: int) -> None:
    """A reply of RFC 2543, whose To has no tag."""
    sent = called.reply_text(request, status)
    called.send(sent.replace(";tag=bobs", ""))


def test_who_asks_from_the_last_hop_whether_we_work_is_told_so(caller: Phone) -> None:
    """The request goes no further, so it needs no hops; border controllers ask like this."""
    caller.send(caller.invite(body="", hops="0").replace("INVITE", "OPTIONS"))
    assert caller.final() == 200


@pytest.mark.parametrize("tagged", [True, False])
def test_a_refusal_without_a_tag_is_told_once(caller: Phone, called: Phone, tagged: bool) -> None:
    """Whether its receiver repeats the tag that we put there or knows none."""
    sent = caller.invite()
    caller.send(sent)
    untagged(called, called.receive(), 486)
    assert caller.final() == 486
    refusal = caller.received[-1]
    assert ";tag=" in header(refusal, "To")
    if not tagged:
        refusal = refusal.replace(header(refusal, "To"), header(sent, "To"))
    caller.send(acknowledged(sent, refusal))
    assert caller.silent(1.5)


def test_a_phone_that_is_out_of_reach_for_a_moment_loses_no_call(
    caller: Phone, called: Phone
) -> None:
    """What it is asked comes for the fifth time after seven seconds (RFC 3261 17.1.2.1)."""
    sent, _, answer = connect(caller, called)
    caller.send(within("INFO", sent, answer, caller, 2))
    for _ in range(5):
        asked = called.expect("INFO ")
    called.reply(asked, 200)
    assert caller.final() == 200
    caller.send(within("BYE", sent, answer, caller, 3))
    called.reply(called.expect("BYE "), 200)
    assert caller.final() == 200


def forgetful(copy: Path) -> None:
    """Knows no more of reliable provisional replies than a node that did not see them."""
    script = copy / "maskline_sip" / "reliable.py"
    text = script.read_text()
    assert "RELIABLE.get(" in text
    script.write_text(text.replace("RELIABLE.get(", "{}.get("))


def test_the_answer_to_a_ringing_phone_may_come_by_another_node(tmp_path: Path) -> None:
    """In the PRACK, whose own reply so describes nothing."""
    environment = changed_script(tmp_path, forgetful)
    for service in running(tmp_path, more_environment=environment):
        open_session(service)
        caller, called = Phone(service), Phone(service, service.carrier_port)
        sent = caller.invite(body="", more="Supported: 100rel\r\n")
        caller.send(sent)
        called.reply(called.receive(), 183, SDP, "Require: 100rel\r\nRSeq: 77\r\n")
        early = caller.expect("SIP/2.0 183")
        assert "m=audio" in early
        prack = within("PRACK", sent, early, caller, 2).removesuffix("Content-Length: 0\r\n\r\n")
        told = f"RAck: 77 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: {len(SDP)}"
        caller.send(f"{prack}{told}\r\n\r\n{SDP}")
        asked = called.expect("PRACK ")
        assert "m=audio" in asked
        called.reply(asked, 200, SDP)
        assert "m=audio" not in caller.expect("SIP/2.0 200")
        caller.socket.close()
        called.socket.close()
