"""A leg over TLS whose party names a place in the open: what follows in the call goes there over
TLS, or not at all."""

import socket
from pathlib import Path

import pytest
from acceptance.carriers import masked
from acceptance.peers import SDP, Peer, accept, reply
from acceptance.plain_phone import within
from acceptance.service import free_port, until
from authority import Authority


def test_nothing_of_an_encrypted_leg_goes_in_the_open(tmp_path: Path) -> None:
    """Be it that TLS is spoken there, or not."""
    authority, places = Authority(tmp_path), list[str]()
    us, them = authority.issue("us", "127.0.0.1"), authority.issue("them", "127.0.0.1")

    def answer(peer: Peer, request: str) -> list[str]:
        if not request.startswith("INVITE"):
            return accept(peer, request)
        return [reply(request, 200, places[-1], SDP)]

    peer = Peer(answer, tls=them.server())
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere,
        masked(
            tmp_path, peer, f'[carriers.sip.tls]\nca = "{authority.ca}"', transport="tls",
            listen=(f"tls:127.0.0.1:{free_port()}",),
            sip_settings=us.for_sip,
        ) as (_, phone),
    ):  # fmt: skip
        here.bind((peer.host, peer.port))
        elsewhere.bind((peer.host, free_port()))
        # Where nobody takes connections, a BYE may wait with the ACK for one that is being made.
        for open_place, statuses in ((here, [200]), (elsewhere, [500, 408])):
            open_place.setblocking(False)
            places.append("{}:{}".format(*open_place.getsockname()))
            sent = phone.invite()
            phone.send(sent)
            taken = phone.taken()
            phone.send(within("ACK", sent, taken, phone))
            phone.send(within("BYE", sent, taken, phone, 2))
            assert phone.final() in statuses
            with pytest.raises(BlockingIOError):
                open_place.recv(4096)
        until(lambda: len(peer.of("ACK")) == len(peer.of("BYE")) == 1)
    peer.close()
