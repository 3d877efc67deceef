"""The torture messages of RFC 4475, each over UDP and over TCP to a running service: the right
answer, or silence for a reason, and everybody else is served as before."""

import os
import re
import socket
import time
from collections.abc import Iterator

import pytest
import torture
from acceptance.service import Service, running
from acceptance.test_leak import PROXY_NUMBER, open_session
from secrets_told import lines_telling

CALLER = "+12065550100"
LOST_SECONDS = 30.0  # after which what has not come is not coming
PROBE = (
    "OPTIONS sip:{here} SIP/2.0\r\nVia: SIP/2.0/{transport} {phone};branch=z9hG4bK{call}\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:probe@{phone}>;tag=p\r\nTo: <sip:{here}>\r\n"
    "Call-ID: {call}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
MESSAGES = torture.messages()
# Words of the messages that nobody else says.
NAMES = [b"secretuser", b"amazingly", b"spindle", b"services.example", b"J. User", b"host2.example"]


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for service in running(tmp_path_factory.mktemp("torture"), log_level="debug"):
        open_session(service)
        yield service
    assert (
        lines_telling(service.log, [CALLER[1:].encode(), PROXY_NUMBER[1:].encode(), *NAMES]) == []
    )


@pytest.fixture
def carrier(masked: Service) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", masked.carrier_port))
        yield one


class Sender:
    """Who sends one message, and what comes back."""

    def __init__(self, service: Service, transport: str) -> None:
        kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        host, port = service.sip.split(":")
        self.socket.connect((host, int(port)))
        self.where = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.here, self.transport = service.sip, transport
        self.received = ""

    def probe(self) -> bool:
        """Whether an ordinary request is answered; False when the connection has ended."""
        call = "probe" + os.urandom(6).hex()
        place = {"here": self.here, "transport": self.transport, "phone": self.where}
        try:
            self.socket.send(PROBE.format(call=call, **place).encode())
            self.until(rf"SIP/2\.0 200 [^\0]*?Call-ID: {call}\r\n")
        except (ConnectionError, BrokenPipeError):
            return False
        return True

    def until(self, pattern: str) -> None:
        """Reads until something has come."""
        end = time.monotonic() + LOST_SECONDS
        while not re.search(pattern, self.received):
            self.socket.settimeout(max(end - time.monotonic(), 0.01))
            octets = self.socket.recv(65536)
            if not octets:
                raise ConnectionError
            self.received += octets.decode("latin-1") + "\0"

    def finals(self) -> list[int]:
        """The final answers to what is no probe."""
        answers = re.split(r"(?=SIP/2\.0 \d{3} )", self.received)
        own = [a for a in answers if a.startswith("SIP/2.0 ") and "Call-ID: probe" not in a]
        return [int(answer[8:11]) for answer in own if answer[8] != "1"]


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("one", MESSAGES, ids=[one.name for one in MESSAGES])
def test_torture(
    masked: Service, carrier: socket.socket, one: torture.Torture, transport: str
) -> None:
    sender = Sender(masked, transport)
    who = {"NUMBER": PROXY_NUMBER, "CALLER": CALLER}
    call = os.urandom(6).hex()
    sender.socket.send(one.message(sender.where, masked.sip, transport, call, **who))
    outcome = one.udp if transport == "UDP" else one.tcp
    match outcome:
        case int():
            sender.until(rf"SIP/2\.0 {outcome} ")
            assert sender.finals() == [outcome]
        case "silence":
            # A stream that waits for the rest of a message takes the probe for it.
            if not (transport == "TCP" and one.name in UNFINISHED):
                assert sender.probe()
            assert sender.finals() == []
        case "closed":
            with pytest.raises(ConnectionError):
                sender.until("SIP/2")
        case "relayed":
            refuse(carrier, call)
            sender.until(r"SIP/2\.0 486 ")
            assert sender.finals()[0] == 486
        case "405 and relayed":
            refuse(carrier, call)
            sender.until(r"SIP/2\.0 486 ")
            assert set(sender.finals()) == {405, 486}
        case _:
            pytest.fail(f"{one.name} says what must come of it in words nobody knows")
    sender.socket.close()
    assert masked.health()[0] == 200
    other = Sender(masked, transport)
    assert other.probe()
    other.socket.close()


# Their Content-Length is beyond their end, or none that Kamailio can read.
UNFINISHED = ("clerr", "ncl", "mcl01")


def refuse(carrier: socket.socket, call: str) -> None:
    """The other party gets the call, knows nothing of the caller, and is busy."""
    carrier.settimeout(LOST_SECONDS)
    while True:
        octets, server = carrier.recvfrom(65536)
        if octets.startswith(b"INVITE "):
            break
    text = octets.decode("latin-1")
    for secret in (CALLER[1:], call, *(name.decode() for name in NAMES)):
        assert secret not in text
    assert f"<sip:{PROXY_NUMBER}@" in text
    kept = [
        line + (";tag=busy" if line.startswith("To:") else "")
        for line in text.split("\r\n")
        if line.partition(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")
    ]
    answer = "\r\n".join(["SIP/2.0 486 Busy", *kept, "Content-Length: 0", "", ""])
    carrier.sendto(answer.encode("latin-1"), server)
