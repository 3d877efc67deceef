"""Carriers that ask for our password at every request, also within a call (RFC 3261 22), and that
take no number twice (12.2.2)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from acceptance.carriers import answered, masked
from acceptance.peers import SDP, Peer, accept, branch, header, reply
from acceptance.plain_phone import ALICE, BOB, Phone, within
from acceptance.service import Service, until

from maskline_sip.digest import parameters, response

ACCOUNT = 'username = "maskline"\npassword = "secret"'
UNASKED = ("ACK", "CANCEL", "OPTIONS")


def permits(request: str, password: str = "secret", name: str = "Proxy-Authorization") -> bool:
    """Whether a request brings the right answer to a challenge, for just this request."""
    if f"\r\n{name}: " not in request:
        return False
    given = parameters(header(request, name))
    method, uri = request.split(" ")[:2]
    body = request.partition("\r\n\r\n")[2].encode("latin-1")
    wanted = response(given, password, method, body)
    return given["uri"] == uri and given["response"] == wanted


def challenge() -> str:
    """One whose answer proves the body, too, with a secret of this one alone."""
    kind = 'algorithm=SHA-512-256-sess, qop="auth-int"'
    return f'Proxy-Authenticate: Digest realm="acme", nonce="{branch()}", {kind}\r\n'


@dataclass
class Suspicious:
    """Answers as `accept` does, but to who knows the password alone; `refused` are methods that
    it then refuses with 488."""

    password: str = "secret"
    highest: int = 0
    refused: list[str] = field(default_factory=list)
    said: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, peer: Peer, request: str) -> list[str]:
        method = request.partition(" ")[0]
        if method in UNASKED:
            return accept(peer, request)
        asked = header(request, "Via")
        if asked not in self.said:  # else it is sent again, because we were slow
            self.said[asked] = self.answered(peer, request, method)
        return self.said[asked]

    def answered(self, peer: Peer, request: str, method: str) -> list[str]:
        number = int(header(request, "CSeq").split(" ")[0])
        if number <= self.highest:
            return [reply(request, 500)]
        self.highest = number
        if asked := self.asked(request):
            return [asked]
        if method in self.refused:
            return [reply(request, 488)]
        return accept(peer, request)

    def asked(self, request: str) -> str:
        """The challenge that a request gets, empty for none."""
        if permits(request, self.password):
            return ""
        return reply(request, 407, more=challenge())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Peer]]:
    peer = Peer()
    with masked(tmp_path_factory.mktemp("challenged"), peer, ACCOUNT) as (service, _):
        yield service, peer
    peer.close()


@pytest.fixture
def service(stage: tuple[Service, Peer]) -> Service:
    return stage[0]


@pytest.fixture
def carrier(stage: tuple[Service, Peer]) -> Peer:
    peer = stage[1]
    peer.received.clear()
    peer.answer = Suspicious()
    return peer


@pytest.fixture
def phone(service: Service) -> Iterator[Phone]:
    phone = Phone(service)
    yield phone
    phone.socket.close()


def again(phone: Phone, sent: str, answer: str, number: int) -> str:
    """A re-INVITE."""
    asked = within("INVITE", sent, answer, phone, number)
    more = f"Contact: <sip:phone@{phone.where}>\r\nContent-Type: application/sdp\r\n"
    return asked.replace("Content-Length: 0\r\n", f"{more}Content-Length: {len(SDP)}\r\n") + SDP


def key_press(phone: Phone, sent: str, answer: str, number: int) -> str:
    asked, body = within("INFO", sent, answer, phone, number), "Signal=5\r\nDuration=160\r\n"
    more = f"Content-Type: application/dtmf-relay\r\nContent-Length: {len(body)}\r\n"
    return asked.replace("Content-Length: 0\r\n", more) + body


def final(phone: Phone) -> str:
    while not (text := phone.receive()).startswith("SIP/2.0 ") or text[8] == "1":
        pass
    return text


def numbers(peer: Peer, method: str) -> list[int]:
    """The numbers of the requests that it got, those that were repeated once."""
    counted = [int(header(one, "CSeq").split(" ")[0]) for one in peer.of(method)]
    return list(dict.fromkeys(counted))


def test_every_request_of_a_call_is_sent_again_with_the_password(
    service: Service, carrier: Peer, phone: Phone
) -> None:
    """Its numbers go on from there, whether it changed the other side's Contact, as a re-INVITE
    does, or not, or was refused after all."""
    before = len(service.calls())
    sent, answer = answered(phone)
    phone.send(again(phone, sent, answer, 2))
    answer = final(phone)
    assert answer.startswith("SIP/2.0 200")
    assert "m=audio" in answer
    phone.send(key_press(phone, sent, answer, 3))
    assert final(phone).startswith("SIP/2.0 200")
    phone.send(within("ACK", sent, answer, phone, 2))  # late: its number is the re-INVITE's
    until(lambda: len(numbers(carrier, "ACK")) == 4)
    assert isinstance(carrier.answer, Suspicious)
    carrier.answer.refused.append("INVITE")
    phone.send(again(phone, sent, answer, 4))
    assert final(phone).startswith("SIP/2.0 488")
    phone.send(within("BYE", sent, answer, phone, 5))
    assert final(phone).startswith("SIP/2.0 200")
    until(lambda: len(service.calls()) > before and "EndedTimestamp" in service.newest_call())
    assert service.newest_call()["EndedBy"] == "caller"
    assert numbers(carrier, "INVITE") == [1, 2, 3, 4, 7, 8]
    until(lambda: numbers(carrier, "ACK") == [1, 2, 3, 4, 7, 8])
    assert numbers(carrier, "INFO") == [5, 6]
    assert numbers(carrier, "BYE") == [9, 10]
    assert all("m=audio" in one for one in carrier.of("INVITE"))
    assert carrier.of("INFO")[-1].endswith("Signal=5\r\nDuration=160\r\n")


def test_a_call_that_is_asked_for_in_other_words_goes_on_with_its_numbers(
    service: Service, carrier: Peer, phone: Phone
) -> None:
    """As a phone does whose session timer was too short, say. To a carrier that still knows the
    number it would be the same request, gone in a circle (RFC 3261 8.2.2.2)."""
    assert isinstance(carrier.answer, Suspicious)
    carrier.answer.refused.append("INVITE")
    first = phone.invite()
    phone.send(first)
    assert final(phone).startswith("SIP/2.0 488")
    carrier.answer.refused.clear()
    second = phone.invite(call_id=header(first, "Call-ID")).replace("CSeq: 1 ", "CSeq: 2 ")
    phone.send(second)
    answer = phone.taken()
    phone.send(within("ACK", second, answer, phone, 2))
    until(lambda: numbers(carrier, "ACK") == [1, 2, 3, 4])
    assert numbers(carrier, "INVITE") == [1, 2, 3, 4]
    assert len({header(one, "Call-ID") for one in carrier.of("INVITE")}) == 1
    phone.send(within("BYE", second, answer, phone, 3))
    assert final(phone).startswith("SIP/2.0 200")
    assert numbers(carrier, "BYE") == [5, 6]


@dataclass
class Reliable(Suspicious):
    """Rings reliably (RFC 3262), and answers when it is told that this was heard."""

    invite: str = ""

    def answered(self, peer: Peer, request: str, method: str) -> list[str]:
        answers = super().answered(peer, request, method)
        if not answers[-1].startswith("SIP/2.0 200"):
            return answers
        if method == "INVITE":
            self.invite = request
            return [reply(request, 183, peer.where, SDP, "Require: 100rel\r\nRSeq: 77\r\n")]
        heard = [reply(self.invite, 200, peer.where)] if method == "PRACK" else []
        return [reply(request, 200, peer.where if method == "UPDATE" else ""), *heard]


def test_a_prack_is_asked_for_too_and_names_its_invite(
    service: Service, carrier: Peer, phone: Phone
) -> None:
    """An UPDATE before it was asked for as well, so its number is further ahead."""
    carrier.answer = Reliable()
    sent = phone.invite(more="Supported: 100rel\r\n")
    phone.send(sent)
    early = phone.expect("SIP/2.0 183")
    update = within("UPDATE", sent, early, phone, 2)
    phone.send(update.replace("Max-F", f"Contact: <sip:{ALICE}@{phone.where}>\r\nMax-F"))
    assert final(phone).startswith("SIP/2.0 200")
    prack = within("PRACK", sent, early, phone, 3)
    phone.send(prack.replace("Max-F", "RAck: 77 1 INVITE\r\nMax-F"))
    answer = phone.taken()
    if header(answer, "CSeq").endswith("PRACK"):
        answer = phone.taken()
    phone.send(within("ACK", sent, answer, phone))
    until(lambda: numbers(carrier, "ACK") == [1, 2])
    assert (numbers(carrier, "INVITE"), numbers(carrier, "UPDATE")) == ([1, 2], [3, 4])
    assert numbers(carrier, "PRACK") == [5, 6]
    assert {header(one, "RAck") for one in carrier.of("PRACK")} == {"77 2 INVITE"}
    phone.send(within("BYE", sent, answer, phone, 4))
    while not header(text := final(phone), "CSeq").endswith("BYE"):
        pass
    assert text.startswith("SIP/2.0 200")
    assert numbers(carrier, "BYE") == [7, 8]


def test_the_caller_s_carrier_may_ask_too(service: Service, carrier: Peer, phone: Phone) -> None:
    answered(phone)
    until(lambda: len(numbers(carrier, "ACK")) == 2)
    carrier.send(theirs("BYE", carrier.of("INVITE")[-1], carrier), phone.server)
    first = phone.expect("BYE ")  # a 180 may come late, from another worker
    phone.send(reply(first, 407, more=challenge()))
    while (second := phone.receive()) == first:
        pass
    assert permits(second)
    assert not permits(first)
    counts = [int(header(one, "CSeq").split(" ")[0]) for one in (first, second)]
    assert counts[1] == counts[0] + 1
    phone.send(reply(second, 200))
    until(lambda: any(one.startswith("SIP/2.0 200") for one in carrier.received))
    until(lambda: service.newest_call().get("EndedBy") == "called")


def theirs(method: str, invite: str, peer: Peer) -> str:
    """A request of the called side's within the call that an INVITE made."""
    target = header(invite, "Contact").strip("<>")
    return (
        f"{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {peer.where};branch={branch()}\r\n"
        f"From: {header(invite, 'To')};tag=theirs\r\nTo: {header(invite, 'From')}\r\n"
        f"Call-ID: {header(invite, 'Call-ID')}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
        "Content-Length: 0\r\n\r\n"
    )


