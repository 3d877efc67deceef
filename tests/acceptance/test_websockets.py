"""SIP over WebSocket (RFC 7118): what whoever asks for one is told, and who may have one."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acceptance.carriers import authorized, masked
from acceptance.lines import Stream
from acceptance.peers import Peer
from acceptance.plain_phone import Connected, within
from acceptance.service import Service, free_port, until

from maskline.engines.kamailio import MOST_STRANGE

STRANGER = "127.0.0.66"
ACCOUNT = 'inbound_username = "acme"\ninbound_password = "secret"\n'


PAGE = "https://phone.example"


@contextmanager
def reached_by_websocket(
    folder: Path, settings: str, sip_settings: str = ""
) -> Iterator[tuple[Service, Peer, int]]:
    """A service with a carrier, and the port where it takes WebSockets."""
    peer, port = Peer(), free_port()
    with masked(
        folder, peer, settings, listen=(f"ws:127.0.0.1:{port}",), sip_settings=sip_settings
    ) as (service, _):
        yield service, peer, port
    peer.close()


def asked_for(port: int, protocol: str = "sip", host: str = "127.0.0.1", page: str = "") -> bytes:
    """The answer to who asks for a WebSocket of this protocol, for a web page if any; empty when
    there is none."""
    origin = f"Origin: {page}\r\n" if page else ""
    with socket.create_connection(("127.0.0.1", port), 5, source_address=(host, 0)) as line:
        line.sendall(
            b"GET / HTTP/1.1\r\nHost: maskline\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: %s\r\n%s\r\n" % (protocol.encode(), origin.encode())
        )
        return line.recv(4096)


def test_who_asks_is_not_told_what_opens_the_gate(tmp_path: Path) -> None:
    with reached_by_websocket(tmp_path, "") as (service, _, port):
        known = json.loads((service.data / "run" / "kamailio" / "settings.json").read_text())
        for protocol, status in (("sip", b"101"), ("chat", b"400")):
            told = asked_for(port, protocol)
            assert told.startswith(b"HTTP/1.1 " + status)
            for name in ("secret", "salt"):
                assert known[name].encode() not in told
        assert asked_for(port, page=PAGE) == b""  # a carrier without a password is its address


class Browser(Connected):
    """A phone at a stranger's address, which has no way to be called but its WebSocket."""

    transport = "WS"

    def __init__(self, service: Service, port: int, host: str = STRANGER) -> None:
        there = "::1" if ":" in host else "127.0.0.1"
        own = socket.create_connection((there, port), 5, source_address=(host, 0))
        super().__init__(service, Stream(own, websocket=True))
        self.where = "browser.invalid"


def test_a_stranger_with_the_password_calls_and_is_hung_up_by_websocket(tmp_path: Path) -> None:
    with reached_by_websocket(tmp_path, ACCOUNT) as (service, peer, port):
        browser = Browser(service, port)
        sent = browser.invite()
        browser.send(sent)
        again = authorized(sent, browser.expect("SIP/2.0 401 "), "secret")
        browser.send(again)
        browser.send(within("ACK", again, browser.taken(), browser, 2))
        until(lambda: peer.of("ACK"))
        service.close_sessions()
        assert "browser.invalid" not in "".join(peer.received)
        assert browser.expect("BYE ").startswith("BYE sip:+12065550100@browser.invalid ")
        browser.close()


def test_a_flood_of_strangers_gets_no_more(tmp_path: Path) -> None:
    with reached_by_websocket(tmp_path, ACCOUNT) as (_, _, port):
        told = [asked_for(port, host=STRANGER)[:12] for _ in range(MOST_STRANGE + 2)]
        assert told[0] == b"HTTP/1.1 101"
        assert told[-1] == b""
        assert asked_for(port).startswith(b"HTTP/1.1 101")


def test_a_stranger_gets_none_where_nobody_has_a_password(tmp_path: Path) -> None:
    """Nor does a web page of another site than those in the settings."""
    listed = f'websocket_origins = ["{PAGE}:443"]'
    with reached_by_websocket(tmp_path, "", listed) as (_, _, port):
        assert asked_for(port, host=STRANGER) == b""
        assert asked_for(port, page=PAGE).startswith(b"HTTP/1.1 101")
        assert asked_for(port, page="https://other.example") == b""


def test_who_calls_over_ipv6_without_an_offer_is_offered_sound_over_ipv6(tmp_path: Path) -> None:
    peer, port = Peer(), free_port("::1")
    with masked(
        tmp_path, peer, "", listen=(f"ws:[::1]:{port}",), sources='127.0.0.1/32", "::1/128'
    ) as (service, _):
        browser = Browser(service, port, "::1")
        browser.send(browser.invite(body=""))
        assert "c=IN IP6 ::1\r\n" in browser.taken()
        browser.close()
    peer.close()
