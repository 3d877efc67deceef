"""Floods from one address: cut off where nobody is known, and never a carrier that calls with a
password; floods within a call; what a caller's wish for privacy comes to."""

import socket
from collections.abc import Iterator

import pytest
from acceptance.carriers import Stranger, answered, authorized, hang_up, masked
from acceptance.peers import Peer, header
from acceptance.plain_phone import ALICE, Phone, within
from acceptance.service import Service, free_port, until

from maskline.engines.kamailio import MOST_STRANGE, MOST_TALK

Calls = tuple[Service, Phone, Peer]

SETTINGS = """\
inbound_username = "acme"
inbound_password = "secret"
identity = ["p-asserted-identity", "remote-party-id"]
"""
FLOOD = 2 * MOST_STRANGE
WORKERS = 16  # so many messages may be read while the one that is too many is counted


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    peer = Peer()
    folder, six = tmp_path_factory.mktemp("floods"), f"udp:[::1]:{free_port('::1')}"
    with masked(folder, peer, SETTINGS, listen=(six,)) as (service, phone):
        yield service, phone, peer
    peer.close()


class Scanner(Stranger):
    host = "127.0.0.67"


class Friend(Stranger):
    host = "127.0.0.68"


class Distant(Phone):
    """A stranger with an IPv6 address."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.socket.close()
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.bind(("::1", 0))
        self.where = f"[::1]:{self.socket.getsockname()[1]}"
        self.server = ("::1", int(service.listen[0].rpartition(":")[2]))


def test_a_flood_is_cut_off_and_hurts_no_carrier(calls: Calls) -> None:
    service, phone, _ = calls
    flooding, other = Scanner(service), Stranger(service)
    for _ in range(FLOOD):
        flooding.send(flooding.invite())
    hang_up(phone, *answered(phone))
    heard = 0
    while not flooding.silent(0.5):
        heard += 1
    assert MOST_STRANGE // 2 < heard <= MOST_STRANGE + WORKERS
    flooding.send(flooding.invite())
    assert flooding.silent(0.5)
    other.send(other.invite())
    other.expect("SIP/2.0 401 ")
    hang_up(phone, *answered(phone))
    flooding.socket.close()
    other.socket.close()


def test_a_flood_over_ipv6_is_counted_by_network(calls: Calls) -> None:
    service, *_ = calls
    flooding = Distant(service)
    for _ in range(FLOOD):
        flooding.send(flooding.invite())
    heard = 0
    while not flooding.silent(0.5):
        heard += 1
    assert MOST_STRANGE // 2 < heard <= MOST_STRANGE + WORKERS
    flooding.socket.close()


def test_a_carrier_with_a_password_is_no_flood(calls: Calls) -> None:
    """Four messages for each call: more in all than a stranger may send."""
    service, _, _ = calls
    friend = Friend(service)
    for _ in range(MOST_STRANGE // 4 + 3):
        sent = friend.invite()
        friend.send(sent)
        challenged = friend.expect("SIP/2.0 401 ")  # a 180 of the call before may come late
        again = authorized(sent, challenged, "secret")
        friend.send(again)
        taken = friend.taken()
        friend.send(within("ACK", again, taken, friend, 2))
        friend.send(within("BYE", again, taken, friend, 3))
        assert friend.final() == 200
    friend.socket.close()


def test_a_carrier_with_a_password_may_connect(calls: Calls) -> None:
    service, *_ = calls
    friend = Friend(service)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.settimeout(8)
        line.bind((friend.host, 0))
        line.connect(friend.server)
        sent = friend.invite(number="+19135550111").replace("SIP/2.0/UDP", "SIP/2.0/TCP")
        line.sendall(sent.encode())
        challenged = line.recv(65536).decode()
        assert challenged.startswith("SIP/2.0 401 ")
        line.sendall(authorized(sent, challenged, "secret").encode())
        assert line.recv(65536).startswith((b"SIP/2.0 100 ", b"SIP/2.0 404 "))
    friend.socket.close()


def test_whoever_says_too_much_in_a_call_is_not_heard(calls: Calls) -> None:
    """And all others are."""
    service, phone, peer = calls
    talker = Phone(service)
    sent, answer = answered(talker)
    for number in range(2, 3 * MOST_TALK):
        talker.send(within("INFO", sent, answer, talker, number))
    hang_up(phone, *answered(phone))
    heard = {header(one, "CSeq") for one in peer.of("INFO")}
    assert MOST_TALK // 2 < len(heard) <= MOST_TALK
    talker.socket.close()


@pytest.mark.parametrize("privacy", ["id", "header;user;id;critical", "none"])
def test_a_wish_for_privacy_is_met_and_not_passed_on(calls: Calls, privacy: str) -> None:
    """RFC 3323, RFC 3325: the carrier tells us who calls, the person called sees the proxy number
    as always."""
    service, phone, peer = calls
    known = f"P-Asserted-Identity: <sip:{ALICE}@carrier.example>\r\nPrivacy: {privacy}\r\n"
    sent = phone.invite(caller="anonymous", more=known)
    phone.send(sent)
    taken = phone.taken()
    phone.send(within("ACK", sent, taken, phone))
    hang_up(phone, sent, taken)
    invite = peer.of("INVITE")[-1]
    assert "privacy: " not in invite.lower()
    assert "nonymous" not in invite
    assert ALICE[1:] not in invite
    shown = header(invite, "From").partition(";")[0]
    assert header(invite, "P-Asserted-Identity") == shown
    until(lambda: service.newest_call().get("CallerPhoneNumber") == ALICE)
