"""Registers with the carriers that want it, renews in time, and takes it back at the end (RFC 3261
10.2).

Nothing of it is kept: after a crash the next registration replaces the one before.
"""

import asyncio
import random  # to part those who ask at once, not to keep secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import structlog

from maskline.domain.trunk import Target
from maskline.engines.control import Reply

RENEW_AT = 0.8  # of the time that a registration holds
# After one failure we wait for at most the first, after each further one for twice as long (RFC
# 5626 4.5), up to the longest: who is away may be back at any time, who refuses us seldom thinks
# better of it. A registrar may want us to wait for longer, but no more than an hour.
FIRST_PAUSE, LONGEST_AWAY, LONGEST_REFUSED = 20.0, 120.0, 1800.0
LONGEST_ASKED = 3600.0
GOODBYE_SECONDS = 2.0
# A registration that is lost sooner comes from a carrier that may close each connection.
STEADY_SECONDS, FIRST_LOSS = 60.0, 1.0

FOR_A_WHILE = (408, 429, 480)  # as all of 5xx are
REGISTERED, NO_ANSWER = "registered", "no answer"
NOT_REACHED, NO_PLACE = "not reached", "no place"

log = structlog.get_logger()

Register = Callable[[str, Target, int], Awaitable[Reply | None]]


@dataclass(frozen=True)
class Outcome:
    """How a registration went: `seconds` are those that it holds, or for which the registrar wants
    to hear nothing; `refused` whether it knows us and does not want us."""

    state: str
    seconds: float = 0.0
    refused: bool = False


async def keep_registered(
    name: str,
    seconds: int,
    places: Callable[[], list[Target]],
    register: Register,
    tell: Callable[[str, str, float], None],
    again: asyncio.Event,
) -> None:
    """Keeps one carrier's registration until cancelled, and ends it then, so that no call is sent
    to who is gone. `places` gives its targets, the best first; `tell` is told how it stands and in
    how many seconds it is asked for next; `again` has it asked for at once, as if for the first
    time, but less and less soon where each is lost."""
    before, failures, losses = "", 0, 0
    try:
        while True:
            again.clear()
            outcome = await attempt(name, seconds, places(), register)
            state = outcome.state
            failures = 0 if state == REGISTERED else failures + 1
            pause = pause_after(outcome, failures)
            tell(name, state, pause)
            if state != before:
                say = log.info if state == REGISTERED else log.warning
                say("registration", carrier=name, state=state)
                before = state
            began = monotonic()
            if not await happens(again, pause):
                continue
            failures, held = 0, monotonic() - began
            losses = losses + 1 if state == REGISTERED and held < STEADY_SECONDS else 0
            if losses:
                await asyncio.sleep(growing(FIRST_LOSS, losses, LONGEST_AWAY))
    finally:
        if before == REGISTERED:
            await end(name, places(), register)


def pause_after(outcome: Outcome, failures: int) -> float:
    """Seconds until the next registration, after so many failures in a row."""
    if not failures:
        return outcome.seconds * RENEW_AT
    longest = LONGEST_REFUSED if outcome.refused else LONGEST_AWAY
    wait = growing(FIRST_PAUSE, failures, longest)
    return max(wait, min(outcome.seconds, LONGEST_ASKED))


def growing(first: float, times: int, longest: float) -> float:
    """A pause of at most `first` seconds the first time, and twice as many each time."""
    return min(longest, first * 2.0 ** min(times - 1, 10)) * random.uniform(0.5, 1.0)


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether it does within so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


async def end(name: str, targets: list[Target], register: Register) -> None:
    state = NO_ANSWER
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_SECONDS):
            state = (await attempt(name, 0, targets, register)).state
    log.info("registration", carrier=name, state="ended" if state == REGISTERED else state)


async def attempt(name: str, seconds: int, targets: list[Target], register: Register) -> Outcome:
    """A registration at the first target that takes it; of none, how it went at the last one."""
    outcome = Outcome(NO_PLACE)
    for target in targets:
        reply = await register(name, target, seconds)
        outcome = outcome_of(reply, seconds)
        if outcome.state == REGISTERED:
            break
    return outcome


def outcome_of(reply: Reply | None, seconds: int) -> Outcome:
    """What a reply makes of a registration for so many seconds."""
    if reply is None:
        return Outcome(NO_ANSWER)
    if reply.status == 200:
        return Outcome(REGISTERED, reply.expires or seconds)
    if reply.told is None:  # by the carrier: Kamailio itself answers where it cannot reach it
        return Outcome(NO_ANSWER if reply.status == 408 else NOT_REACHED)
    away = 500 <= reply.status < 600 or reply.status in FOR_A_WHILE
    return Outcome(reply.told, reply.retry_after or 0.0, refused=not away)
