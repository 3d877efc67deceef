"""The ACK and the BYE that Kamailio sends without the script: they and the script's are alike, and
what is not plain goes to the script."""

import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from acceptance.peers import header
from acceptance.plain_phone import Phone, connect, within
from acceptance.service import Service, running, until
from acceptance.test_leak import open_session

PROPER = ("Via", "CSeq")  # what differs between two requests of a dialog


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for service in running(tmp_path_factory.mktemp("ready")):
        open_session(service)
        yield service


def common(message: str) -> list[str]:
    """The lines that a message shares with the others of its dialog."""
    return [line for line in message.split("\r\n") if line.split(":")[0] not in PROPER]


def asked(phone: Phone, other: Phone, request: str, status: int = 200) -> tuple[str, str]:
    """A request as it arrived, and its answer as it came back."""
    phone.send(request)
    arrived = other.receive()
    other.reply(arrived, status)
    while not (answer := phone.receive()).startswith("SIP/2.0 "):
        pass
    return arrived, answer


def ended_record(service: Service, before: int) -> dict[str, Any]:
    """The record of the newest call, once it is complete."""
    until(lambda: len(service.calls()) > before)
    until(lambda: service.calls()[0].get("EndedTimestamp"))
    return service.calls()[0]


def test_the_script_and_kamailio_write_the_same(
    caller: Phone, called: Phone, masked: Service
) -> None:
    before = len(masked.calls())
    sent, _, answer = connect(caller, called)
    bye = within("BYE", sent, answer, caller, 2)
    via = "Via: SIP/2.0/UDP below.example;branch=z9hG4bKbelow;secret=1\r\nFrom: "
    bye = bye.replace("From: ", via, 1).replace("Max-F", "Reason: Q.850;cause=31\r\nMax-F")
    ready, its_answer = asked(caller, called, bye)
    # The call is over for Kamailio: it knows no BYE for it any more, and asks the script.
    later = bye.replace("2 BYE", "3 BYE").replace("branch=", "branch=3")
    written, the_other = asked(caller, called, later)
    assert common(ready) == common(written)
    assert common(its_answer) == common(the_other)
    assert re.findall("^Via: .*", its_answer, re.MULTILINE) == re.findall(
        "^Via: .*", bye, re.MULTILINE
    )
    assert (header(ready, "CSeq"), header(its_answer, "CSeq")) == ("2 BYE", "2 BYE")
    record = ended_record(masked, before)
    assert (record["EndedBy"], record["Cause"], record["SipStatus"]) == ("caller", 31, 200)


@pytest.mark.parametrize("number", ["2", "0002"])  # which the script alone writes anew
def test_the_cause_need_not_stand_in_the_first_reason(
    caller: Phone, called: Phone, masked: Service, number: str
) -> None:
    before = len(masked.calls())
    sent, _, answer = connect(caller, called)
    reasons = 'Reason: SIP;cause=200;text="x"\r\nReason: Q.850;cause=31\r\n'
    bye = within("BYE", sent, answer, caller, 2).replace("CSeq: 2 ", f"CSeq: {number} ")
    asked(caller, called, bye.replace("Max-F", f"{reasons}Max-F"))
    assert ended_record(masked, before)["Cause"] == 31


