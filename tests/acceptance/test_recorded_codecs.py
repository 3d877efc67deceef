"""Recorded calls use G.711 alone: in whatever request or reply a description stands."""

import re
from collections.abc import Iterator

import pytest
from acceptance.peers import Peer, branch, header, reply
from acceptance.plain_phone import Phone, within
from acceptance.service import Service, running, until
from acceptance.test_leak import open_session


def sdp(payloads: str, port: int = 17000) -> str:
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {payloads}\r\na=rtpmap:101 telephone-event/8000\r\n"
    )


def codecs(message: str) -> str:
    found = re.search(r"^m=audio \d+ RTP/AVP ([\d ]+)\r$", message, re.MULTILINE)
    return found[1] if found else ""


def wideband(peer: Peer, request: str) -> list[str]:
    """A phone that would like G.722 best: it offers it where it may, and answers what it is
    offered."""
    method = request.partition(" ")[0]
    if method == "ACK":
        return []
    if method in ("INVITE", "UPDATE"):
        return [reply(request, 200, peer.where, sdp(codecs(request) or "9 8 101"))]
    return [reply(request, 200)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for service in running(
        tmp_path_factory.mktemp("recorded"), more_settings="record_calls = true\n"
    ):
        open_session(service)
        yield service


@pytest.fixture
def phones(service: Service) -> Iterator[tuple[Phone, Peer]]:
    phone, peer = Phone(service), Peer(wideband, port=service.carrier_port)
    yield phone, peer
    phone.socket.close()
    peer.close()


def final(phone: Phone) -> str:
    while (text := phone.receive()).startswith("SIP/2.0 1"):
        pass
    return text


def with_body(request: str, body: str, contact: str) -> str:
    head = request.partition("Content-Length")[0]
    return (
        f"{head}Contact: <sip:me@{contact}>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


def connected(phone: Phone, body: str, answer: str = "") -> tuple[str, str]:
    sent = phone.invite(body=body)
    phone.send(sent)
    accepted = final(phone)
    assert accepted.startswith("SIP/2.0 200 "), accepted
    ack = within("ACK", sent, accepted, phone)
    phone.send(with_body(ack, answer, phone.where) if answer else ack)
    return sent, accepted


def test_no_change_of_the_call_brings_another_codec(phones: tuple[Phone, Peer]) -> None:
    phone, peer = phones
    sent, accepted = connected(phone, sdp("9 8 101"))
    assert codecs(peer.of("INVITE")[0]) == codecs(accepted) == "8 101"
    for number, method in enumerate(("INVITE", "UPDATE"), start=2):
        changed = within(method, sent, accepted, phone, number)
        phone.send(with_body(changed, sdp("9 0 101"), phone.where))
        answer = final(phone)
        assert answer.startswith("SIP/2.0 200 ")
        assert codecs(peer.of(method)[-1]) == codecs(answer) == "0 101"
        if method == "INVITE":
            phone.send(within("ACK", sent, answer, phone, number))
    changed = within("INVITE", sent, accepted, phone, 4)
    phone.send(with_body(changed, sdp("9"), phone.where))
    assert final(phone).startswith("SIP/2.0 488 ")


def test_a_packet_s_number_tells_its_codec(phones: tuple[Phone, Peer]) -> None:
    """One that a description alone explains would be recorded as silence."""
    phone, peer = phones
    named = "a=rtpmap:96 PCMU/8000\r\na=rtpmap:97 PCMA/8000\r\n"
    connected(phone, sdp("96 97 8 101") + named)
    assert codecs(peer.of("INVITE")[0]) == "8 101"
    phone.send(phone.invite(body=sdp("96 97 101") + named))
    assert final(phone).startswith("SIP/2.0 488 ")


def test_the_person_called_cannot_either(phones: tuple[Phone, Peer], service: Service) -> None:
    phone, peer = phones
    connected(phone, sdp("8 101"))
    until(lambda: peer.of("ACK"))
    invite = peer.of("INVITE")[0]
    target = header(invite, "Contact").strip("<>")
    body = sdp("9 8 101", 17002)
    peer.send(
        f"INVITE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {peer.where};branch={branch()}\r\n"
        f"From: {header(invite, 'To')};tag=theirs\r\nTo: {header(invite, 'From')}\r\n"
        f"Call-ID: {header(invite, 'Call-ID')}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:carrier@{peer.where}>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}",
        phone.server,
    )
    assert codecs(phone.receive()) == "8 101"


def recorded(service: Service, before: int) -> bool:
    """Whether the newest call is recorded, and is none of so many before."""
    found = service.calls()
    return len(found) > before and found[0].get("RecordingStatus") == "Recording"


def test_the_sound_is_recorded_where_a_picture_stands_before_it(
    phones: tuple[Phone, Peer], service: Service
) -> None:
    phone, peer = phones
    before = len(service.calls())
    head, _, sound = sdp("8 101").partition("m=")
    picture = "m=video {} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    peer.answer = lambda _, request: (
        [reply(request, 200, peer.where, f"{head}{picture.format(0)}m={sound}")]
        if request.startswith("INVITE")
        else wideband(peer, request)
    )
    connected(phone, f"{head}{picture.format(16_000)}m={sound}")
    until(lambda: recorded(service, before))


def test_a_late_offer_is_cut_down_too(phones: tuple[Phone, Peer], service: Service) -> None:
    """The INVITE holds none: the 200 offers, the ACK answers (RFC 3261 13.2.1)."""
    phone, peer = phones
    before = len(service.calls())
    _, accepted = connected(phone, "", sdp("8 101"))
    assert codecs(accepted) == "8 101"
    until(lambda: peer.of("ACK"))
    assert codecs(peer.of("ACK")[0]) == "8 101"
    until(lambda: recorded(service, before))


def test_a_late_offer_of_nothing_else_ends_the_call(phones: tuple[Phone, Peer]) -> None:
    """It stands in a 200, which nobody can refuse."""
    phone, peer = phones
    peer.answer = lambda _, request: (
        [reply(request, 200, peer.where, sdp("9 101"))]
        if request.startswith("INVITE")
        else wideband(peer, request)
    )
    phone.send(phone.invite(body=""))
    assert final(phone).startswith("SIP/2.0 488 ")
    until(lambda: peer.of("ACK") and peer.of("BYE"))
