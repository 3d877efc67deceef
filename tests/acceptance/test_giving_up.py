"""Calls that ring when their session is closed: the phone stops ringing, the caller is told, and
whoever answers at that very moment is hung up."""

import asyncio
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from acceptance.peers import SDP, Peer, header, reply
from acceptance.phones import BOTH_HOSTS, CALLED_HOST, SCENARIOS, Calls, play
from acceptance.plain_phone import ALICE, BOB, Phone, connect, forked, from_called, within
from acceptance.plain_phone import SDP as PLAIN_SDP
from acceptance.service import Service, running, until
from acceptance.test_call_soak import media_sessions
from acceptance.test_leak import PROXY_NUMBER, open_session
from secrets_told import search_for


def ring(peer: Peer, request: str) -> list[str]:
    """A phone that rings until it is cancelled."""
    method = request.partition(" ")[0]
    if method == "ACK":
        return []
    if method == "INVITE":
        return [reply(request, 180, peer.where)]
    if method == "CANCEL":
        return [reply(request, 200), *final(peer, request, 487)]
    return [reply(request, 200)]


def final(peer: Peer, request: str, status: int, body: str = "") -> list[str]:
    """The answer to the INVITE of the call that a request is of; none if that came to another."""
    call = header(request, "Call-ID")
    found = (one for one in peer.of("INVITE") if header(one, "Call-ID") == call)
    return [reply(one, status, peer.where if body else "", body) for one in found]


def answer_late(peer: Peer, request: str) -> list[str]:
    """A phone that is answered just when it is cancelled."""
    if request.startswith("CANCEL"):
        return [reply(request, 200), *final(peer, request, 200, SDP)]
    return ring(peer, request)


def ring_on(peer: Peer, request: str) -> list[str]:
    """A phone that never says that it stopped."""
    return [reply(request, 200)] if request.startswith("CANCEL") else ring(peer, request)


def moved(request: str, phone: Phone) -> str:
    """A re-INVITE by which a party tells that it is elsewhere now."""
    head = request.removesuffix("Content-Length: 0\r\n\r\n")
    told = f"Contact: <sip:moved@{phone.where}>\r\nContent-Type: application/sdp\r\n"
    return f"{head}{told}Content-Length: {len(PLAIN_SDP)}\r\n\r\n{PLAIN_SDP}"


def test_who_moved_during_the_call_is_hung_up_where_they_are(own_service: Service) -> None:
    open_session(own_service)
    caller, called = Phone(own_service), Phone(own_service, own_service.carrier_port)
    sent, _, answer = connect(caller, called)
    until(lambda: "AnsweredTimestamp" in own_service.newest_call())
    there, here, before = Phone(own_service), Phone(own_service), legs(own_service)
    there.send(moved(within("INVITE", sent, answer, there, 2), there))
    again = called.expect("INVITE ")
    where, called.where = called.where, here.where  # in the reply's Contact
    called.reply(again, 200, PLAIN_SDP)
    called.where = where
    there.send(within("ACK", sent, there.taken(), there, 2))
    here.expect("ACK ")
    until(lambda: legs(own_service) != before)
    own_service.close_sessions()
    for phone in (here, there):
        phone.reply(phone.expect("BYE "), 200)
    for phone in (caller, called, there, here):
        phone.socket.close()


def legs(service: Service) -> str:
    """Where a hang-up goes, as it stands in the record of the only call."""
    (file,) = service.data.glob("*.db")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        ((found,),) = database.execute("SELECT legs FROM calls")
    return str(found)


def say_nothing(peer: Peer, request: str) -> list[str]:
    return [] if request.startswith("INVITE") else ring(peer, request)


INSISTED = 25  # seconds for which an insistent phone says that it rings, if it is not cancelled


