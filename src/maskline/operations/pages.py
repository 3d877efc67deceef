"""Lists by pages: newest first, and stable while new entries come.

A next-token says where a page ended and in which list. It is checked, not secret: all it could
be bent to is another place in a list that its owner may read anyway.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from maskline.domain.refusals import InvalidNextToken
from maskline.operations.context import Context, Request
from maskline.store import Row

DEFAULT_LENGTH = 100
NEWEST = 2**63 - 1
CHECK_BYTES = 8


@dataclass(frozen=True)
class Page:
    """The entries of the list `listing` before the position `before`, at most `length`."""

    listing: str
    before: int
    length: int

    @property
    def limit(self) -> int:
        """How many rows to read: one more than shown tells whether there are more."""
        return self.length + 1

    def answer(self, key: str, rows: Sequence[Row], show: Callable[[Row], Any]) -> dict[str, Any]:
        shown = rows[: self.length]
        answer: dict[str, Any] = {key: [show(row) for row in shown]}
        if len(rows) > len(shown):
            answer["NextToken"] = write_token(self.listing, shown[-1]["sequence"])
        return answer


def page_of(context: Context, request: Request, *listing: str | None) -> Page:
    """The page that a request asks for of the list named by `listing` in its account."""
    name = "/".join([context.account_id, *(part or "" for part in listing)])
    token = request.get("NextToken")
    before = read_token(name, token) if token else NEWEST
    return Page(name, before, request.get("MaxResults") or DEFAULT_LENGTH)


def write_token(listing: str, position: int) -> str:
    body = position.to_bytes(8)
    return base64.urlsafe_b64encode(body + check(listing, body)).decode()


def read_token(listing: str, token: str) -> int:
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    body, given = raw[:8], raw[8:]
    if len(body) != 8 or given != check(listing, body):
        raise InvalidNextToken("The next token is not one that this list gave out.")
    return int.from_bytes(body)


def check(listing: str, body: bytes) -> bytes:
    return hashlib.blake2b(listing.encode() + b"\0" + body, digest_size=CHECK_BYTES).digest()