def test_the_called_party_hangs_up(caller: Phone, called: Phone, masked: Service) -> None:
    before = len(masked.calls())
    sent, received, _ = connect(caller, called)
    request = (
        f"BYE {header(received, 'Contact').strip('<>')} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {called.where};branch=z9hG4bKbye\r\n"
        f"From: {header(received, 'To')};tag=bobs\r\nTo: {header(received, 'From')}\r\n"
        f"Call-ID: {header(received, 'Call-ID')}\r\nCSeq: 99 BYE\r\n"
        "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    arrived, answer = asked(called, caller, request)
    assert answer.startswith("SIP/2.0 200 OK")
    assert header(arrived, "Call-ID") == header(sent, "Call-ID")
    assert header(arrived, "From").startswith(header(sent, "To"))
    called.send(request)  # repeated: answered again, and not sent again
    assert called.receive() == answer
    assert caller.silent()
    assert ended_record(masked, before)["EndedBy"] == "called"


@pytest.mark.parametrize("status", [481, 299, 500])
def test_another_answer_than_200_is_masked_by_the_script(
    caller: Phone, called: Phone, status: int
) -> None:
    sent, _, answer = connect(caller, called)
    arrived, refused = asked(caller, called, within("BYE", sent, answer, caller, 2), status)
    assert int(refused[8:11]) == {299: 200}.get(status, status)
    assert "Whatever" not in refused
    assert header(refused, "To") == header(answer, "To")
    assert header(refused, "Call-ID") == header(sent, "Call-ID") != header(arrived, "Call-ID")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (("Max-Forwards: 70", "Max-Forwards: 0"), 483),
        (("Max-Forwards: 70", "Require: secret\r\nMax-Forwards: 70"), 420),
        (("CSeq: 2 BYE", "CSeq: 2 INFO"), 400),
        (("tag=secrettag", "tag=another"), 481),
    ],
)
def test_what_is_not_plain_is_judged_by_the_script(
    caller: Phone, called: Phone, change: tuple[str, str], status: int
) -> None:
    sent, _, answer = connect(caller, called)
    bye = within("BYE", sent, answer, caller, 2)
    caller.send(bye.replace(*change))
    assert caller.final() == status
    assert called.silent(0.3)
    asked(caller, called, bye.replace("2 BYE", "3 BYE").replace("branch=", "branch=3"))


def test_a_number_is_not_passed_on_as_its_sender_spelt_it(caller: Phone, called: Phone) -> None:
    sent, _, answer = connect(caller, called)
    bye = within("BYE", sent, answer, caller, 2).replace("CSeq: 2 ", "CSeq: 0002 ")
    arrived, _ = asked(caller, called, bye)
    assert header(arrived, "CSeq") == "2 BYE"


def test_only_who_is_called_by_the_dialog_s_address_is_heard(
    caller: Phone, called: Phone, masked: Service
) -> None:
    """A stranger who knows all of a dialog gets no answer, and the call goes on."""
    sent, _, answer = connect(caller, called)
    bye = within("BYE", sent, answer, caller, 2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.77", 0))
        stranger.settimeout(0.5)
        stranger.sendto(bye.encode(), caller.server)
        with pytest.raises(TimeoutError):
            stranger.recv(65536)
    assert called.silent(0.3)
    asked(caller, called, bye.replace("branch=", "branch=2"))


def test_the_ack_of_a_refused_change_goes_no_further(caller: Phone, called: Phone) -> None:
    """Kamailio has acknowledged the refusal itself (RFC 3261 17.1.1.3)."""
    sent, _, answer = connect(caller, called)
    change = within("INVITE", sent, answer, caller, 2)
    contact = f"Contact: <sip:moved@{caller.where}>\r\nContent-Length"
    arrived, refused = asked(caller, called, change.replace("Content-Length", contact), 488)
    assert arrived.startswith("INVITE ")
    while not refused.startswith("SIP/2.0 488"):
        refused = caller.receive()
    called.expect("ACK ")
    own = header(change, "Via")
    ack = within("ACK", sent, answer, caller, 2)
    caller.send(re.sub("^Via: .*\r$", f"Via: {own}\r", ack, count=1, flags=re.MULTILINE))
    assert called.silent()
    asked(caller, called, within("BYE", sent, answer, caller, 3))


def test_a_plain_request_does_not_come_to_the_script(caller: Phone, called: Phone) -> None:
    """It would refuse this one: a header that may stand once stands twice. Nobody reads it, and
    nothing of it is passed on."""
    sent, _, answer = connect(caller, called)
    doubled = "Content-Type: secret/one\r\nContent-Type: secret/two\r\nContent-Length"
    bye = within("BYE", sent, answer, caller, 2).replace("Content-Length", doubled)
    arrived, its_answer = asked(caller, called, bye)
    assert its_answer.startswith("SIP/2.0 200 OK")
    assert "secret/" not in arrived + its_answer
    caller.send(bye.replace("2 BYE", "3 BYE").replace("branch=", "branch=3"))
    assert caller.final() == 400
