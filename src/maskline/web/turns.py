"""Whose turn it is: requests that may take long are carried out one at a time of each account.

A rate alone does not keep an account from standing in everybody's way: hundreds of its requests may
come in one second, and each may take as long as hundreds of others.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from maskline.domain.refusals import Throttled, Unavailable

MOST_AT_ONCE = 32  # of an account: the one whose turn it is, and those that wait
LONGEST_WAIT = 30.0  # seconds: for a database that does not answer, say


class Line:
    """The requests of one account that are in line."""

    def __init__(self) -> None:
        self.length = 0
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable("Others of the account took too long", retry_after=1) from None
        try:
            yield
        finally:
            self._turn.release()


class Turns:
    """The lines of the accounts that have any such request at the moment."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}

    @asynccontextmanager
    async def of(self, account_id: str) -> AsyncIterator[None]:
        """The turn of a request of an account; raises Throttled where too many are in line, and
        Unavailable where it does not come."""
        line = self._lines.setdefault(account_id, Line())
        if line.length >= MOST_AT_ONCE:
            raise Throttled(
                f"More than {MOST_AT_ONCE} of the account's requests that may take long came at"
                " once",
                retry_after=1,
            )
        line.length += 1
        try:
            async with line.turn():
                yield
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[account_id]
