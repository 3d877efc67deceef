"""A change of a call that is refused leaves the sound where it was (RFC 3261 14.1)."""

import re
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from acceptance.plain_phone import Phone, forked, from_called, within
from acceptance.service import Service, running, until
from acceptance.test_leak import open_session

NOTHING = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 77\r\n"  # no codec that we know
PACKET = b"\x80\x08\x00\x01" + struct.pack(">I", 160) + b"AAAA" + b"\xd5" * 160


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for service in running(tmp_path_factory.mktemp("moving")):
        open_session(service)
        yield service


class Ear:
    """Where sound is heard, and sent from."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.packets = 0

    @property
    def described(self) -> str:
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.socket.getsockname()[1]} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        )

    def heard(self) -> int:
        """How many packets have come since what was heard was forgotten."""
        with suppress(BlockingIOError):
            while True:
                self.packets += len(self.socket.recv(2000)) == len(PACKET)
        return self.packets

    def forget(self) -> None:
        self.heard()
        self.packets = 0

    def speak(self, description: str, packets: int) -> None:
        (port,) = re.findall(r"m=audio (\d+)", description)
        for _ in range(packets):
            self.socket.sendto(PACKET, ("127.0.0.1", int(port)))
            time.sleep(0.02)


def hang_up(caller: Phone, called: Phone, sent: str, answer: str) -> None:
    caller.send(within("BYE", sent, answer, caller, 9))
    called.reply(called.expect("BYE "), 200)
    assert caller.final() == 200


def close(caller: Phone, called: Phone, *ears: Ear) -> None:
    for one in (caller, called, *ears):
        one.socket.close()


def moving(request: str, phone: Phone, body: str) -> str:
    head = request.removesuffix("Content-Length: 0\r\n\r\n")
    told = f"Contact: <sip:moving@{phone.where}>\r\nContent-Type: application/sdp\r\n"
    return f"{head}{told}Content-Length: {len(body)}\r\n\r\n{body}"


@pytest.mark.parametrize(
    ("said", "status"),
    [("488", 488), ("491", 491), ("200", 200), ("200 with nothing", 488), ("", 400)],
)
def test_who_may_not_move_hears_where_they_heard(service: Service, said: str, status: int) -> None:
    """Also while they say nothing themselves, and where what they ask or what is answered cannot be
    passed on; who may move hears there."""
    here, there, other = Ear(), Ear(), Ear()
    caller, called = Phone(service), Phone(service, service.carrier_port)
    sent = caller.invite(body=here.described)
    caller.send(sent)
    offer = called.expect("INVITE ")
    called.reply(offer, 200, other.described)
    answer = caller.taken()
    caller.send(within("ACK", sent, answer, caller))
    called.expect("ACK ")
    here.speak(answer, 5)
    other.speak(offer, 5)
    again = moving(within("INVITE", sent, answer, caller, 2), caller, there.described)
    answers = {"200": other.described, "200 with nothing": NOTHING}
    if said:
        caller.send(again)
        called.reply(called.expect("INVITE "), int(said[:3]), answers.get(said, ""))
    else:
        caller.send(again.replace("Contact: ", "Subject: "))
    assert caller.final() == status
    time.sleep(0.2)  # until what was said before has come
    right, wrong = (there, here) if status == 200 else (here, there)
    for ear in (right, wrong):
        ear.forget()
    other.speak(offer, 25)
    until(lambda: right.heard() > 20)
    assert wrong.heard() == 0
    close(caller, called, here, there, other)


def acknowledge(caller: Phone, called: Phone, sent: str, early: str, number: int) -> None:
    """The PRACK of a reliable provisional reply (RFC 3262)."""
    told = f"RAck: {number} 1 INVITE\r\nMax-Forwards"
    prack = within("PRACK", sent, early, caller, 1 + number)
    caller.send(prack.replace("Max-Forwards", told))
    called.reply(called.expect("PRACK "), 200)
    assert caller.final() == 200


def test_who_takes_a_call_hears_it_whoever_else_rang(service: Service) -> None:
    """Two phones of a fork play something while they ring. Whose answer came reliably then need not
    tell it again with the 200."""
    here, one, two = Ear(), Ear(), Ear()
    caller, called = Phone(service), Phone(service, service.carrier_port)
    sent = caller.invite(body=here.described, more="Supported: 100rel\r\n")
    caller.send(sent)
    offer = called.expect("INVITE ")
    for number, (tag, ear) in enumerate((("one", one), ("two", two)), 1):
        reliably = f"Require: 100rel\r\nRSeq: {number}\r\n"
        called.reply(forked(offer, tag), 183, ear.described, reliably)
        early = caller.expect("SIP/2.0 183")
        acknowledge(caller, called, sent, early, number)
        ear.speak(offer, 5)
    called.reply(forked(offer, "one"), 200)
    answer = caller.taken()
    caller.send(within("ACK", sent, answer, caller))
    called.expect("ACK ")
    for ear in (one, two):
        ear.forget()
    here.speak(early, 25)
    until(lambda: one.heard() > 20)
    assert two.heard() == 0
    hang_up(caller, called, sent, answer)
    close(caller, called, here, one, two)


def test_who_did_not_take_a_call_gets_no_sound_by_an_ack(service: Service) -> None:
    """Another phone of the fork, which knows all of the dialog but that it has none."""
    here, one, two = Ear(), Ear(), Ear()
    caller, called = Phone(service), Phone(service, service.carrier_port)
    sent = caller.invite(body=here.described)
    caller.send(sent)
    offer = called.expect("INVITE ")
    called.reply(forked(offer, "one"), 200, one.described)
    answer = caller.taken()
    caller.send(within("ACK", sent, answer, caller))
    called.expect("ACK ")
    one.speak(offer, 5)
    until(lambda: "AnsweredTimestamp" in service.newest_call())
    told = from_called("ACK", forked(offer, "two"), called, 1)
    called.send(moving(told, called, two.described))
    assert caller.silent()
    here.speak(answer, 25)
    time.sleep(0.2)
    assert two.heard() == 0
    assert one.heard() > 20
    hang_up(caller, called, sent, answer)
    close(caller, called, here, one, two)
