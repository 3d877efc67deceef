"""Patience with a carrier that has taken pieces of a text and puts off the rest."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from maskline.sms.port import Outcome, TryLater, Unknown

PATIENCE_SECONDS = 600.0
FIRST_PAUSE = 1.0  # where the carrier says no time; the next ones double
LONGEST_PAUSE = 60.0


async def patiently(
    send: Callable[[], Awaitable[Outcome]], is_wanted: Callable[[], bool]
) -> Outcome:
    """What becomes of a piece that `send` sends while it `is_wanted`. Put off, it waits here: sent
    again as a whole, its text would begin anew. Unknown in the end, since the carrier has a part of
    the text."""
    pause, ends = FIRST_PAUSE, time.monotonic() + PATIENCE_SECONDS
    while is_wanted():
        outcome = await send()
        if not isinstance(outcome, TryLater):
            return outcome
        if time.monotonic() > ends:
            return Unknown(reason=outcome.reason)
        await asyncio.sleep(min(outcome.after or pause, LONGEST_PAUSE))
        pause *= 2
    return Unknown(reason="recalled")
