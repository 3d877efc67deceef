"""What is said to a party whose TLS connection is gone: by a new one, to whom shows a certificate
as that party's carrier has it, and to nobody else."""

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

from acceptance.carriers import answered, answered_at_last, hang_up, masked
from acceptance.peers import Peer, accept, ignore
from acceptance.service import Service, free_port, until
from acceptance.test_client_certificates import Encrypted
from authority import Authority, Pair


def end(phone: Encrypted) -> None:
    """Closes a phone's connection when the service has closed it, too."""
    line = phone.stream.socket
    line.setblocking(True)
    line.shutdown(socket.SHUT_WR)
    with suppress(OSError):  # an end without a word
        while line.recv(4096):
            pass
    phone.close()


def test_an_answer_finds_a_caller_whose_connection_is_gone(tmp_path: Path) -> None:
    carrier, stranger = Authority(tmp_path, "carrier"), Authority(tmp_path, "stranger")
    us, them = carrier.issue("us", "127.0.0.1"), carrier.issue("them", "127.0.0.1")
    gone, port, home_port = threading.Event(), free_port(), free_port()

    def wait(peer: Peer, request: str) -> list[str]:
        assert not request.startswith("INVITE") or gone.wait(10)
        return accept(peer, request)

    peer = Peer(wait, tls=them.server())

    def home_of_a_caller_who_closed(service: Service, shown: Pair) -> Peer:
        """Whoever is found at the place that the caller's Via tells."""
        gone.clear()
        home, calls = Peer(ignore, tls=shown.server(), port=home_port), len(peer.of("INVITE"))
        phone = Encrypted(service, port, ssl.create_default_context(cafile=str(carrier.ca)))
        phone.where = f"{home.where};rport"  # which phones say over any transport
        phone.send(phone.invite())
        until(lambda: len(peer.of("INVITE")) > calls)
        end(phone)
        gone.set()
        return home

    with masked(
        tmp_path, peer, f'[carriers.sip.tls]\nca = "{carrier.ca}"', transport="tls",
        listen=(f"tls:127.0.0.1:{port}",),
        sip_settings=us.for_sip,
    ) as (service, _):  # fmt: skip
        home = home_of_a_caller_who_closed(service, stranger.issue("other", "127.0.0.1"))
        until(lambda: "certificate verify failed" in service.log)
        assert not home.received
        home.close()
        home = home_of_a_caller_who_closed(service, them)
        until(lambda: any(text.startswith("SIP/2.0 200") for text in home.received))
        home.close()
    peer.close()


def test_a_carrier_that_closed_is_connected_to_before_the_next_call(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    us, them = authority.issue("us", "127.0.0.1"), authority.issue("them", "127.0.0.1")
    peer = Peer(tls=them.server())
    with masked(
        tmp_path, peer, f'probe_seconds = 600\n[carriers.sip.tls]\nca = "{authority.ca}"',
        transport="tls", listen=(f"tls:127.0.0.1:{free_port()}",),
        sip_settings=us.for_sip,
    ) as (_, phone):  # fmt: skip
        hang_up(phone, *answered(phone))
        peer.close()
        peer = Peer(tls=them.server(), port=peer.port)
        until(lambda: peer.of("OPTIONS"))
        hang_up(phone, *answered_at_last(phone))
    peer.close()
