"""Digest authentication of calls, both ways: ours to a carrier, and a carrier's to us."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.carriers import (
    Stranger,
    acknowledged,
    answered,
    authorized,
    challenge,
    hang_up,
    masked,
)
from acceptance.peers import Peer, accept, header, refuse
from acceptance.plain_phone import ALICE, Phone, within
from acceptance.service import Service, until

from maskline_sip.digest import parameters, response


def test_a_challenge_is_answered_with_the_next_number(tmp_path: Path) -> None:
    """RFC 3261 22.2, RFC 8760; all that follows in the call goes on from there."""
    peer = Peer(challenge)
    account = 'username = "maskline"\npassword = "secret"'
    with masked(tmp_path, peer, account) as (_, phone):
        sent, answer = answered(phone)
        assert header(answer, "CSeq") == "1 INVITE"
        until(lambda: len(peer.of("ACK")) == 2)
        hang_up(phone, sent, answer)
    first, second = peer.of("INVITE")
    given = parameters(header(second, "Authorization"))
    uri = second.split(" ")[1]
    assert given["algorithm"] == "SHA-256"
    assert given["uri"] == uri
    assert given["response"] == response(given, "secret", "INVITE")
    assert [header(one, "CSeq") for one in (first, second)] == ["1 INVITE", "2 INVITE"]
    assert header(peer.of("ACK")[-1], "CSeq") == "2 ACK"
    assert header(peer.of("ACK")[-1], "Authorization") == header(second, "Authorization")
    assert header(peer.of("BYE")[0], "CSeq") == "3 BYE"
    assert header(first, "Call-ID") == header(second, "Call-ID")
    peer.close()


def test_a_wrong_password_ends_the_call(tmp_path: Path) -> None:
    peer = Peer(refuse(401))
    with masked(tmp_path, peer, 'username = "maskline"\npassword = "wrong"') as (service, phone):
        phone.send(phone.invite())
        assert phone.final() == 480
        until(lambda: service.newest_call().get("SipStatus") == 401)
        assert (service.newest_call()["EndedBy"], service.newest_call()["Cause"]) == ("us", 21)
    peer.close()


def let_in(phone: Phone, peer: Peer) -> tuple[str, str]:
    """A call that its password alone lets in: the INVITE that brings it, and its answer."""
    sent = phone.invite()
    phone.send(sent)
    challenged = phone.receive()
    assert challenged.startswith("SIP/2.0 401 ")
    phone.send(authorized(sent, challenged, "wrong"))
    assert phone.final() == 401
    assert not peer.received
    right = authorized(sent, challenged, "secret").replace("branch=z9hG4bKb", "branch=z9hG4bKc")
    phone.send(right)
    taken = phone.taken()
    phone.send(within("ACK", right, taken, phone, 2))
    return right, taken


ACCOUNT = 'inbound_username = "acme"\ninbound_password = "secret"\n'


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Peer]]:
    peer = Peer()
    with masked(tmp_path_factory.mktemp("passwords"), peer, ACCOUNT) as (service, _):
        yield service, peer
    peer.close()


@pytest.fixture
def peer(stage: tuple[Service, Peer]) -> Peer:
    stage[1].received.clear()
    return stage[1]


@pytest.fixture
def stranger(stage: tuple[Service, Peer]) -> Iterator[Stranger]:
    phone = Stranger(stage[0])
    yield phone
    phone.socket.close()


def test_a_carrier_may_call_from_anywhere_with_its_password(stranger: Stranger, peer: Peer) -> None:
    peer.answer = accept
    right, taken = let_in(stranger, peer)
    until(lambda: peer.of("ACK"))
    while not stranger.silent(0.2):  # a 180 that was overtaken, say
        pass
    bye = within("BYE", right, taken, stranger, 3)
    stranger.send(bye.replace(header(bye, "To"), "<sip:x@y>;tag=guess"))
    stranger.send(stranger.invite().replace("INVITE", "OPTIONS"))
    assert stranger.silent()
    stranger.send(bye)
    assert stranger.final() == 200


REFUSED = [(ALICE, 486), ("+12065550999", 404)]


@pytest.mark.parametrize(("caller", "status"), REFUSED, ids=["by the phone", "by us"])
def test_who_calls_from_anywhere_is_refused_once(
    stranger: Stranger, peer: Peer, caller: str, status: int
) -> None:
    peer.answer = refuse(486)
    sent = stranger.invite(caller=caller)
    stranger.send(sent)
    right = authorized(sent, stranger.receive(), "secret")
    stranger.send(right)
    assert stranger.final() == status
    stranger.send(acknowledged(right, stranger.received[-1]))
    assert stranger.silent(1.5)


def test_a_carriers_address_may_not_be_enough(tmp_path: Path) -> None:
    """Where it can be forged: the first request must bring the password, too."""
    peer = Peer()
    always = ACCOUNT + "inbound_password_always = true"
    with masked(tmp_path, peer, always) as (service, phone):
        right, taken = let_in(phone, peer)
        phone.send(within("BYE", right, taken, phone, 3))
        assert phone.final() == 200
        assert len(peer.of("INVITE")) == 1
        until(lambda: service.newest_call().get("EndedBy") == "caller")
    peer.close()
