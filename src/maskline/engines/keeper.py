"""Keeps call records and calls in step: hangs up the calls whose time is over, ends the records
of calls that are gone.

A call that was put through is live until somebody reports its end. Who should have reported it may
have died, so the keeper also asks rtpengine, which holds a session for every call it relays.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

import structlog

from maskline.domain.call import LOST_STATUS, Call
from maskline.domain.causes import FAILURE, NORMAL
from maskline.engines.ng import NgSilence
from maskline.operations import (
    Context,
    LegLeft,
    complete_call,
    dismiss_leg,
    live_calls,
    take_calls_to_hang_up,
    take_legs,
)
from maskline.operations.legs_left import SILENT, UNREACHED
from maskline.store import Store, StoreFailed, Transaction

HANG_UP_SECONDS = 0.5  # how often calls are looked for whose time is over
RECONCILE_SECONDS = 2.0
# After the end of a call, in which an answer of it may come again (RFC 3261 13.3.1.4).
LATE_MILLISECONDS = 40_000
SILENCE_MILLISECONDS = 60_000  # after which an answered call is dead of which nobody sends sound
SETTLE_MILLISECONDS = 3000  # after which rtpengine must know a call that was put through
HANG_UPS_AT_ONCE = 50
PLACE_SECONDS = 0.5  # after which who has not answered keeps nobody else from being hung up
FAREWELL_SECONDS = 3.0
STORE_SECONDS = 1.0  # of these, for the store to tell which calls there are
FAREWELL_PAUSE = 0.1  # in which the end of a call that rang is reported

OK = 200
# What says of a BYE that it is to be sent again, and for how long: there is no way to that party
# now, Kamailio is away, or nobody answered it.
AGAIN = {503: UNREACHED, None: UNREACHED, 408: SILENT}

Work = Callable[[Call], Awaitable[None]]

log = structlog.get_logger()


class Line(Protocol):
    """The way to this node's Kamailio, for requests that end calls."""

    async def hang_up(self, leg: Mapping[str, str], cause: int | None = NORMAL) -> int | None:
        """Ends one leg of a call for this cause (Q.850), None where the call has ended before: its
        final SIP status, None when there was no answer."""

    async def cancel(self, call_id: str) -> int | None:
        """Gives up a call that rings: the SIP status, None when there was no answer."""

    async def rings(self, call_id: str) -> bool | None:
        """Whether a call waits to be answered, None when that cannot be known."""


class Relay(Protocol):
    """This node's rtpengine."""

    async def holds(self, call_id: str, heard_since: int = 0) -> bool:
        """Whether the call's sound is relayed, and was heard since then (in seconds since the
        epoch); raises NgSilence when that cannot be known."""

    async def release(self, call_id: str) -> None:
        """Ends the call's sound, if it is relayed still."""


class Others(Protocol):
    """The rtpengines of all other nodes."""

    @property
    def alone(self) -> bool:
        """Whether there is no other node."""

    async def holds(self, call_id: str) -> bool:
        """Whether the call's sound is relayed, as far as is known."""

    async def release(self, call_id: str) -> None:
        """Ends the call's sound, if it is relayed still."""


class Nowhere:
    """Where there never is another node."""

    alone = True

    async def holds(self, _call_id: str) -> bool:
        return False

    async def release(self, _call_id: str) -> None:
        pass


def as_recorded(calls: Sequence[Call]) -> Sequence[Call]:
    """Where nothing is told of calls but what is recorded."""
    return calls


