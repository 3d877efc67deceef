"""Calls as a hostile grammar would write them: every spelling that SIP allows, and marks of its
sender in every place. Fast, and the same for the same seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

PRIVATE = (
    "User-Agent", "Server", "Subject", "Organization", "P-Asserted-Identity", "Remote-Party-ID",
    "Diversion", "History-Info", "Reason", "Warning", "Call-Info", "Alert-Info", "Date", "X-Any",
    "X-Maskline", "Geolocation", "Identity", "Referred-By", "Reply-To", "Session-ID", "Path",
    "Error-Info", "User-to-User", "Allow-Events", "Accept-Contact", "Privacy", "Authorization",
    "Supported", "Require", "Session-Expires", "Min-SE", "RSeq", "RAck", "Retry-After", "Route",
    "Content-Disposition", "Content-Language", "In-Reply-To", "Priority", "Timestamp", "Allow",
)  # fmt: skip
COMPACT = {
    "Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Type": "c",
    "Content-Length": "l", "Subject": "s", "Supported": "k", "Session-Expires": "x",
    "Referred-By": "b", "Allow-Events": "u",
}  # fmt: skip
HONEST = {
    "Supported": ("timer", "100rel", "timer, 100rel", "replaces,timer"),
    "Require": ("100rel", "timer"),
    "Session-Expires": ("1800", "90;refresher=uac", "3600 ; refresher=uas"),
    "Min-SE": ("90", "120"),
    "RSeq": ("1", "4711"),
    "RAck": ("1 1 INVITE", "4711 2 INVITE"),
    "Retry-After": ("5", "120"),
}


@dataclass
class Party:
    """One side: its mark stands in all that it says."""

    mark: str
    number: str
    host: str
    chance: random.Random
    own: list[str] = field(default_factory=list)

    def word(self, length: int = 8) -> str:
        return f"{self.mark}{self.chance.getrandbits(4 * length):x}"

    def identifier(self) -> str:
        """A word that could be recognised by its hash."""
        word = self.word(12)
        self.own.append(word)
        return word

    def value(self, name: str) -> str:
        honest = HONEST.get(name)
        if honest and self.chance.random() < 0.6:
            return self.chance.choice(honest)
        word = self.word()
        return self.chance.choice(
            [
                word, f"{self.number} {word}", f'"{word}" <sip:{self.number}@{self.host}>;x={word}',
                f"<http://{self.host}/{word}>", f"{word};a={word}, {word}", f"1;{word}", "", "\xe9",
            ]
        )  # fmt: skip

    def route(self) -> str:
        return f"<sip:{self.word()}@{self.host};lr;{self.mark}={self.number}>"

    def contact(self) -> str:
        uri = f"sip:{self.identifier()}@{self.host}:5062;ob={self.mark}"
        return self.chance.choice([f"<{uri}>", f'"{self.word()}" <{uri}>;+g.{self.mark}="x"'])

    def address(self) -> str:
        uri = f"<sip:{self.number}@{self.host};u={self.mark}>"
        return self.chance.choice(["", f'"{self.word()}, \\"x" ', f"{self.word()} "]) + uri

    def vias(self) -> list[str]:
        return [
            f"SIP/2.0/{self.chance.choice(['UDP', 'TCP', 'TLS', 'WSS'])} {self.host}:5062"
            f";branch=z9hG4bK{self.identifier()};i={self.mark}"
            for _ in range(self.chance.randint(1, 3))
        ]

    def extras(self) -> list[tuple[str, str]]:
        names = self.chance.sample(PRIVATE, self.chance.randint(0, 10))
        return [(name, self.value(name)) for name in names]

    def description(self) -> str:
        print256 = ":".join(f"{self.chance.randrange(256):02X}" for _ in range(32))
        browsers = [
            f"a=group:BUNDLE {self.mark}", "m=audio 17002 UDP/TLS/RTP/SAVPF 8 97",
            f"a=mid:{self.mark}", f"a=ice-ufrag:{self.mark}", f"a=ice-pwd:{self.mark * 5}",
            f"a=fingerprint:sha-256 {print256}", "a=setup:actpass", "a=rtcp-mux",
            f"a=candidate:{self.mark} 1 UDP 1 {self.host} 9 typ host",
            f"a=candidate:1 1 udp 1 {self.mark}.local 9 typ host", f"a=msid:{self.mark} x",
        ]  # fmt: skip
        lines = [
            "v=0", f"o={self.word()} 1 2 IN IP4 {self.host}", f"s={self.word()}",
            f"i={self.word()}", f"c=IN IP4 {self.host}", f"b=X-{self.mark}:1", "t=0 0",
            f"a={self.word()}", "m=audio 17000 RTP/AVP 8 97 101", f"c=IN IP4 {self.host}",
            "a=rtpmap:8 PCMA/8000", f"a=rtpmap:97 {self.mark}/8000", f"a=fmtp:97 {self.mark}=1",
            "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", f"a=mid:{self.word()}",
            f"a=extmap:1 urn:{self.word()}", f"a=ssrc:1 cname:{self.word()}@{self.host}",
            f"a=candidate:1 1 UDP 1 {self.host} 9 typ host", "a=ptime:20", "a=sendrecv",
            f"m=video 9 RTP/AVP 99 {self.mark}", f"a=rtpmap:99 {self.mark}/90000",
        ]  # fmt: skip
        if self.chance.random() < 0.3:  # one that calls from a browser
            lines[8:8] = browsers
        return "\r\n".join(lines) + "\r\n"

    def written(self, start: str, headers: list[tuple[str, str]], body: str = "") -> bytes:
        """The message, each header in a spelling of its own."""
        lines = [start, *(self._line(name, value) for name, value in headers)]
        kind = [self._line("Content-Type", "application/sdp")] if body else []
        length = (
            [self._line("Content-Length", str(len(body)))] if self.chance.random() < 0.9 else []
        )
        return "\r\n".join([*lines, *kind, *length, "", body]).encode("latin-1")

    def _line(self, name: str, value: str) -> str:
        if name in COMPACT and self.chance.random() < 0.3:
            name = COMPACT[name]
        spelling: Callable[[str], str] = self.chance.choice([str, str, str.lower, str.upper])
        colon = self.chance.choice([": ", ":", " : ", ":\r\n ", ":\t"])
        if " " in value and self.chance.random() < 0.1:
            value = value.replace(" ", "\r\n\t", 1)
        return spelling(name) + colon + value