class Insistent(Peer):
    """A phone that says again and again that it rings; the second one with sound in between."""

    def __init__(self) -> None:
        super().__init__(self.ring)
        self.cancelled: set[str] = set()
        self.patience: list[float] = []  # how long after its INVITE each CANCEL came, in seconds
        self.ringing: list[threading.Thread] = []
        self.began: dict[str, float] = {}

    def ring(self, _peer: Peer, request: str) -> list[str]:
        method, call = request.partition(" ")[0], header(request, "Call-ID")
        if method == "INVITE" and self.received.count(request) == 1:
            self.began[call] = time.monotonic()
            statuses = (180, 183) if self.ringing else (180,)
            telling = threading.Thread(target=self.tell, args=(request, cycle(statuses)))
            telling.start()
            self.ringing.append(telling)
        if method != "CANCEL":
            return []
        self.patience.append(time.monotonic() - self.began[call])
        self.cancelled.add(call)
        return [reply(request, 200), *final(self, request, 487)]

    def tell(self, request: str, statuses: Iterator[int]) -> None:
        host, port = header(request, "Via").split(" ")[1].split(";")[0].split(":")
        end = time.monotonic() + INSISTED
        while header(request, "Call-ID") not in self.cancelled and time.monotonic() < end:
            self.send(reply(request, next(statuses), self.where), (host, int(port)))
            time.sleep(0.2)


def test_however_often_a_phone_says_that_it_rings_it_is_given_up(tmp_path: Path) -> None:
    peer = Insistent()
    for service in running(
        tmp_path, carrier_port=peer.port, more_settings="max_ring_seconds = 5\n"
    ):
        open_session(service)
        phones = [Phone(service), Phone(service)]
        for phone in phones:
            phone.send(phone.invite())
        assert [phone.final() for phone in phones] == [408, 408]
        until(lambda: len(peer.cancelled) == 2)
        assert max(peer.patience) < INSISTED / 2  # it was not the phone that stopped
        wait_until_all_ended(service)
        assert {(one["EndedBy"], one["SipStatus"]) for one in service.calls()} == {("us", 408)}
        for phone in phones:
            phone.socket.close()
    for telling in peer.ringing:
        telling.join()
    peer.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from running(tmp_path_factory.mktemp("giving-up"))


def ended_call(service: Service) -> dict[str, Any]:
    """The record of the newest call, once it is complete."""
    until(lambda: "EndedTimestamp" in service.newest_call())
    return service.newest_call()


@contextmanager
def ringing(service: Service, answer: Any, body: str = SDP) -> Iterator[tuple[Phone, Peer, str]]:
    """A session is open, and one of its participants calls the other at `peer`; the newest record
    is that of the call."""
    open_session(service)
    peer, phone = Peer(answer, port=service.carrier_port), Phone(service)
    recorded = len(service.calls())
    try:
        sent = phone.invite(body=body)
        phone.send(sent)
        until(lambda: peer.of("INVITE"))
        until(lambda: len(service.calls()) > recorded)
        yield phone, peer, sent
        theirs = (header(sent, "Call-ID"), "secrettag", ALICE[1:], phone.where)
        assert not told(theirs, peer.received)
        invite = peer.of("INVITE")[0]
        theirs = (header(invite, "Call-ID"), "theirs", BOB[1:], peer.where)
        assert not told(theirs, phone.received)
    finally:
        service.close_sessions()
        phone.socket.close()
        peer.close()


def told(secrets: tuple[str, ...], messages: list[str]) -> list[str]:
    """What one party was sent that tells something of the other."""
    pattern = search_for(tuple(secret.encode() for secret in secrets))
    lines = [line for message in messages for line in message.split("\r\n")]
    return [line for line in lines if pattern.search(line.encode("latin-1"))]


@pytest.mark.parametrize("body", [SDP, ""], ids=["offer", "no-offer"])
def test_a_closed_session_stops_the_ringing(service: Service, body: str) -> None:
    with ringing(service, ring, body) as (phone, peer, _):
        until(lambda: "RingingTimestamp" in service.newest_call())
        service.close_sessions()
        assert phone.final() == 480
        (cancel,) = until(lambda: peer.of("CANCEL"))
        invite = peer.of("INVITE")[0]
        for name in ("Call-ID", "From", "To"):
            assert header(cancel, name) == header(invite, name)
        assert ALICE[1:] not in cancel
        call = ended_call(service)
        assert (call["EndedBy"], call["SipStatus"]) == ("us", 480)
        assert "AnsweredTimestamp" not in call