class Keeper:
    """`context` gives the context for work that nobody's request asks for.

    The ids of the calls that this node carries begin with `node`. Whether a call is still there its
    own rtpengine knows, or, for a call that found this one down, that of another node (`elsewhere`
    stands for all of these). Any node can hang up any call, but does so only where the one
    that carries it seems dead: the others reach the parties from an address they do not know.
    `live` adds what is told of calls and not recorded yet, and leaves those that are over.
    """

    def __init__(
        self,
        store: Store,
        line: Line,
        relay: Relay,
        context: Callable[[Transaction], Context],
        node: str,
        elsewhere: Others | None = None,
        live: Callable[[Sequence[Call]], Sequence[Call]] = as_recorded,
    ) -> None:
        self._store = store
        self._elsewhere: Others = elsewhere or Nowhere()
        self._line = line
        self._relay = relay
        self._context = context
        self._node = node
        self._live = live
        self._lately: Sequence[Call] = ()  # our calls, when the store told them last
        self._over: deque[tuple[int, str]] = deque()  # those that ended, and when to look again
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(HANG_UPS_AT_ONCE)
        self._carried_since = 0

    async def keep(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(again(self.hang_up_due, HANG_UP_SECONDS))
            group.create_task(again(self.reconcile, RECONCILE_SECONDS))

    def carry(self, since: int) -> None:
        """Kamailio was started at this moment, in milliseconds since the epoch: it knows nothing of
        the calls that rang before."""
        self._carried_since = since

    async def hang_up_due(self) -> None:
        """Starts to hang up the calls whose time is over, and who could not be told that it is."""
        calls, legs = await self._store.write(self._due, beside=True)
        self._start(calls)
        for left in legs:
            self._begin(f"{left.call_id} {left.leg['CallId']}", partial(self._insist, left))

    def _due(self, tx: Transaction) -> tuple[list[Call], list[LegLeft]]:
        context = self._context(tx)
        return take_calls_to_hang_up(context, self._node), take_legs(context, self._node)

    async def reconcile(self) -> None:
        """Starts to end the calls that were put through and that rtpengine does not hold."""
        since = self._carried_since  # first: what was answered until then is known now
        before = self._lately
        now, self._lately = await self._store.read(self._own_calls)
        if not self._elsewhere.alone:
            over = {one.call_id for one in before}.difference(one.call_id for one in self._lately)
            self._over.extend((now + LATE_MILLISECONDS, call_id) for call_id in over)
        settled = [call for call in self._lately if is_settled(call, now)]
        try:
            await self._clear_up(now)
            gone = [call for call in settled if not await self._lives(call, since, now)]
        except NgSilence:  # it is being started again; the next round will know
            return
        self._start(gone, self._lose)

    async def _clear_up(self, now: int) -> None:
        """Ends what rtpengine has of calls that ended a while ago. It may have heard of one later:
        an answer that came again to this node, when another one had seen the end."""
        while self._over and self._over[0][0] <= now:
            call_id = self._over[0][1]
            if await self._relay.holds(call_id):
                await self._relay.release(call_id)
                log.info("sound ended late", call_id=call_id)
            self._over.popleft()

    async def _lives(self, call: Call, since: int, now: int) -> bool:
        """Whether anybody knows of the call. A call without an offer has no sound until it is
        answered; it may be just then, so rtpengine is asked again. What rang before Kamailio was
        started is lost, though rtpengine holds it still."""
        if call.answered_at is None and (call.forwarded_at or 0) < since:
            return await self._line.rings(call.call_id) is not False
        heard_since = to_be_heard_since(call, now)
        if await self._relay.holds(call.call_id, heard_since):
            return True
        if call.answered_at is None and await self._line.rings(call.call_id) is not False:
            return True
        held = await self._relay.holds(call.call_id, heard_since)
        return held or await self._elsewhere.holds(call.call_id)

    async def carries(self) -> bool:
        """Whether this node has a call that was put through and has not ended."""
        _, calls = await self._store.read(self._own_calls)
        return bool(calls)

    async def farewell(self) -> None:
        """Hangs up every call of ours, as far as that is possible in a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                while calls := await self._left():
                    self._start(calls)
                    await asyncio.wait(self._ending.values())
                    await asyncio.sleep(FAREWELL_PAUSE)

    async def _left(self) -> Sequence[Call]:
        """Our live calls; where the store is away, those of its latest word. Who is on the line is
        told that it is over all the same."""
        try:
            async with asyncio.timeout(STORE_SECONDS):
                _, self._lately = await self._store.read(self._own_calls)
        except (TimeoutError, StoreFailed):
            log.warning("calls are hung up as they were known last")
        return self._live(self._lately)

    def _own_calls(self, tx: Transaction) -> tuple[int, list[Call]]:
        """The time, and our calls that were put through and have not ended."""
        context = self._context(tx)
        return context.now, live_calls(context, self._node)

    def _start(self, calls: Iterable[Call], work: Work | None = None) -> None:
        """Starts to end calls: by `work`, or as it is done with answered and with ringing ones."""
        for call in calls:
            self._begin(call.call_id, partial(work or self._work_for(call), call))

    def _work_for(self, call: Call) -> Work:
        if call.answered_at is None:
            return self._give_up
        return self._end if call.call_id.startswith(self._node) else self._lose

    def _begin(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Begins what goes by this name, unless it was begun and is not done yet."""
        if name not in self._ending:
            self._ending[name] = asyncio.create_task(self._ended(name, work))

    async def _ended(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:  # it stays due, so it is tried again
            log.exception("hanging up failed", call_id=name.partition(" ")[0])
        finally:
            del self._ending[name]

    async def _lose(self, call: Call) -> None:
        """Ends a call whose sound, or whose node, is gone."""
        await self._end(call, FAILURE)

    async def _end(self, call: Call, cause: int = NORMAL) -> None:
        """Hangs up both legs, then ends the record if nobody else did: what Kamailio reports of our
        BYE may come later than its answer; and the sound, if no BYE did."""
        statuses = await self._in_turn(*(self._line.hang_up(leg, cause) for leg in call.legs))
        log.info("call hung up", call_id=call.call_id, statuses=statuses)
        asked = zip(call.legs, statuses, strict=True)
        left = [(leg, AGAIN[status]) for leg, status in asked if status in AGAIN]
        told = (OK, cause) if OK in statuses else (LOST_STATUS, FAILURE)
        await self._store.write(
            lambda tx: complete_call(self._context(tx), call.call_id, *told, left), beside=True
        )
        await self._release(call.call_id)

    async def _release(self, call_id: str) -> None:
        """Ends the call's sound, whosever rtpengine has it."""
        await asyncio.gather(self._relay.release(call_id), self._elsewhere.release(call_id))

    async def _in_turn(self, *asked: Awaitable[int | None]) -> list[int | None]:
        """The answers to what is asked of Kamailio, a few calls at once. A place is kept as long
        as it takes whoever is there; neither for the silent, nor while a record is written: the
        store may be away."""
        async with self._places:
            answers = asyncio.create_task(all_of(asked))
            await asyncio.wait({answers}, timeout=PLACE_SECONDS)
        return await answers

    async def _insist(self, left: LegLeft) -> None:
        """Hangs up a leg that could not be reached: its connection may come back."""
        (status,) = await self._in_turn(self._line.hang_up(left.leg, None))
        await self._release(left.call_id)
        if status not in AGAIN:
            await self._store.write(lambda tx: dismiss_leg(self._context(tx), left), beside=True)
            log.info("leg hung up later", call_id=left.call_id, status=status)

    async def _give_up(self, call: Call) -> None:
        """Cancels a call that rings. Its end is reported by whoever sees it, unless it is answered
        at this moment: then it comes again, to be hung up."""
        (status,) = await self._in_turn(self._line.cancel(call.call_id))
        log.info("call given up", call_id=call.call_id, status=status)


def is_settled(call: Call, now: int) -> bool:
    """Whether rtpengine must have heard of a call."""
    return max(call.forwarded_at or 0, call.answered_at or 0) <= now - SETTLE_MILLISECONDS


def to_be_heard_since(call: Call, now: int) -> int:
    """The time, in seconds, since which somebody must have sent sound of a call that lives; while
    it rings, and for a while after its answer, nobody need have."""
    since = now - SILENCE_MILLISECONDS
    return since // 1000 if call.answered_at is not None and call.answered_at <= since else 0


async def again(work: Callable[[], Awaitable[object]], pause: float) -> None:
    """Does the work again and again, however it fares, until cancelled."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("work in the background failed", work=work.__qualname__)
        await asyncio.sleep(pause)


async def all_of(asked: Iterable[Awaitable[int | None]]) -> list[int | None]:
    return await asyncio.gather(*asked)
