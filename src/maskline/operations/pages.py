"""Lists by pages, stable while new entries come.

A next-token says where a page ended, sealed for the list it came from: another list, another
account or another hand's bytes do not open it.
"""

import base64
import binascii
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Self

from maskline.domain.refusals import InvalidNextToken
from maskline.operations.context import Context, Request
from maskline.store import NotSealed, Row
from maskline.store.secrets import Cipher

DEFAULT_LENGTH = 100
MOST_CHARACTERS = 200_000  # of what rows of no certain size hold together
NEWEST = str(2**63 - 1)
# In place of + and /, which URLs change. Nothing begins with a hyphen: to a command line it would
# be an option.
ALPHABET = b"._"


@dataclass(frozen=True)
class Page:
    """At most `length` entries of the list `listing` beyond `position`.

    Most lists are ordered newest first by a sequence number, so `position` is one, as text. Of a
    list that is ordered by several columns it is what stands in each.
    """

    listing: str
    position: str
    length: int
    cipher: Cipher

    @property
    def before(self) -> int:
        return int(self.position)

    @property
    def limit(self) -> int:
        """How many rows to read: one more than shown tells whether there are more."""
        return self.length + 1

    def bounded(self, rows: Sequence[Row], *columns: str) -> Self:
        """The page shortened, to one entry at least, where these columns of its rows hold too
        much."""
        sizes = accumulate(sum(len(row[column]) for column in columns) for row in rows)
        fitting = bisect([*sizes], MOST_CHARACTERS)
        return replace(self, length=max(1, min(self.length, fitting)))

    def answer(
        self, key: str, rows: Sequence[Row], show: Callable[[Row], Any], *order: str
    ) -> dict[str, Any]:
        """The page of rows that are ordered by these columns, or by `sequence`."""
        shown = rows[: self.length]
        answer: dict[str, Any] = {key: [show(row) for row in shown]}
        if len(rows) > len(shown):
            position = " ".join(str(shown[-1][column]) for column in order or ("sequence",))
            sealed = self.cipher.seal(position, self.listing)
            answer["NextToken"] = base64.b64encode(sealed, ALPHABET).decode()
        return answer


def page_of(context: Context, request: Request, *listing: str | None, start: str = NEWEST) -> Page:
    """The page that a request asks for of the list named by `listing` in its account."""
    name = "/".join([context.account_id, *(part or "" for part in listing)])
    token = request.get("NextToken")
    cipher = context.tx.cipher
    position = read_token(cipher, name, token) if token else start
    return Page(name, position, request.get("MaxResults") or DEFAULT_LENGTH, cipher)


def read_token(cipher: Cipher, listing: str, token: str) -> str:
    try:
        sealed = base64.b64decode(token, ALPHABET, validate=True)
        return cipher.unseal(sealed, listing)
    except (binascii.Error, ValueError, NotSealed):
        raise InvalidNextToken("The next token is not one that this list gave out.") from None