def test_an_answer_that_crosses_the_cancel_is_hung_up(service: Service) -> None:
    """The caller gets the answer, then both get a BYE."""
    with ringing(service, answer_late) as (phone, peer, sent):
        until(lambda: "RingingTimestamp" in service.newest_call())
        service.close_sessions()
        until(lambda: peer.of("CANCEL"))
        answer = phone.taken()
        phone.send(within("ACK", sent, answer, phone))
        until(lambda: peer.of("ACK") and peer.of("BYE"))
        phone.reply(phone.expect("BYE "), 200)
        call = ended_call(service)
        assert (call["EndedBy"], call["SipStatus"]) == ("us", 200)
        assert "AnsweredTimestamp" in call


@pytest.mark.parametrize("answer", [ring_on, say_nothing])
def test_a_phone_that_confirms_nothing_keeps_no_caller(service: Service, answer: Any) -> None:
    with ringing(service, answer) as (phone, _, _):
        service.close_sessions()
        assert phone.final() == 480
        call = ended_call(service)
        assert (call["EndedBy"], call["SipStatus"]) == ("us", 480)


def test_who_answers_when_the_caller_was_told_that_nobody_does_is_hung_up(
    service: Service,
) -> None:
    with ringing(service, ring_on) as (phone, peer, _):
        until(lambda: "RingingTimestamp" in service.newest_call())
        service.close_sessions()
        assert phone.final() == 480
        peer.send(reply(peer.of("INVITE")[0], 200, peer.where, SDP), phone.server)
        until(lambda: peer.of("ACK") and peer.of("BYE"))
        with suppress(TimeoutError):
            while True:
                assert not phone.receive(0.5).startswith("SIP/2.0 2")
        assert "AnsweredTimestamp" not in service.newest_call()
        assert "kept back" not in service.log


def stop_at_bye(peer: Peer, request: str) -> list[str]:
    """A phone whose ringing a BYE ends (RFC 3261 15.1.2)."""
    ended = request.startswith("BYE ")
    return ring(peer, request) + (final(peer, request, 487) if ended else [])


def test_a_caller_may_hang_up_by_a_bye_while_it_rings(service: Service) -> None:
    with ringing(service, stop_at_bye) as (phone, _, sent):
        early = phone.expect("SIP/2.0 180")
        phone.send(within("BYE", sent, early, phone, 2))
        assert sorted((phone.final(), phone.final())) == [200, 487]
        call = ended_call(service)
        assert (call["EndedBy"], call["SipStatus"], call["Cause"]) == ("caller", 487, 16)


def cancelled(sent: str) -> str:
    """The CANCEL of an INVITE (RFC 3261 9.1)."""
    head = sent.partition("\r\n\r\n")[0].split("\r\n")
    names = ("Via", "From", "To", "Call-ID", "Max-Forwards")
    kept = [line for line in head[1:] if line.partition(":")[0] in names]
    start = head[0].replace("INVITE", "CANCEL")
    return "\r\n".join([start, *kept, "CSeq: 1 CANCEL", "Content-Length: 0", "", ""])


@pytest.mark.parametrize("decision", ["Connect", "Reject"])
def test_who_hangs_up_before_the_decision_calls_nobody(service: Service, decision: str) -> None:
    """A CANCEL while the control plane is asked still, which takes long where its database does."""
    with two_phones(service) as (called, phone):
        said, recorded = len(service.log), len(service.calls())
        sent = phone.invite(caller=ALICE if decision == "Connect" else "+12065550999")
        os.kill(service.pid, signal.SIGSTOP)
        try:
            phone.send(sent)
            time.sleep(0.5)  # until it is asked
            phone.send(cancelled(sent))
            assert phone.final() == 487
        finally:
            os.kill(service.pid, signal.SIGCONT)
        until(lambda: len(service.calls()) > recorded)
        call = ended_call(service)
        told = [call["Decision"], call["EndedBy"], call["SipStatus"], call["Cause"]]
        ended = {"Connect": ["caller", 487, 16], "Reject": ["us", 404, 1]}
        assert told == [decision, *ended[decision]]
        assert called.silent(0.3)
        assert '"engine says"' not in service.log[said:]


