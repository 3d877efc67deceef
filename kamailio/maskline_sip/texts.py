"""Texts as SIP carries them: the body of a MESSAGE (RFC 3428), and nothing else of it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from . import allowed, sip

LONGEST = 20_000  # bytes
TYPE = "text/plain;charset=UTF-8"
CHARSETS = ("utf-8", "us-ascii")

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([A-Za-z0-9._-]+)"?', re.IGNORECASE)


class NoText(Exception):
    """A MESSAGE that is answered with this status, because its body is no plain text."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def read(request: sip.Message) -> str:
    """The text of a MESSAGE. Wrapped ones (multipart, CPIM) may name their sender inside, so they
    are refused as all other types are; raises NoText."""
    given = request.first("content-type")
    kind = given.partition(";")[0].strip().lower() or "text/plain"
    charset = _CHARSET.search(given)
    encoded = request.first("content-encoding").strip().lower() not in ("", "identity")
    if kind != "text/plain" or encoded or (charset and charset[1].lower() not in CHARSETS):
        raise NoText(415)
    if len(request.body) > LONGEST:
        raise NoText(413)
    try:
        text = request.body.decode("utf-8")
    except UnicodeDecodeError:
        raise NoText(400) from None
    announced = request.first("content-length")
    if not text or "\0" in text or (announced.isdecimal() and int(announced) > len(request.body)):
        raise NoText(400)
    return text


def sent_at(request: sip.Message) -> int | None:
    """When a MESSAGE was sent first (RFC 3261 20.17), in milliseconds since the epoch; None where
    it does not tell. Who keeps texts may bring one hours later."""
    try:
        told = datetime.strptime(request.first("date"), "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return None
    seconds = int(told.replace(tzinfo=UTC).timestamp())
    return seconds * 1000 if seconds >= 0 else None


def body(content: bytes) -> allowed.Body:
    """The body of a MESSAGE that we send."""
    return allowed.Body(TYPE, content)
