"""Registers with the carriers that want it, renews in time, and takes it back at the end (RFC 3261
10.2).

Nothing of it is kept: after a crash the next registration replaces the one before.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from maskline.domain.trunk import Target
from maskline.engines.control import Reply

RENEW_AT = 0.8  # of the time that a registration holds
RETRY_SECONDS, LONGEST_RETRY = 20.0, 3600.0
GOODBYE_SECONDS = 2.0

REGISTERED = "registered"

log = structlog.get_logger()

Register = Callable[[str, Target, int], Awaitable[Reply | None]]


async def keep_registered(
    name: str,
    seconds: int,
    places: Callable[[], list[Target]],
    register: Register,
    tell: Callable[[str, str], None],
) -> None:
    """Keeps one carrier's registration until cancelled, and ends it then, so that no call is sent
    to who is gone. `places` gives its targets, the best first; `tell` is told how it stands:
    `registered` or `refused 403` or `no answer`."""
    before = ""
    try:
        while True:
            state, pause = await attempt(name, seconds, places(), register)
            tell(name, state)
            if state != before:
                log.info("registration", carrier=name, state=state)
                before = state
            await asyncio.sleep(pause)
    finally:
        if before == REGISTERED:
            await end(name, places(), register)


async def end(name: str, targets: list[Target], register: Register) -> None:
    state = "no answer"
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_SECONDS):
            state, _ = await attempt(name, 0, targets, register)
    log.info("registration", carrier=name, state="ended" if state == REGISTERED else state)


async def attempt(
    name: str, seconds: int, targets: list[Target], register: Register
) -> tuple[str, float]:
    """How a registration went, and when to send the next one: not before the last registrar wants
    it (RFC 3261 20.33), but within an hour."""
    state, pause = "no place", RETRY_SECONDS
    for target in targets:
        reply = await register(name, target, seconds)
        if reply is not None and reply.status == 200:
            granted = reply.expires if reply.expires else seconds
            return REGISTERED, granted * RENEW_AT
        state = "no answer" if reply is None else f"refused {reply.status}"
        asked = reply.retry_after if reply else None
        pause = min(max(RETRY_SECONDS, asked or 0.0), LONGEST_RETRY)
    return state, pause
