"""Answers that come too late, cannot be read or cannot be passed on: real peers on the loopback."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from acceptance.carriers import ends, masked, no_sound_is_left, ring, section
from acceptance.peers import SDP, Answer, Peer, accept, header, refuse, reply
from acceptance.plain_phone import ALICE, BOB, Phone
from acceptance.service import Service, running, until
from acceptance.test_leak import open_session


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("answers")
    for service in running(folder, more_settings="max_ring_seconds = 5\n"):
        open_session(service)
        yield service


@contextmanager
def phones(service: Service, answer: Answer) -> Iterator[tuple[Phone, Peer]]:
    """One that calls, and the carrier's."""
    phone, peer = Phone(service), Peer(answer, port=service.carrier_port)
    try:
        yield phone, peer
    finally:
        phone.socket.close()
        peer.close()


def test_who_answers_as_the_call_is_given_up_is_hung_up(service: Service) -> None:
    before = len(service.calls())
    with phones(service, ring) as (phone, peer):
        phone.send(phone.invite())
        assert phone.final() == 408
        invite, peer.answer = peer.of("INVITE")[0], accept
        assert ends(service, before + 1) == ("us", 408)
        peer.send(reply(invite, 200, peer.where, SDP), phone.server)
        until(lambda: peer.of("ACK") and peer.of("BYE"))
        no_sound_is_left(service)
        assert "AnsweredTimestamp" not in service.newest_call()


ENCRYPTED = SDP.replace("RTP/AVP", "RTP/SAVP")  # which this carrier is not asked for


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"Contact: .*?\r\n", ""),
        (r"Contact: .*?\r\n", "Contact: <sip:J\xf6rg@127.0.0.1>\r\n"),
        (r"Contact: .*?\r\n", "Contact: <tel:+14015550101>\r\n"),
        (";tag=theirs", ""),
    ],
)
def test_an_answer_that_makes_no_dialog_is_none(service: Service, right: str, wrong: str) -> None:
    """An ACK would have nowhere to go but where its own sender wants it, with the number called."""

    def answer_so(peer: Peer, request: str) -> list[str]:
        if not request.startswith("INVITE"):
            return accept(peer, request)
        return [re.sub(right, wrong, reply(request, 200, peer.where, SDP))]

    before = len(service.calls())
    with phones(service, answer_so) as (phone, _):
        phone.send(phone.invite())
        assert phone.final() == 500
        assert ends(service, before + 1) == ("us", 500)
        assert BOB[1:] not in "".join(phone.received)


UNREADABLE = "X Odd: 1\r\n"  # no header


def test_a_refusal_that_cannot_be_read_is_one(tmp_path: Path) -> None:
    """Another carrier is asked where its status says so; the caller gets that."""
    first, second = Peer(refuse(503, UNREADABLE)), Peer(refuse(486, UNREADABLE))
    more = 'failover_carriers = ["globex"]\n' + section("globex", second.where)
    with masked(tmp_path, first, more) as (service, phone):
        phone.send(phone.invite())
        assert phone.final() == 486
        assert ends(service, 1) == ("called", 486)
        assert len(first.of("INVITE")) == len(second.of("INVITE")) == 1
        second.answer = refuse(503)
        phone.send(phone.invite())
        assert phone.final() == 503
        assert ends(service, 2) == ("carrier", 503)
        assert "Odd" not in "".join(phone.received)
    first.close()
    second.close()


@pytest.mark.parametrize("fault", ["encrypted", "a route of great length"])
def test_an_answer_that_cannot_be_passed_on_ends_the_call(service: Service, fault: str) -> None:
    """The caller is told at once, and who answered, too; nothing is left."""

    def answer_so(peer: Peer, request: str) -> list[str]:
        if not request.startswith("INVITE"):
            return accept(peer, request)
        route = f"Record-Route: <sip:{peer.where};lr;x={'r' * 2500}>\r\n" * ("route" in fault)
        return [reply(request, 200, peer.where, SDP if route else ENCRYPTED, route)]

    before = len(service.calls())
    with phones(service, answer_so) as (phone, peer):
        for number in (1, 2):
            sent = phone.invite()
            phone.send(sent)
            status = 500 if "route" in fault else 488
            assert phone.final() == status
            # Two of Kamailio's workers may send them, in any order.
            until(lambda wanted=number: len(peer.of("BYE")) == len(peer.of("ACK")) == wanted)
            assert ends(service, before + number) == ("us", status)
            assert "AnsweredTimestamp" not in service.newest_call()
        invite, bye = peer.of("INVITE")[-1], peer.of("BYE")[-1]
        assert header(bye, "Call-ID") == header(invite, "Call-ID")
        assert ALICE[1:] not in "".join(peer.received)
        no_sound_is_left(service)


def test_an_invite_that_cannot_be_sent_leaves_no_sound(service: Service) -> None:
    before = len(service.calls())
    with phones(service, accept) as (phone, peer):
        phone.send(re.sub(r"Contact: .*\r\n", "", phone.invite()))
        assert phone.final() == 400
        assert ends(service, before + 1) == ("us", 400)
        no_sound_is_left(service)
        assert not peer.received
