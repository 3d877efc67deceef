"""Certificates on both sides of TLS: those that we show to a carrier which asks for one, and those
that we ask our callers for."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from acceptance.carriers import answered, hang_up, masked, section
from acceptance.lines import Stream
from acceptance.peers import Peer
from acceptance.plain_phone import Connected, Phone, within
from acceptance.service import Service, free_port, until
from authority import Authority, Pair


class Encrypted(Connected):
    """A phone that speaks TLS, with whatever certificate its context has."""

    transport = "TLS"

    def __init__(self, service: Service, port: int, context: ssl.SSLContext) -> None:
        own = socket.create_connection(("127.0.0.1", port), 10)
        stream = Stream(context.wrap_socket(own, server_hostname="127.0.0.1"))
        super().__init__(service, stream)


def tls_of(theirs: Pair, shown: Pair | None) -> str:
    """A carrier's settings: whose certificates it has, and which one it is shown."""
    ours = f'certificate = "{shown.certificate}"\nkey = "{shown.key}"\n' if shown else ""
    return f'[carriers.sip.tls]\nca = "{theirs.ca}"\n{ours}'


@contextmanager
def carrier_that_asks(
    folder: Path, shown: Pair | None, theirs: Pair, more: str = ""
) -> Iterator[tuple[Service, Phone, Peer, int]]:
    """A service whose carrier takes TLS with certificates of its own authority alone, and which
    asks its callers for one of the same authority; the port of its listener."""
    us = Authority(folder, "public").issue("us", "127.0.0.1")
    asks = theirs.server()
    asks.verify_mode = ssl.CERT_REQUIRED
    peer, port = Peer(tls=asks), free_port()
    door = f'certificate = "{us.certificate}"\nkey = "{us.key}"\nclient_ca = "{theirs.ca}"'
    with masked(
        folder, peer, tls_of(theirs, shown) + more, transport="tls",
        listen=(f"tls:127.0.0.1:{port}",), sip_settings=f"[sip.tls]\n{door}",
    ) as (service, phone):  # fmt: skip
        yield service, phone, peer, port
    peer.close()


def test_both_sides_show_their_certificates(tmp_path: Path) -> None:
    """Who calls us without one, or with another authority's, is not listened to."""
    carrier, stranger = Authority(tmp_path, "carrier"), Authority(tmp_path, "stranger")
    shown, theirs = carrier.issue("shown"), carrier.issue("theirs", "127.0.0.1")
    with carrier_that_asks(tmp_path, shown, theirs) as (service, _, peer, port):
        phone = Encrypted(service, port, trusting(tmp_path, theirs))
        hang_up(phone, *answered(phone))
        call_a_secure_address(phone)
        phone.close()
        known = ssl.PEM_cert_to_DER_cert(shown.certificate.read_text())
        assert peer.shown
        assert set(peer.shown) == {known}
        calls = len(peer.of("INVITE"))
        for pair in (None, stranger.issue("guess", "127.0.0.1")):
            with pytest.raises(OSError, match=r"(?i)alert|closed|reset|broken|eof"):
                call(service, port, trusting(tmp_path, pair))
        assert len(peer.of("INVITE")) == calls
        assert service.health()[0] == 200


def call_a_secure_address(phone: Phone) -> None:
    """Whoever does is told one, by which its requests are found (RFC 3261 12.1.1)."""
    sent = phone.invite().replace("INVITE sip:", "INVITE sips:")
    phone.send(sent)
    answer = phone.taken()
    phone.send(within("ACK", sent, answer, phone))
    assert "\r\nContact: <sips:" in answer
    hang_up(phone, sent, answer)


def trusting(folder: Path, shown: Pair | None) -> ssl.SSLContext:
    """A caller's side of TLS: it trusts our authority, and shows this certificate, if any."""
    context = ssl.create_default_context(cafile=str(folder / "public.pem"))
    if shown:
        context.load_cert_chain(shown.certificate, shown.key)
    return context


def call(service: Service, port: int, context: ssl.SSLContext) -> str:
    """What a call is answered; OSError when the connection is closed instead."""
    phone = Encrypted(service, port, context)
    try:
        phone.send(phone.invite())
        return phone.receive()
    finally:
        phone.close()


def test_whoever_connects_from_a_carriers_place_gets_no_call(tmp_path: Path) -> None:
    """Kamailio finds a connection by address and port, and the newest one first. Whoever is on the
    way to the carrier can speak from both, but has not its certificate."""
    authority, place = Authority(tmp_path), ("127.0.0.1", free_port())
    us, them = authority.issue("us", "127.0.0.1"), authority.issue("them", "127.0.0.1")
    door = ("127.0.0.1", free_port())
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        plain.bind(place)  # before the carrier listens there, for after that nobody may
        peer = Peer(tls=them.server(), port=place[1])
        with masked(
            tmp_path, peer, f'[carriers.sip.tls]\nca = "{authority.ca}"\n', transport="tls",
            listen=(f"tls:127.0.0.1:{door[1]}",),
            sip_settings=us.for_sip,
        ) as (_, phone):  # fmt: skip
            hang_up(phone, *answered(phone))
            plain.connect(door)
            asking = ssl.create_default_context(cafile=str(authority.ca))
            with asking.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
                stranger = Stream(secured)
                hang_up(phone, *answered(phone))
                assert stranger.received() == []
        assert len(peer.of("INVITE")) == 2
        peer.close()


def states(service: Service) -> dict[str, str]:
    """Of the carriers, as far as they were told."""
    carriers = service.carriers()
    return {one["Name"]: one["Nodes"][0]["State"] for one in carriers if one["Nodes"]}


def test_a_carrier_that_does_not_take_our_certificate_is_down(tmp_path: Path) -> None:
    """Whether we have none for it, or one of another authority."""
    theirs = Authority(tmp_path, "carrier").issue("theirs", "127.0.0.1")
    guess = Authority(tmp_path, "stranger").issue("guess")
    asks = theirs.server()
    asks.verify_mode = ssl.CERT_REQUIRED
    other = Peer(tls=asks)
    place = other.where.partition(";")[0]
    more = section("other", place, tls_of(theirs, guess), transport="tls")
    with carrier_that_asks(tmp_path, None, theirs, more) as (service, phone, peer, _):
        phone.send(phone.invite())
        assert phone.final() == 503
        assert not peer.received
        until(lambda: states(service) == {"acme": "down", "other": "down"})
    assert not other.received
    other.close()
