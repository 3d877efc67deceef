"""Two phones that say much without waiting for answers, and mark every place of what they say."""

import itertools
import os
import socket
import threading
import time
from dataclasses import dataclass, field

from acceptance import leak_scenarios
from acceptance.leak_scenarios import PRIVATE_HEADERS
from acceptance.peers import header

KEY_PRESS = "Signal=5\r\nDuration=160\r\n"
QUIET_SECONDS, LONGEST_SECONDS = 0.1, 3.0


@dataclass
class MarkedPhone:
    """Answers what it is asked; `finals` are the answers to INVITEs that make a call, by turns
    (0: it rings on). One that `hangs_up` does so as soon as a call of its own is answered. `heard`
    is all that it received."""

    mark: str
    number: str
    host: str
    server: tuple[str, int]
    port: int = 0
    finals: tuple[int, ...] = (200,)
    hangs_up: bool = False
    heard: list[bytes] = field(default_factory=list)
    sent: int = 0

    def __post_init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.host, self.port))
        self.port = self.socket.getsockname()[1]
        self.turns = itertools.cycle(self.finals)
        self.at = time.monotonic()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def close(self) -> None:
        self.socket.sendto(b"", (self.host, self.port))
        self._thread.join()
        self.socket.close()

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"

    def tell(self, text: str) -> None:
        """Sends; counts the marked places."""
        self.sent += text.count(self.mark) + text.count(self.number) + text.count(self.host)
        self.socket.sendto(text.encode(), self.server)

    def request(
        self, method: str, uri: str, peer: str, call: str, number: int, *, branch: str = "",
        body: str = "", compact: bool = False,
    ) -> str:  # fmt: skip
        m = self.mark
        name = "i" if compact else "Call-ID"
        return "\r\n".join(
            [
                f"{method} {uri} SIP/2.0",
                f"Via: SIP/2.0/UDP {self.where};branch={branch or new_branch()};v={m}",
                f'From: "{m}_name" <sip:{self.number}@{self.host};u={m}>;tag={m}_TAG;f={m}',
                f"To: {peer}",
                f"{name}: {call}",
                f"CSeq: {number} {method}",
                "Max-Forwards: 70",
                *self._marked(body, request=True),
            ]
        )

    def reply(self, request: str, status: int, body: str = "") -> str:
        kept = [
            line
            for line in request.split("\r\n\r\n")[0].split("\r\n")
            if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")
        ]
        to = header(request, "To")
        to += "" if ";tag=" in to else f";tag={self.mark}_TAG"
        start = [f"SIP/2.0 {status} {self.mark}_reason", *kept, f"To: {to}"]
        return "\r\n".join([*start, *self._marked(body)])

    def _marked(self, body: str, request: bool = False) -> list[str]:
        m = self.mark
        lines = [f"{name}: {m}_{name} {self.number} {self.host}" for name in PRIVATE_HEADERS]
        contact = f'"{m}_contact" <sip:{m}_user{self.number}@{self.where};x={m}>;y={m}'
        kind = "application/dtmf-relay" if body == KEY_PRESS else "application/sdp"
        lines += [f'P-Asserted-Identity: "{m}" <sip:{self.number}@{self.host}>'] * request
        lines += [f"Contact: {contact}", f'WWW-Authenticate: Digest realm="{m}", nonce="{m}"']
        lines += [f"Content-Type: {kind};{m}=1"] * bool(body)
        return [*lines, f"Content-Length: {len(body)}", "", body]

    @property
    def description(self) -> str:
        text = leak_scenarios.SDP.format(m=self.mark, number=self.number, mode="sendrecv")
        text = text.replace("[local_ip]", self.host).replace("[media_ip]", self.host)
        return text.replace("[media_port]", "17000").replace("\n", "\r\n")

    def _listen(self) -> None:
        while data := self.socket.recv(65_535):
            self.at = time.monotonic()
            self.heard.append(data)
            text = data.decode("latin-1")
            if self.hangs_up and is_answer(text):
                self._hang_up(text)
            if text.strip() and not text.startswith(("SIP/2.0", "ACK ")):
                for answer in self._answers(text):
                    self.tell(answer)

    def _hang_up(self, answer: str) -> None:
        target, peer = header(answer, "Contact").strip("<>"), header(answer, "To")
        for number, method in ((1, "ACK"), (2, "BYE")):
            self.tell(self.request(method, target, peer, header(answer, "Call-ID"), number))

    def _answers(self, request: str) -> list[str]:
        if not request.startswith(("INVITE ", "UPDATE ")):
            return [self.reply(request, 200)]
        if ";tag=" in header(request, "To"):
            return [self.reply(request, 200, self.description)]
        final = next(self.turns)
        ringing = [self.reply(request, 180), self.reply(request, 183, self.description)]
        body = self.description if final == 200 else ""
        return [*ringing, *([self.reply(request, final, body)] if final else [])]


def is_answer(text: str) -> bool:
    """Whether a message says that a call was answered which its receiver made."""
    return text.startswith("SIP/2.0 200 ") and "\r\nCSeq: 1 INVITE\r\n" in text


def new_branch() -> str:
    return "z9hG4bK" + os.urandom(8).hex()


def until_quiet(*phones: MarkedPhone) -> None:
    """Until none of them has heard anything for a moment."""
    end = time.monotonic() + LONGEST_SECONDS
    time.sleep(QUIET_SECONDS)
    while time.monotonic() < end and any(
        time.monotonic() - one.at < QUIET_SECONDS for one in phones
    ):
        time.sleep(QUIET_SECONDS / 4)
