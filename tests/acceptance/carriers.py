"""What tests of carriers share: a service whose carrier is a peer, a call, and its record."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acceptance.peers import Peer, accept, header, reply
from acceptance.plain_phone import ALICE, BOB, Phone, within
from acceptance.service import Service, running, until
from acceptance.test_call_soak import media_sessions
from acceptance.test_leak import PROXY_NUMBER, open_session
from connectors import open_connector
from credentials import answer

from maskline_sip.digest import Account


def section(name: str, address: str, more: str = "", transport: str = "udp") -> str:
    return (
        f'[[carriers]]\nname = "{name}"\n[carriers.sip]\naddress = "{address}"\n'
        f'transport = "{transport}"\nsources = ["127.0.0.1/32"]\n{more}\n'
    )


@contextmanager
def masked(
    folder: Path, peer: Peer, settings: str, **choices: Any
) -> Iterator[tuple[Service, Phone]]:
    """A service whose carrier acme is the peer, with an open session, and a phone that calls."""
    for service in running(folder, carrier_port=peer.port, carrier_settings=settings, **choices):
        open_session(service)
        phone = Phone(service)
        try:
            yield service, phone
        finally:
            phone.socket.close()


def answered(phone: Phone) -> tuple[str, str]:
    """The INVITE of a call, and its answer."""
    sent = phone.invite()
    phone.send(sent)
    answer = phone.taken()
    phone.send(within("ACK", sent, answer, phone))
    return sent, answer


def answered_at_last(phone: Phone) -> tuple[str, str]:
    """The same where calls may be refused with 503 for a moment yet."""

    def tried() -> tuple[str, str] | None:
        sent = phone.invite()
        phone.send(sent)
        while True:
            text = phone.expect(("SIP/2.0 200", "SIP/2.0 503"))
            if header(text, "Call-ID") == header(sent, "Call-ID"):
                break
        if text.startswith("SIP/2.0 503"):
            return None
        phone.send(within("ACK", sent, text, phone))
        return sent, text

    found: tuple[str, str] = until(tried)
    return found


def hang_up(phone: Phone, sent: str, answer: str) -> None:
    phone.send(within("BYE", sent, answer, phone, 2))
    assert phone.final() == 200


def ends(service: Service, number: int) -> tuple[str, int]:
    """By whom and with what status the latest of so many calls has ended."""
    until(lambda: len(service.calls()) == number and "EndedTimestamp" in service.newest_call())
    return service.newest_call()["EndedBy"], service.newest_call()["SipStatus"]


def no_sound_is_left(service: Service) -> None:
    until(lambda: not asyncio.run(media_sessions(service)), what="rtpengine")


def open_named_session(service: Service) -> None:
    service.import_numbers("named", PROXY_NUMBER)
    chime = service.client()
    ids = {"VoiceConnectorId": open_connector(chime)}
    chime.create_proxy_session(**ids, ParticipantPhoneNumbers=[ALICE, BOB], Capabilities=["Voice"])


def ring(peer: Peer, request: str) -> list[str]:
    return [reply(request, 180, peer.where)] if request.startswith("INVITE") else []


def challenge(peer: Peer, request: str) -> list[str]:
    """Takes calls of who knows the password."""
    if not request.startswith(("INVITE", "REGISTER")):
        return accept(peer, request)
    if "\r\nAuthorization: " in request:
        return accept(peer, request)
    asked = "".join(
        f'WWW-Authenticate: Digest realm="acme", nonce="n{name}", algorithm={name}, qop="auth"\r\n'
        for name in ("MD5", "SHA-256")
    )
    return [reply(request, 401, more=asked)]


class Stranger(Phone):
    """A phone at an address that is no carrier's."""

    host = "127.0.0.66"

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.socket.close()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.host, 0))
        self.where = f"{self.host}:{self.socket.getsockname()[1]}"


def authorized(invite: str, challenge: str, password: str) -> str:
    """The INVITE again, with the answer to a challenge."""
    uri = invite.split(" ")[1]
    challenges = re.findall(r"^WWW-Authenticate: (.*?)\r$", challenge, re.MULTILINE)
    told = answer(challenges, Account("acme", password), "INVITE", uri)
    again = invite.replace("CSeq: 1 ", "CSeq: 2 ").replace("branch=z9hG4bK", "branch=z9hG4bKb")
    return again.replace("Max-Forwards", f"Authorization: {told}\r\nMax-Forwards")


def acknowledged(invite: str, refusal: str) -> str:
    """The ACK of a refused INVITE (RFC 3261 17.1.1.3)."""
    names = ("Via", "From", "Call-ID", "Max-Forwards")
    lines = invite.partition("\r\n\r\n")[0].split("\r\n")
    kept = [line for line in lines if line.partition(":")[0] in names]
    to, number = header(refusal, "To"), header(refusal, "CSeq").split(" ")[0]
    start = lines[0].replace("INVITE", "ACK")
    tail = [f"To: {to}", f"CSeq: {number} ACK", "Content-Length: 0", "", ""]
    return "\r\n".join([start, *kept, *tail])