def test_our_own_hang_up_is_sent_again_with_the_password(
    service: Service, carrier: Peer, phone: Phone
) -> None:
    answered(phone)
    until(lambda: "AnsweredTimestamp" in (call := service.newest_call()) and "EndedBy" not in call)
    chime, ids, session = session_in_progress(service)
    chime.delete_proxy_session(**ids, ProxySessionId=session["ProxySessionId"])
    while not (bye := phone.receive()).startswith("BYE "):
        assert bye.startswith("SIP/2.0 180 ")  # another worker's, late
    phone.send(reply(bye, 200))
    until(lambda: len(numbers(carrier, "BYE")) == 2)
    first, *_, last = carrier.of("BYE")
    assert permits(last)
    assert not permits(first)
    chime.create_proxy_session(
        **ids, ParticipantPhoneNumbers=[ALICE, BOB], Capabilities=["Voice", "SMS"]
    )


def session_in_progress(service: Service) -> tuple[Any, dict[str, str], dict[str, Any]]:
    """The client, what names the connector to it, and the session that a call is live in."""
    chime = service.client()
    (connector,) = chime.list_voice_connectors()["VoiceConnectors"]
    ids = {"VoiceConnectorId": connector["VoiceConnectorId"]}
    (session,) = chime.list_proxy_sessions(**ids, Status="InProgress")["ProxySessions"]
    return chime, ids, session


