"""A carrier's SIP server that does what a test tells it to, on UDP or on TLS."""

import contextlib
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from acceptance.lines import Stream

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 17000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n"
)


def header(message: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*?)\r$", message, re.MULTILINE | re.IGNORECASE)
    assert found, (name, message)
    return found[1]


def reply(request: str, status: int, where: str = "", body: str = "", more: str = "") -> str:
    kept = [
        line
        for line in request.split("\r\n\r\n")[0].split("\r\n")
        if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")
    ]
    to = header(request, "To") + ("" if ";tag=" in header(request, "To") else ";tag=theirs")
    kind = "Content-Type: application/sdp\r\n" if body else ""
    contact = f"Contact: <sip:carrier@{where}>\r\n" if where else ""
    return (
        f"SIP/2.0 {status} X\r\n" + "\r\n".join(kept) + f"\r\nTo: {to}\r\n{contact}{more}{kind}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


KNOCK = b"\r\n\r\nclose"  # what a peer tells itself

Answer = Callable[["Peer", str], list[str]]


def accept(peer: "Peer", request: str) -> list[str]:
    """What a carrier that takes every call answers."""
    method = request.partition(" ")[0]
    if method == "ACK":
        return []
    if method == "INVITE":
        ringing = reply(request, 180, peer.where)
        return [ringing, reply(request, 200, peer.where, SDP)]
    return [reply(request, 200)]


def refuse(status: int, more: str = "") -> Answer:
    def answer(peer: "Peer", request: str) -> list[str]:
        method = request.partition(" ")[0]
        if method == "INVITE":
            return [reply(request, status, more=more)]
        return [] if method == "ACK" else [reply(request, 200)]

    return answer


def ignore(peer: "Peer", request: str) -> list[str]:
    return [reply(request, 200)] if request.startswith("OPTIONS") else []


@dataclass
class Peer:
    """Listens on the loopback; `answer` says what it replies to each request."""

    answer: Answer = accept
    tls: ssl.SSLContext | None = None
    port: int = 0
    host: str = "127.0.0.1"
    received: list[str] = field(default_factory=list)
    shown: list[bytes | None] = field(default_factory=list)  # certificates of who connected

    def __post_init__(self) -> None:
        self._serving: list[threading.Thread] = []
        kind = socket.SOCK_STREAM if self.tls else socket.SOCK_DGRAM
        self._socket = socket.socket(socket.AF_INET, kind)
        if self.tls:  # another one may have been here
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((self.host, self.port))
        self.port = self._socket.getsockname()[1]
        if self.tls:
            self._socket.listen()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}" + (";transport=tls" if self.tls else "")

    def of(self, method: str) -> list[str]:
        """The requests that it got, each once: one that came again, because we were slow, is the
        same (RFC 3261 17)."""
        mine = (message for message in self.received if message.startswith(method + " "))
        return list(dict.fromkeys(mine))

    def send(self, message: str, to: tuple[str, int]) -> None:
        self._socket.sendto(message.encode(), to)

    def _work(self) -> None:
        try:
            while True:
                if self.tls:
                    serving = threading.Thread(target=self._serve, args=self._socket.accept())
                    serving.start()
                    self._serving.append(serving)
                else:
                    data, sender = self._socket.recvfrom(65536)
                    if data == KNOCK:
                        return
                    for text in self._replies(data):
                        self._socket.sendto(text.encode(), sender)
        except OSError:
            return

    def _serve(self, own: socket.socket, _sender: object) -> None:
        assert self.tls is not None
        own.settimeout(5)
        with contextlib.suppress(OSError), self.tls.wrap_socket(own, server_side=True) as secured:
            self.shown.append(secured.getpeercert(binary_form=True))
            stream = Stream(secured)
            secured.settimeout(0.1)
            while self._socket.fileno() >= 0:
                for data in stream.received():
                    for text in self._replies(data):
                        stream.send(text.encode())
        own.close()

    def _replies(self, data: bytes) -> list[str]:
        text = data.decode("latin-1")
        if not text.strip() or text.startswith("SIP/2.0"):
            self.received.append(text)
            return []
        self.received.append(text)
        return self.answer(self, text)

    def close(self) -> None:
        if self.tls:
            self._socket.shutdown(socket.SHUT_RDWR)
        else:  # wakes the thread
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
                knock.sendto(KNOCK, (self.host, self.port))
        self._thread.join()
        self._socket.close()
        for serving in self._serving:
            serving.join()


def branch() -> str:
    return "z9hG4bK" + os.urandom(6).hex()
