"""SIP messages as values: bytes in, bytes out (RFC 3261 section 7 and 25).

Text is decoded as Latin-1, so every byte survives a round trip whatever its
encoding; what may be sent to another party is decided elsewhere (`mask`).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import NamedTuple

COMPACT = {
    "b": "referred-by",
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
}
ONCE = ("call-id", "cseq", "from", "to", "max-forwards", "content-type")
MAX_HEAD = 32_768
MAX_HEADERS = 256
LONGEST_CALL_ID = 256

_TAG = re.compile(r";\s*tag\s*=\s*([^;,\s>]+)", re.IGNORECASE)
_CSEQ = re.compile(r"(\d{1,10})\s+([A-Z]{3,20})")
_CALL_ID = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_CALL_ID}}}")
_LENGTH = re.compile(r"[0-9]{1,9}")
_STATUS = re.compile(r"[1-6]\d\d")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+")
_FOLD = re.compile(r"\r\n[ \t]+")
_HEADER = re.compile(r"\r\n([A-Za-z0-9.!%*_+`'~-]+)[ \t]*:[ \t]*([^\r\n]*)")
_NAMES = {
    "Via": "via", "From": "from", "To": "to", "Call-ID": "call-id", "CSeq": "cseq",
    "Contact": "contact", "Max-Forwards": "max-forwards", "Content-Length": "content-length",
    "Content-Type": "content-type", "User-Agent": "user-agent", "Allow": "allow",
    "Supported": "supported", "Record-Route": "record-route", "Route": "route",
}  # fmt: skip


class Malformed(ValueError):
    """The bytes are no SIP message that we would answer."""


class Address(NamedTuple):
    """What of a name-addr or addr-spec says who is meant: its URI and its tag, not its name."""

    uri: str
    tag: str

    @property
    def text(self) -> str:
        """As it stands in a header, but for the tag."""
        return f"<{self.uri}>"


@dataclass
class Message:
    """One SIP message; header names are lower-case and in full, values unfolded. `firsts` has the
    first value of each header."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    firsts: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.firsts = dict(reversed(self.headers))

    def all(self, name: str) -> list[str]:
        if name not in self.firsts:
            return []
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        """The first value of a header, empty when there is none."""
        return self.firsts.get(name, "")

    @property
    def is_reply(self) -> bool:
        return self.start.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        return int(self.start[8:11])

    @property
    def method(self) -> str:
        """The request's method; of a reply, the method that it answers."""
        return self.cseq[1] if self.is_reply else self.start.split(" ", 1)[0]

    @property
    def uri(self) -> str:
        return self.start.split(" ")[1]

    @functools.cached_property
    def cseq(self) -> tuple[int, str]:
        found = _CSEQ.fullmatch(self.first("cseq"))
        if not found:
            raise Malformed("CSeq")
        return int(found[1]), found[2]

    @property
    def call_id(self) -> str:
        return self.first("call-id")

    def address(self, name: str) -> Address:
        return address(self.first(name))

    def listed(self, name: str) -> list[str]:
        """All values of a header that may be repeated or comma-separated (RFC 3261 7.3.1)."""
        return [part for value in self.all(name) for part in split(value)]


def parse(raw: bytes, strict: bool = True) -> Message:
    """Read one message; `Malformed` when it is not one (wrong start line, a doubled or
    missing single header, more than 32 KiB or 256 lines of head). What is not `strict` looks at
    the form of the lines alone."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator or len(head) > MAX_HEAD:
        raise Malformed("head")
    text = head.decode("latin-1")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.count("\r\n")
    found = _HEADER.findall(text)
    if lines > MAX_HEADERS or "\0" in text or not text.count("\n") == text.count("\r") == lines:
        raise Malformed("head")
    if len(found) != lines:
        raise Malformed("header name")
    headers = tuple([(_NAMES.get(name) or _name(name), value.rstrip()) for name, value in found])
    message = Message(text.partition("\r\n")[0], headers, body)
    if strict:
        _check(message)
    length = message.first("content-length")
    if not _LENGTH.fullmatch(length) or int(length) == len(body):
        return message
    if strict and int(length) > len(body):
        raise Malformed("the body is not all there")
    return Message(message.start, headers, body[: int(length)])


def _name(text: str) -> str:
    """A header's name in full. As phones write it, it is looked up (`_NAMES`)."""
    name = text.lower()
    return COMPACT.get(name, name)


def _check(message: Message) -> None:
    parts = message.start.split(" ")
    if message.is_reply:
        if not _STATUS.fullmatch(parts[1]):
            raise Malformed("status line")
    elif len(parts) != 3 or parts[2] != "SIP/2.0":
        raise Malformed("request line")
    if len(message.firsts) < len(message.headers) and repeats(message):
        raise Malformed("a header that must stand once stands twice")
    if not _CALL_ID.fullmatch(message.call_id) or not message.first("via"):
        raise Malformed("Call-ID or Via")
    number, method = message.cseq
    if number >= 2**32 or (not message.is_reply and method != parts[0]):
        raise Malformed("CSeq")
    if not message.address("from").uri or not message.address("to").uri:
        raise Malformed("From or To")


def repeats(message: Message) -> bool:
    counts = [name for name, _ in message.headers if name in ONCE]
    return len(counts) != len(set(counts))


def split(value: str) -> list[str]:
    """Split a comma-separated header, minding quotes and angle brackets."""
    if "," not in value:
        return [value.strip()] if value.strip() else []
    parts, start, quoted, angle, escaped = [], 0, False, False, False
    for index, character in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            escaped = character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif character in "<>":
            angle = character == "<"
        elif character == "," and not angle:
            parts.append(value[start:index].strip())
            start = index + 1
    parts.append(value[start:].strip())
    return [part for part in parts if part]


