"""A carrier's trunk for texts: a small SIP peer on a port of its own, over UDP or TCP, that marks
every place of every message which it sends."""

import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from acceptance.leak_scenarios import PRIVATE_HEADERS
from acceptance.service import until

BRANCH = re.compile(rb"branch=(z9hG4bK[^;,\s]+)")


@dataclass
class SipPeer:
    """`taken` are the MESSAGE requests that came, byte for byte, `said` all that it was sent,
    `answers` the statuses of the next ones instead of 202 (0: none at all). One that is repeated is
    taken once, and has the same answer."""

    host: str
    port: int
    proxy: tuple[str, int]
    mark: str = "SECB"
    taken: list[bytes] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)
    statuses: dict[bytes, bytes] = field(default_factory=dict)
    answered: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.host, self.port))

    def serve(self) -> None:
        while True:
            try:
                data, sender = self.socket.recvfrom(65_535)
            except OSError:
                return
            if not data:
                return
            self.said.append(data)
            if data.startswith(b"SIP/2.0 "):
                found = BRANCH.search(data)
                assert found
                self.statuses[found[1]] = data
            elif data.startswith(b"MESSAGE "):
                if data not in self.answered:
                    self.answered[data] = self.answers.popleft() if self.answers else 202
                    self.taken.append(data)
                if status := self.answered[data]:
                    self.socket.sendto(self.reply(data, status), sender)

    def reply(self, request: bytes, status: int) -> bytes:
        kept = [
            line.decode() + (f";tag={self.mark}TAG" if line.startswith(b"To:") else "")
            for line in request.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
            if line.split(b":")[0] in (b"Via", b"From", b"To", b"Call-ID", b"CSeq")
        ]
        body = f"{self.mark}_reply_body"
        lines = [f"SIP/2.0 {status} {self.mark}_reason", *kept, *self.marked(), "Retry-After: 1"]
        return "\r\n".join(
            [*lines, "Content-Type: text/plain", f"Content-Length: {len(body)}", "", body]
        ).encode()

    def marked(self, mark: str = "") -> list[str]:
        """Headers that tell of who sent them."""
        m = mark or self.mark
        contact = f"Contact: <sip:{m}_user@{self.host}>"
        return [f"{name}: {m}_{name.replace('-', '_')}" for name in PRIVATE_HEADERS] + [contact]

    def send(
        self,
        source: str,
        number: str,
        text: bytes,
        *,
        name: str = "1",
        kind: str = "text/plain;charset=UTF-8",
        again: bool = False,
        mark: str = "SECA",
    ) -> int:
        """Sends a MESSAGE from `source`; the status of its answer. `name` tells texts apart."""
        m, here = mark, f"{self.host}:{self.port}"
        branch = f"z9hG4bK{m}{name}{time.monotonic_ns() if again else ''}"
        lines = [
            f"MESSAGE sip:{number}@{self.proxy[0]}:{self.proxy[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch={branch};v={m}",
            f"Via: SIP/2.0/UDP {m}.example;branch=z9hG4bK{m}below",
            "Max-Forwards: 70",
            f'From: "{m}_name" <sip:{source}@{self.host};u={m}>;tag={m}_tag',
            f"To: <sip:{number}@{self.proxy[0]}>",
            f"Call-ID: {m}_call_{name}@{self.host}",
            "CSeq: 7 MESSAGE",
            *self.marked(mark),
            f"Content-Type: {kind};{m}=1",
            f"Content-Length: {len(text)}",
        ]
        message = "\r\n".join([*lines, "", ""]).encode() + text
        self.socket.sendto(message, self.proxy)
        answer: bytes = until(lambda: self.statuses.get(branch.encode()), 20)
        return int(answer[8:11])


@contextmanager
def sip_peer(host: str, port: int, proxy: tuple[str, int], mark: str = "SECB") -> Iterator[SipPeer]:
    peer = SipPeer(host, port, proxy, mark)
    serving = threading.Thread(target=peer.serve)
    serving.start()
    try:
        yield peer
    finally:
        peer.socket.sendto(b"", (host, port))  # nothing: it ends
        serving.join()
        peer.socket.close()
