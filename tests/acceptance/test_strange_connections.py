"""Connections of who is no carrier: closed when they speak, or soon when they do not, and never
answered; and those of carriers, which last."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acceptance.service import Service, free_port, running
from authority import Authority

from maskline.engines.kamailio import STRANGER_SECONDS

OPTIONS = (
    "OPTIONS sip:{there} SIP/2.0\r\nVia: SIP/2.0/TCP {here};branch=z9hG4bK{n}\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:a@{here}>;tag=1\r\nTo: <sip:{there}>\r\nCall-ID: {n}{here}\r\n"
    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
KEEPALIVE = b"\r\n\r\n"  # RFC 5626 3.5.1
STRANGER, CARRIER = "127.0.0.66", "127.0.0.1"


@contextmanager
def connected(service: Service, host: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.bind((host, 0))
        line.connect(("127.0.0.1", service.sip_port))
        yield line


def options(line: socket.socket, number: int) -> bytes:
    here, there = (":".join(map(str, name)) for name in (line.getsockname(), line.getpeername()))
    return OPTIONS.format(here=here, there=there, n=number).encode()


def heard(line: socket.socket, seconds: float) -> bytes | None:
    """What comes within that time: nothing at all (None), or nothing more (empty)."""
    line.settimeout(seconds)
    try:
        return line.recv(4096)
    except ConnectionResetError:
        return b""
    except TimeoutError:
        return None


def test_a_strangers_connection_is_closed_when_it_speaks(service: Service) -> None:
    with connected(service, STRANGER) as line:
        line.sendall(options(line, 1))
        assert heard(line, 4) == b""
    with connected(service, STRANGER) as line:
        line.sendall(KEEPALIVE)
        assert heard(line, 0.5) is None


def test_a_silent_connection_is_closed_soon_and_a_carriers_is_not(service: Service) -> None:
    with connected(service, STRANGER) as strange, connected(service, CARRIER) as known:
        known.sendall(options(known, 1))
        assert (heard(known, 4) or b"").startswith(b"SIP/2.0 200 ")
        began = time.monotonic()
        assert heard(strange, STRANGER_SECONDS + 10) == b""
        time.sleep(max(0.0, began + STRANGER_SECONDS + 2 - time.monotonic()))
        known.sendall(options(known, 2))
        assert (heard(known, 4) or b"").startswith(b"SIP/2.0 200 ")


def unshaken(port: int) -> socket.socket:
    """A connection to a port that takes TLS."""
    line = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    line.bind((STRANGER, 0))
    line.connect((CARRIER, port))
    return line


def drip(port: int, for_ever: list[bool]) -> None:
    """Begins to shake hands, a byte at a time; whether one may do so for ever is told."""
    with unshaken(port) as line:
        for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(19):
            try:
                line.send(bytes([byte]))
                if heard(line, 1) == b"":
                    return
            except OSError:
                return
    for_ever.append(True)


def test_a_connection_that_we_made_stays_whoever_speaks_on_it(tmp_path: Path) -> None:
    """A carrier is reached elsewhere than where it calls from, and asks there whether we live. One
    of a stranger's over TLS is closed meanwhile, with the hands shaken or without."""
    us, tls_port = Authority(tmp_path).issue("us", CARRIER), free_port()
    with socket.create_server((CARRIER, 0)) as place:
        place.settimeout(20)
        port = place.getsockname()[1]
        for _ in running(
            tmp_path,
            transport="tcp",
            carrier_port=port,
            sources="127.0.0.9/32",
            carrier_settings="probe_seconds = 10",
            listen=(f"tls:{CARRIER}:{tls_port}",),
            sip_settings=us.for_sip,
        ):
            shaken = ssl.create_default_context(cafile=str(us.ca)).wrap_socket(
                unshaken(tls_port), server_hostname=CARRIER
            )
            told_for_ever = list[bool]()
            dripping = threading.Thread(target=drip, args=(tls_port, told_for_ever))
            dripping.start()
            line, _ = place.accept()
            with line, shaken, unshaken(tls_port) as silent:
                assert (heard(line, 10) or b"").startswith(b"OPTIONS ")
                line.sendall(options(line, 1))
                told = heard(line, 2)  # not an answer, nor the end; we may ask again
                assert told is None or told.startswith(b"OPTIONS ")
                assert heard(silent, STRANGER_SECONDS + 10) == b""
                assert heard(shaken, STRANGER_SECONDS + 10) == b""
                dripping.join()
                assert not told_for_ever