def test_a_wrong_password_is_tried_once(carrier: Peer, phone: Phone) -> None:
    carrier.answer = accept
    sent, answer = answered(phone)
    carrier.answer = Suspicious("another", highest=1)
    phone.send(again(phone, sent, answer, 2))
    assert final(phone).startswith("SIP/2.0 480")
    assert numbers(carrier, "INVITE") == [1, 2, 3]
    phone.send(within("BYE", sent, answer, phone, 3))
    assert final(phone).startswith("SIP/2.0 480")
    assert numbers(carrier, "BYE") == [4, 5]


@dataclass
class Chain(Suspicious):
    """A proxy and the server behind it, of one realm, which both ask: of each request these one
    after the other, whatever it brings."""

    steps: list[tuple[int, str]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def answered(self, peer: Peer, request: str, method: str) -> list[str]:
        self.seen.append(method)
        step = self.seen.count(method) - 1
        if step >= len(self.steps):
            return accept(peer, request)
        status, nonce = self.steps[step]
        name = "WWW" if status == 401 else "Proxy"
        asked = f'{name}-Authenticate: Digest realm="acme", nonce={nonce}, qop="auth-int,auth"'
        return [reply(request, status, more=f"{asked}, algorithm=SHA-256\r\n")]


STALE = '"p2", stale=TRUE'
PROXY, SERVER = "Proxy-Authorization", "Authorization"


def told(request: str) -> dict[str, tuple[str, str]]:
    """The nonces that a request answers, and how often; each answer is right."""
    found = {}
    for name in (PROXY, SERVER):
        if f"\r\n{name}: " in request:
            assert permits(request, name=name)
            given = parameters(header(request, name))
            found[name] = given["nonce"], given["nc"].lstrip("0")
    return found


def test_a_proxy_and_the_server_behind_it_may_both_ask(carrier: Peer, phone: Phone) -> None:
    """RFC 3261 22.3; and a nonce may become too old meanwhile (RFC 7616 3.3)."""
    carrier.answer = Chain(steps=[(407, '"p1"'), (401, '"s1"'), (407, STALE)])
    sent, answer = answered(phone)
    phone.send(within("BYE", sent, answer, phone, 2))
    assert final(phone).startswith("SIP/2.0 200")
    for method, first in (("INVITE", 1), ("BYE", 5)):
        assert numbers(carrier, method) == list(range(first, first + 4))
        assert [told(one) for one in dict.fromkeys(carrier.of(method))] == [
            {},
            {PROXY: ("p1", "1")},
            {PROXY: ("p1", "2"), SERVER: ("s1", "1")},
            {PROXY: ("p2", "1"), SERVER: ("s1", "2")},
        ]


@pytest.mark.parametrize(
    ("steps", "sent"), [([(407, STALE)] * 9, 4), ([(407, '"p1"'), (407, '"p3"')], 2)]
)
def test_who_asks_again_and_again_is_not_answered_for_ever(
    carrier: Peer, phone: Phone, steps: list[tuple[int, str]], sent: int
) -> None:
    """Nor who asks for the same again, which says that the password is wrong."""
    carrier.answer = Chain(steps=steps)
    phone.send(phone.invite())
    assert final(phone).startswith("SIP/2.0 480")
    assert numbers(carrier, "INVITE") == list(range(1, 1 + sent))
