"""The two doors of Kamailio. Pure: bytes in, bytes out.

The *gate* has the last word over every message that leaves, the *entrance* the first over every
request that comes. The usual message passes both in Kamailio's own language (`kamailio.cfg`),
without Python; what is written here does the same for all others, and is what the tests hold.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Sequence

from . import allowed, sip
from .mask import Refused

PRIVATE = "X-Maskline"
LOCAL, SEALED, NOTHING = "local", "sealed", "nothing"


class Withheld(Refused):
    """As the script wants it."""


class Entrance:
    """Gives each request a Call-ID that nobody can guess: Kamailio hashes it without a key into
    the branch of its own Via, which the other party sees, so guesses at the sender's identifiers
    could be checked against it. The new one stands on top, the sender's goes by another name.
    `salt` is secret."""

    # Nothing that repeats stands beside what may be the same: strangers, too, are read by it.
    _CALL_ID = re.compile(rb"\n(?:Call-ID|i)[ \t]*:([^\r\n]*)(?=\r?\n)", re.IGNORECASE)
    _FOLD = re.compile(rb"\r\n[ \t]+")
    _OWN, _ASIDE = b"\nCall-ID: ", b"\nX-CalId: "

    def __init__(self, salt: str) -> None:
        self._salt = salt.encode()
        self._mark = re.compile(rb"(?<=\nCall-ID: )" + self._salt + rb"[0-9a-fA-F]{64}")
        self._line = re.compile(rb"(?<=\n)Call-ID: " + self._salt + rb"[0-9a-fA-F]{64}[^\r\n]*\r\n")

    def mark(self, raw: bytes) -> bytes:
        """A received request with our own Call-ID below its start line, its headers unfolded."""
        head, end, body = raw.partition(b"\r\n\r\n")
        raw = self._FOLD.sub(b" ", head) + end + body
        found = self._CALL_ID.search(raw)
        if not found:
            raise sip.Malformed("no Call-ID")
        call = found[1].strip()
        if len(call) > sip.LONGEST_CALL_ID:  # which stands twice in what Kamailio has room for
            raise sip.Malformed("Call-ID")
        aside = raw[: found.start()] + self._ASIDE + call + raw[found.end() :]
        start, _, rest = aside.partition(b"\n")
        told = self._salt + hashlib.sha256(self._salt + call).hexdigest().encode()
        return start + self._OWN + told + call + b"\r\n" + rest

    def unmark(self, raw: bytes) -> bytes:
        """The request as it came; `Malformed` when it was not marked."""
        came = self._line.sub(b"", raw, count=1)
        if len(came) == len(raw):
            raise sip.Malformed("not marked")
        if self._ASIDE not in came.partition(b"\r\n\r\n")[0]:
            raise sip.Malformed("a Call-ID of the body's")
        return came.replace(self._ASIDE, self._OWN)

    def answered(self, raw: bytes) -> bytes:
        """Kamailio's own reply to a request, with the Call-ID that its sender knows."""
        return self._mark.sub(b"", raw, count=1)


