"""Overload control (RFC 6357): of more calls than this machine can carry, some are refused before
they cost much, so that the others and all that are in hand go on.

Without it none is carried well: messages wait in the socket until their senders repeat them, and
what is repeated takes what is left of the processor. So Kamailio is asked over the UDP sockets by
which calls come, and how late it answers rules which share of new calls its script takes: the
controller is that of PIE (RFC 8033 4.2), over the logarithm of the share.
"""

import time
from collections.abc import Awaitable, Callable
from math import exp

import structlog

from maskline.engines.keeper import again

LOOK_SECONDS = 0.2
# How late is late: before the half second after which SIP says everything again (T1, RFC 3261
# 17.1.1.1). Nothing is refused until two looks in a row find it: who paused once catches up.
LATE_SECONDS = 0.4
TARGET_SECONDS = 0.1  # how long messages are to wait while calls are refused
LONGEST_SECONDS = 0.6  # that an answer is waited for
# What a second too late, and a second later than at the last look, change the share by.
BY_LATENESS, BY_CHANGE = 0.6, 1.5
LEAST_SHARE = 0.01
# Calls within a second. Who is late with fewer lacks a processor for other reasons, and would gain
# nothing by refusing them.
MANY_CALLS = 30
CALM_SECONDS = 10.0  # after which the next refusal is told in the log once more

log = structlog.get_logger()


class Controller:
    """The share of new calls to take, by how many seconds messages waited at each look."""

    def __init__(self) -> None:
        self.share = 1.0
        self._before = 0.0

    def see(self, waited: float) -> None:
        before, self._before = self._before, waited
        if self.share == 1.0:
            if min(before, waited) < LATE_SECONDS:
                return
            before = 0.0  # nothing has been done yet about what waits
        change = BY_LATENESS * (waited - TARGET_SECONDS) + BY_CHANGE * (waited - before)
        self.share = min(1.0, max(LEAST_SHARE, self.share * exp(-change)))


class Overload:
    """`asked` counts the calls that were ever asked for; `answers` tells whether Kamailio answers
    within so many seconds; `refuse` has so many of a thousand new calls refused."""

    def __init__(
        self,
        asked: Callable[[], int],
        answers: Callable[[float], Awaitable[bool]],
        refuse: Callable[[int], None],
    ) -> None:
        self._asked, self._answers, self._refuse = asked, answers, refuse
        self._counts = [asked()]
        self._controller = Controller()
        self._calm_since = -CALM_SECONDS

    async def keep(self) -> None:
        """Looks until cancelled."""
        await again(self.look, LOOK_SECONDS)

    def _many(self) -> bool:
        """Whether many calls were asked for in the last second."""
        self._counts = [*self._counts[-round(1 / LOOK_SECONDS) :], self._asked()]
        return self._counts[-1] - self._counts[0] >= MANY_CALLS

    async def look(self) -> None:
        """Has fewer calls taken where they are late, or more again."""
        before = self._controller.share
        if not self._many() and before == 1.0:
            return
        begin = time.monotonic()
        await self._answers(LONGEST_SECONDS)
        now = time.monotonic()
        self._controller.see(now - begin)
        share = self._controller.share
        if share == before:
            return
        if before == 1.0 and now - self._calm_since >= CALM_SECONDS:
            log.warning("overloaded: some new calls are refused", waited=round(now - begin, 1))
        self._calm_since = now
        self._refuse(1000 - round(share * 1000))