@contextmanager
def two_phones(service: Service) -> Iterator[tuple[Phone, Phone]]:
    """A phone at the carrier's, and one that may call it while a session is open."""
    open_session(service)
    called, phone = Phone(service, service.carrier_port), Phone(service)
    try:
        yield called, phone
    finally:
        service.close_sessions()
        called.socket.close()
        phone.socket.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_many_calls_are_given_up_at_once(tmp_path: Path, transport: str) -> None:
    """Whichever worker began a call, and whatever the called party's leg goes over."""
    choices = {"transport": transport, "carrier_host": CALLED_HOST, "sources": BOTH_HOSTS}
    for service in running(tmp_path, **choices):
        open_session(service)
        give_up(service, tmp_path, 20, Service.close_sessions)
        wait_until_all_ended(service)
        assert {(one["EndedBy"], one["SipStatus"]) for one in service.calls()} == {("us", 480)}


def wait_until_all_ended(service: Service) -> None:
    until(lambda: all("EndedTimestamp" in one for one in service.calls()))


def test_a_service_that_stops_gives_up_what_rings(tmp_path: Path) -> None:
    choices = {"carrier_host": CALLED_HOST, "sources": BOTH_HOSTS}
    for service in running(tmp_path, **choices):
        open_session(service)
        give_up(service, tmp_path, 2, Service.stop)
        service.start()
        wait_until_all_ended(service)
        assert {(one["EndedBy"], one["SipStatus"]) for one in service.calls()} == {("us", 480)}


def give_up(service: Service, folder: Path, number: int, how: Callable[[Service], object]) -> None:
    """So many calls that ring, until they are given up."""
    scenario = folder / "given-up.xml"
    text = (SCENARIOS / "caller-given-up.xml").read_text()
    scenario.write_text(text.replace("STATUS", "480"))
    with ThreadPoolExecutor() as threads:
        calling = threads.submit(
            play, service, folder, scenario, SCENARIOS / "called-cancelled.xml",
            PROXY_NUMBER, Calls(number=number, per_second=40), "-key", "caller", ALICE,
        )  # fmt: skip
        until(lambda: sum("RingingTimestamp" in one for one in service.calls()) == number)
        how(service)
        assert calling.result() == (0, 0), (folder / "caller.errors").read_text()


def hung_up_by_called(caller: Phone, called: Phone, received: str) -> None:
    """The called party's BYE."""
    called.send(from_called("BYE", forked(received, "bobs"), called, 1))
    bye = caller.expect("BYE ")
    caller.reply(bye, 200)
    called.expect("SIP/2.0 200")


def repeated_answer(caller: Phone, called: Phone, offer: str) -> None:
    """An answer that comes again when its call is over: its ACK was lost, say."""
    sent = caller.invite(body=offer)
    caller.send(sent)
    received = called.expect("INVITE ")
    called.reply(received, 200, PLAIN_SDP)
    answer = caller.taken()
    caller.send(within("ACK", sent, answer, caller))
    called.expect("ACK ")
    hung_up_by_called(caller, called, received)
    called.reply(received, 200, PLAIN_SDP)


def crossed_change(caller: Phone, called: Phone, status: int) -> None:
    """A party hangs up, and only then answers what the other one wanted to change."""
    sent, received, answer = connect(caller, called)
    change = moved(within("INVITE", sent, answer, caller, 2), caller)
    caller.send(change.replace("audio 17000", "audio 17010"))
    again = called.expect("INVITE ")
    hung_up_by_called(caller, called, received)
    called.reply(again, status, PLAIN_SDP * (status == 200))


def test_what_comes_after_the_end_takes_no_ports(service: Service) -> None:
    """rtpengine would take it for the same call, or for a new one, and keep its ports."""
    before = set(asyncio.run(media_sessions(service)))
    late: list[tuple[Callable[..., None], Any]] = [(repeated_answer, PLAIN_SDP)]
    late += [(repeated_answer, ""), (crossed_change, 200), (crossed_change, 481)]
    for speak, how in late:
        with two_phones(service) as (called, caller):
            speak(caller, called, how)
    until(lambda: set(asyncio.run(media_sessions(service))) <= before, what="rtpengine")