# A few of the message at hand: what is kept longer is not in the processor's caches anyway.
@functools.lru_cache(maxsize=32)
def address(value: str) -> Address:
    """Read a From, To, Contact or Route value. A value that cannot be read has no URI."""
    after_name = _after_quoted_name(value)
    opening = value.find("<", after_name)
    if opening < 0:
        uri, _, parameters = value.partition(";")
        found = _TAG.search(";" + parameters)
        return Address(_uri(uri.strip()), found[1] if found else "")
    closing = value.find(">", opening)
    if closing < 0:
        return Address("", "")
    found = _TAG.search(value, closing)
    return Address(_uri(value[opening + 1 : closing]), found[1] if found else "")


def _after_quoted_name(value: str) -> int:
    if not value.startswith('"'):
        return 0
    index = 1
    while index < len(value) and value[index] != '"':
        index += 2 if value[index] == "\\" else 1
    return index + 1


def _uri(text: str) -> str:
    return text if _URI.fullmatch(text) else ""


_USER = re.compile(r"sips?:([^@]+)@", re.IGNORECASE)  # with parameters of a number's (19.1.6)
_TEL = re.compile(r"tel:([^?]+)", re.IGNORECASE)
_HEXED = re.compile(r"%([0-9A-Fa-f]{2})")
_DIALLED, _SEPARATOR = re.compile(r"[+0-9().\s-]+"), re.compile(r"[().\s-]")
_CONTEXT = re.compile(r";phone-context=(\+[0-9().-]+)(?:;|$)", re.IGNORECASE)


def user(uri: str) -> str:
    """The user part of a SIP URI or the number of a tel URI, percent-decoded, without
    parameters and visual separators (RFC 3261 19.1, RFC 3966). A local number stands behind the
    digits that it is valid after, where its context tells such."""
    found = _USER.match(uri) or _TEL.match(uri)
    if not found:
        return ""
    text = found[1]
    if "%" in text:
        text = _HEXED.sub(lambda hexed: chr(int(hexed[1], 16)), text)
    text, parted, parameters = text.split(":", 1)[0].partition(";")
    if not _DIALLED.fullmatch(text):
        return text
    context = None if "+" in text else _CONTEXT.search(parted + parameters)
    return _SEPARATOR.sub("", (context[1] if context else "") + text)


_HOST = re.compile(r"sips?:(?:[^@]*@)?(\[[0-9A-Fa-f:.]+\]|[^:;?@>]+)", re.IGNORECASE)


def host(uri: str) -> str:
    """The host of a SIP URI, an IPv6 address with its brackets; empty when there is none."""
    found = _HOST.match(uri)
    return found[1] if found else ""


def contact(message: Message) -> str:
    """Where the sender of a message is to be reached: the SIP URI in its Contact (RFC 3261
    8.1.1.8), empty where there is none that leads anywhere."""
    contacts = message.listed("contact")
    told = address(contacts[0]).uri if contacts else ""
    return told if host(told) else ""


def is_secure(*uris: str) -> bool:
    """Whether one of these wants to be reached over TLS all the way (RFC 3261 19.1)."""
    return any(uri[:5].lower() == "sips:" for uri in uris)


def at(user: str, place: str) -> str:
    """A URI of ours for a Contact: `place` is our address, with its scheme where that is sips."""
    return f"sips:{user}@{place[5:]}" if is_secure(place) else f"sip:{user}@{place}"


def place_of(uri: str) -> str:
    """Host and port of a URI, as they are written."""
    return uri.partition(":")[2].rpartition("@")[2].partition(";")[0].partition("?")[0].strip("<>")


def parameter_of(transport: str) -> str:
    """How a place is reached, as its URI tells it; of UDP nothing has to be told."""
    return "" if transport == "udp" else f";transport={transport}"


def over_tls(uri: str) -> str:
    """The host and port of a URI, to be reached over TLS."""
    return f"sip:{place_of(uri)};transport=tls"


_RPORT = re.compile(r";\s*rport\s*(?=;|,|$)", re.IGNORECASE)
_SENT_BY = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*\S+\s+(\[[^\]]*\]|[^\s:;,]+)(?:\s*:\s*(\d{1,5}))?", re.IGNORECASE
)


def sent_by_port(via: str) -> int | None:
    """The port where the sender of a request listens, by its Via; None where that tells none."""
    found = _SENT_BY.match(via)
    return int(found[2]) if found and found[2] else None


def received(request: Message, host: str, port: int) -> Message:
    """A request that came from `host` and `port`, whose replies tell its sender so: where that is
    not what its Via says, or where it asks (RFC 3261 18.2.1, RFC 3581 4)."""
    via = request.first("via")
    asks, sent_by = _RPORT.search(via), _SENT_BY.match(via)
    if not asks and (not sent_by or sent_by[1].strip("[]").lower() == host.strip("[]").lower()):
        return request
    told = f";received={host.strip('[]')}" + (f";rport={port}" if asks else "")
    via = _RPORT.sub("", via, count=1)
    first, comma, others = via.partition(",")
    place = next(i for i, (name, _) in enumerate(request.headers) if name == "via")
    headers = [*request.headers]
    headers[place] = ("via", f"{first.rstrip()}{told}{comma}{others}")
    return Message(request.start, tuple(headers), request.body)


def write(start: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
