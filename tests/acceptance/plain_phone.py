"""A telephone without a stack: it says just what a test tells it to, byte for byte."""

import os
import socket

from acceptance.lines import Stream
from acceptance.peers import header
from acceptance.service import PATIENCE, Service, until
from acceptance.test_leak import PROXY_NUMBER

ALICE, BOB = "+12065550100", "+14015550101"
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 17000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)


class Phone:
    """A SIP phone that says just what a test tells it to."""

    def __init__(self, service: Service, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.where = f"127.0.0.1:{self.socket.getsockname()[1]}"
        host, port_text = service.sip.split(":")
        self.server = (host, int(port_text))
        self.received: list[str] = []

    def send(self, raw: str | bytes) -> None:
        self.socket.sendto(raw.encode() if isinstance(raw, str) else raw, self.server)

    def receive(self, seconds: float = PATIENCE) -> str:
        self.socket.settimeout(seconds)
        self.received.append(self.socket.recv(65536).decode("latin-1"))
        return self.received[-1]

    def expect(self, start: str | tuple[str, ...]) -> str:
        """The next message that begins like this; repeats and provisional answers are passed by."""
        while not (text := self.receive()).startswith(start):
            pass
        return text

    def taken(self) -> str:
        """The 200 to an INVITE; nothing but provisional answers comes before it."""
        while not (text := self.receive()).startswith("SIP/2.0 200"):
            assert text.startswith("SIP/2.0 1"), text
        return text

    def final(self) -> int:
        """The next final status; what comes again, for want of an ACK, is passed by."""
        while True:
            text = self.receive()
            final = text.startswith("SIP/2.0 ") and int(text[8:11]) >= 200
            if final and text not in self.received[:-1]:
                return int(text[8:11])

    def silent(self, seconds: float = 0.7) -> bool:
        try:
            return not self.receive(seconds)
        except TimeoutError:
            return True

    def invite(
        self, number: str = PROXY_NUMBER, more: str = "", body: str = SDP, **ids: str
    ) -> str:
        call_id = ids.get("call_id", os.urandom(6).hex())
        host = f"{self.server[0]}:{self.server[1]}"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"INVITE sip:{number}@{host} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.where};branch=z9hG4bK{os.urandom(6).hex()}\r\n"
            f"From: <sip:{ids.get('caller', ALICE)}@{self.where}>;tag=secrettag\r\n"
            f"To: <sip:{number}@{host}>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:{ALICE}@{self.where}>\r\nMax-Forwards: {ids.get('hops', '70')}\r\n"
            f"{more}{kind}Content-Length: {len(body.encode('latin-1'))}\r\n\r\n{body}"
        )

    def reply(self, request: str, status: int, body: str = "", more: str = "") -> None:
        self.send(self.reply_text(request, status, body, more))

    def reply_text(self, request: str, status: int, body: str = "", more: str = "") -> str:
        kept = [
            line
            for line in request.split("\r\n\r\n")[0].split("\r\n")
            if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")
        ]
        to = header(request, "To") + ("" if ";tag=" in header(request, "To") else ";tag=bobs")
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"SIP/2.0 {status} Whatever\r\n" + "\r\n".join(kept) + f"\r\nTo: {to}\r\n"
            f"Contact: <sip:{BOB}@{self.where}>\r\n{more}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )


class Connected(Phone):
    """A phone that speaks over a connection, which Via names as that `transport`."""

    transport: str

    def __init__(self, service: Service, stream: Stream) -> None:
        super().__init__(service)
        self.stream = stream
        self.held: list[bytes] = []

    def send(self, raw: str | bytes) -> None:
        text = raw if isinstance(raw, str) else raw.decode()
        self.stream.send(text.replace("SIP/2.0/UDP", f"SIP/2.0/{self.transport}").encode())

    def receive(self, seconds: float = PATIENCE) -> str:
        until(self._has_some, seconds)
        return self.held.pop(0).decode("latin-1")

    def _has_some(self) -> bool:
        if not self.held:
            self.held += self.stream.received()
        return bool(self.held)

    def close(self) -> None:
        self.stream.socket.close()
        self.socket.close()


def connect(caller: Phone, called: Phone) -> tuple[str, str, str]:
    """A call up to its ACK: the INVITE as sent, as received, and the answer."""
    sent = caller.invite()
    caller.send(sent)
    received = called.expect("INVITE ")
    called.reply(received, 200, SDP)
    answer = caller.taken()
    caller.send(within("ACK", sent, answer, caller))
    called.expect("ACK ")  # the INVITE may have come again meanwhile
    return sent, received, answer


def within(method: str, sent: str, answer: str, phone: Phone, cseq: int = 1) -> str:
    target = header(answer, "Contact").strip("<>")
    return (
        f"{method} {target} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {phone.where};branch=z9hG4bK{os.urandom(6).hex()}\r\n"
        f"From: {header(sent, 'From')}\r\nTo: {header(answer, 'To')}\r\n"
        f"Call-ID: {header(sent, 'Call-ID')}\r\nCSeq: {cseq} {method}\r\n"
        "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )


def forked(received: str, tag: str) -> str:
    """An INVITE as if its receiver had this tag."""
    to = header(received, "To")
    return received.replace(to, f"{to};tag={tag}")


def from_called(method: str, received: str, called: Phone, cseq: int) -> str:
    """A request of who was called, who has a tag in the INVITE that they received (`forked`)."""
    request = within(method, received, received, called, cseq)
    sender, receiver = header(received, "From"), header(received, "To")
    for name, value in (("From", receiver), ("To", sender)):
        request = request.replace(f"{name}: {header(request, name)}", f"{name}: {value}")
    return request