class Gate:
    """The last thing that every outgoing message of SIP passes. A message leaves only with the
    private header that this start's secret signs, and only what that header holds leaves. What
    Kamailio says by itself bears `local`, which is none: HTTP passes no gate, and tells it."""

    def __init__(
        self, secret: str, local: str, entrance: Entrance, addresses: Sequence[str]
    ) -> None:
        self._entrance = entrance
        self._prefix = f"{PRIVATE}: {secret} {SEALED} "
        self.nothing = f"{PRIVATE}: {secret} {NOTHING}\r\n"
        self._nothing_mark = f"\r\n{self.nothing}".encode()
        self._sealed_mark = f"\r\n{self._prefix}".encode()
        self._local_mark = f"\r\n{PRIVATE}: {local} {LOCAL}\r\n".encode()
        hosts = "|".join(re.escape(host) for host in addresses)
        self._own_via = re.compile(
            # Without the number of the connection that the request came by: it is the other side's.
            rf"\r\n(Via: SIP/2\.0/[A-Z]+ +(?:{hosts});branch=z9hG4bK[0-9A-Za-z.-]+"
            r"(?:;rport)?)(?:;i=[0-9a-f]+)?((?:;alias)?)\r\n".encode()
        )

    def header(self, payload: bytes) -> str:
        """The private header that lets `payload` pass, to be put on Kamailio's message: its
        start line and the rest apart, because our own Via comes between them."""
        start, _, rest = payload.partition(b"\r\n")
        return f"{self._prefix}{_coded(start)} {_coded(rest)} .\r\n"

    def leave(self, raw: bytes) -> bytes:
        """What goes on the wire instead of `raw`; `Refused` when nothing may, `Withheld` where
        `nothing` stands in it."""
        head = raw.partition(b"\r\n\r\n")[0] + b"\r\n"
        if self._nothing_mark in head:
            raise Withheld
        sealed = head.split(self._sealed_mark)[1:]
        if sealed:
            return self._sealed(raw, head, sealed[-1].split(b"\r\n", 1)[0].split(b" "))
        if self._local_mark not in head:
            raise Refused("no private header")
        return _own_message(sip.parse(self._entrance.answered(raw), strict=False))

    def _sealed(self, raw: bytes, head: bytes, mark: list[bytes]) -> bytes:
        start, rest = (binascii.a2b_base64(part) for part in mark[:2])
        if start.startswith(b"SIP/2.0 ") and raw.startswith(b"SIP/2.0 "):
            return start + b"\r\n" + rest
        via = self._own_via.search(head)
        if not via or head.find(b"\r\nVia:") != via.start():
            raise Refused("our own Via is not on top")
        method = raw.split(b" ", 1)[0].decode()
        if not start.startswith(method.encode() + b" "):
            start, rest = _made_from(method, start, rest, raw)
        return start + b"\r\n" + via[1] + via[2] + b"\r\n" + rest


def _coded(part: bytes) -> str:
    return binascii.b2a_base64(part, newline=False).decode()


def _made_from(method: str, start: bytes, rest: bytes, raw: bytes) -> tuple[bytes, bytes]:
    """Kamailio makes CANCEL and the ACK of a failure from an INVITE: so do we."""
    invite = sip.parse(start + b"\r\nVia: x\r\n" + rest, strict=False)
    if method not in ("ACK", "CANCEL") or invite.method != "INVITE":
        raise Refused(f"{method} made from {invite.method}")
    kept = ("max-forwards", "from", "to", "call-id", "route")
    headers = [(allowed.NAMES[name], v) for name, v in invite.headers if name in kept]
    headers.append(("CSeq", f"{invite.cseq[0]} {method}"))
    tag = sip.parse(raw, strict=False).address("to").tag if method == "ACK" else ""
    if tag:
        headers = [_with_tag(header, tag) for header in headers]
    written = sip.write(f"{method} {invite.uri} SIP/2.0", headers)
    line, _, others = written.partition(b"\r\n")
    return line, others


def _with_tag(header: tuple[str, str], tag: str) -> tuple[str, str]:
    name, value = header
    untagged = name == "To" and not sip.address(value).tag
    return (name, f"{value};tag={tag}") if untagged else header


def _own_message(message: sip.Message) -> bytes:
    """A message of Kamailio's own making holds nothing of another leg: a reply is made from
    the very request that it answers. It is still written anew."""
    kept = ("via", "record-route", "from", "to", "call-id", "cseq")
    if not message.is_reply:
        raise Refused("a request of nobody's")
    headers = [(allowed.NAMES[name], value) for name in kept for value in message.all(name)]
    headers += allowed.own_headers(message)
    return sip.write(f"SIP/2.0 {message.status} {allowed.reason(message.status)}", headers)
