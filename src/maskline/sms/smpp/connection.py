"""A session on a TCP connection: reads, writes, wakes it; answers after what arrived is kept."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import structlog

from maskline import clock
from maskline.logs import whereabouts
from maskline.sms.port import Accepted, Arrival, InboundText, Refused, TryLater, Verdict
from maskline.sms.smpp import codes
from maskline.sms.smpp.session import (
    Answered,
    Arrived,
    Bound,
    Ended,
    Event,
    Session,
    Unanswered,
)

MOST_AT_ONCE = 500  # arrivals in one commit
MOST_WAITING = 2_000  # arrivals that wait for a commit; beyond, nothing more is read
CLOSING_SECONDS = 3.0  # for what is written to be read, before the connection is cut
MOST_REMEMBERED = 100  # answered batches of which it is not known yet that they were read
LONGEST_SLEEP = 1.0  # of the timer, in seconds

log = structlog.get_logger()


class Owner(Protocol):
    """Who holds the connection, and hears of it."""

    async def keep(self, arrivals: Sequence[Arrival]) -> list[Verdict]: ...

    def arrival(self, event: Arrived, connection: str) -> Arrival: ...

    def late(self, event: Answered) -> Arrival | None: ...

    def told(self, connection: "Connection", answers: Sequence[Answered | Unanswered]) -> None: ...

    def bound(self, connection: "Connection") -> None: ...

    def lost(self, connection: "Connection", tokens: Sequence[Any]) -> None: ...


class Connection(asyncio.Protocol):
    """One bind, from the moment that its connection stands."""

    def __init__(self, name: str, session: Callable[[float], Session], owner: Owner) -> None:
        self.name = name
        self._ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._end: Ended | None = None
        self.refusing = False  # whether arrivals are put off: we are about to stop
        self.has_carried = False  # whether a text came or was answered: it is worth a new one
        self._owner = owner
        self._session = session(time.monotonic())
        self._transport: asyncio.Transport | None = None
        self._reading = True
        self._choked_at: float | None = None  # since when the carrier does not read what we write
        self._timer: asyncio.TimerHandle | None = None
        # Each with the event to be answered; None for what needs no answer.
        self._waiting: list[tuple[Arrived | None, Arrival]] = []
        self._keeping: asyncio.Task[None] | None = None
        # When batches were answered, each with when the last of it had come; the oldest first.
        self._answered: deque[tuple[float, int]] = deque()
        self._had_answers_until = 0

    @property
    def bound(self) -> bool:
        return self._session.bound

    @property
    def submitting(self) -> bool:
        return self._session.submitting

    @property
    def under_way(self) -> int:
        return self._session.under_way

    @property
    def idle(self) -> bool:
        """Whether nothing waits for an answer, in either direction."""
        return not (self._session.under_way or self._waiting or self._keeping)

    @property
    def has_answers_until(self) -> int:
        """The carrier surely has our answers to all that came until then (`received_at`)."""
        while self._answered and self._answered[0][0] < self._session.read_until:
            self._had_answers_until = self._answered.popleft()[1]
        return self._had_answers_until

    def submit(self, command_id: int, body: bytes, token: Any) -> None:
        """Sends a submit_sm or data_sm with the next `flush`."""
        self._session.submit(command_id, body, token, time.monotonic())

    def flush(self) -> None:
        """Sends what there is to send."""
        octets = self._session.outgoing()
        if octets and self._transport is not None:
            self._transport.write(octets)
        if self._session.closed and self._transport is not None:
            self._transport.close()
            asyncio.get_running_loop().call_later(CLOSING_SECONDS, self._transport.abort)

    async def until_lost(self) -> Ended:
        """Returns when the connection is gone; why it went."""
        return await asyncio.shield(self._ended)

    async def leave(self, seconds: float) -> None:
        """Unbinds and closes; waits no longer than so many seconds for what is under way."""
        self.refusing = True
        if self._keeping is not None:
            await asyncio.wait([self._keeping], timeout=seconds)
        self._session.unbind(time.monotonic())
        self.flush()
        await asyncio.wait([self._ended], timeout=seconds)
        if self._transport is not None:
            self._transport.abort()
            await asyncio.wait([self._ended])

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._session.start(time.monotonic())
        self.flush()
        self._wake()

    def data_received(self, data: bytes) -> None:
        self._handle(self._session.receive(data, time.monotonic()))

    def connection_lost(self, exc: Exception | None) -> None:
        self._handle(self._session.lost(str(exc) if exc else "the carrier closed the connection"))
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._owner.lost(self, self._session.abandoned())
        self._ended.set_result(self._end or Ended("closed"))

    def pause_writing(self) -> None:
        self._choked_at = time.monotonic()
        self._mind_reading()

    def resume_writing(self) -> None:
        self._choked_at = None
        self._mind_reading()

    # --- the session's work

    def _wake(self) -> None:
        """Does what time asks for; nothing is overdue while we are the ones who do not read. But a
        carrier for whose reading we wait is given up as one that says nothing is."""
        now = time.monotonic()
        if self._reading:
            self._handle(self._session.tick(now))
        elif self._choked_at and now - self._choked_at >= self._session.longest_silence:
            self._handle(self._session.lost("the carrier reads nothing"))
        if not self._session.closed:
            due = self._session.due() if self._reading else now + LONGEST_SLEEP
            self._sleep(min(max(due - now, 0.001), LONGEST_SLEEP))

    def _sleep(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _handle(self, events: Sequence[Event]) -> None:
        answers: list[Answered | Unanswered] = []
        for event in events:
            match event:
                case Arrived():
                    self.has_carried = True
                    self._arrived(event)
                case Answered(late=True):
                    self._answered_late(event)
                case Answered() | Unanswered():
                    self.has_carried |= isinstance(event, Answered)
                    answers.append(event)
                case Bound():
                    self._owner.bound(self)
                case Ended():
                    self._end = event
        if answers:
            self._owner.told(self, answers)
        self._keep_on()
        self.flush()

    def _arrived(self, event: Arrived) -> None:
        if self.refusing:
            self._answer(event, codes.ESME_RX_T_APPN)
            return
        try:
            self._waiting.append((event, self._owner.arrival(event, self.name)))
        except Exception as error:  # a fault of ours, which must not cost the connection
            log.error("text not understood", connection=self.name, **whereabouts(error))
            self._answer(event, codes.ESME_RX_T_APPN)

    def _answered_late(self, event: Answered) -> None:
        arrival = self._owner.late(event)
        if arrival is not None:
            self._waiting.append((None, arrival))

    def _answer(self, event: Arrived, status: int) -> None:
        self._session.answer(event.command_id, event.sequence_number, status)

    def _keep_on(self) -> None:
        if self._waiting and self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())
        self._mind_reading()

    def _mind_reading(self) -> None:
        """Reads on, or leaves the carrier's octets where they are: then it stops sending."""
        wanted = self._choked_at is None and len(self._waiting) <= MOST_WAITING
        if self._transport is None or self._transport.is_closing() or self._reading is wanted:
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
            self._sleep(LONGEST_SLEEP)  # what is overdue may be waiting to be read
        else:
            self._transport.pause_reading()

    async def _keep(self) -> None:
        """Has everything kept that waits, a commit for all that is there; then answers it."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                await self._keep_batch(batch)
                self._mind_reading()
        finally:
            self._keeping = None

    async def _keep_batch(self, batch: Sequence[tuple[Arrived | None, Arrival]]) -> None:
        try:
            verdicts = await self._owner.keep([arrival for _, arrival in batch])
            statuses = [status_of(verdict) for verdict in verdicts]
        except Exception as error:
            log.error(
                "texts not kept", connection=self.name, count=len(batch), **whereabouts(error)
            )
            statuses = [codes.ESME_RX_T_APPN] * len(batch)
        for (event, _), status in zip(batch, statuses, strict=True):
            if event is not None:
                self._answer(event, status)
        self._note_answered(batch)
        self.flush()

    def _note_answered(self, batch: Sequence[tuple[Arrived | None, Arrival]]) -> None:
        """Remembers until when all that came is answered; what comes in this moment is not."""
        came, waits = (
            [each.received_at for _, each in some if isinstance(each, InboundText)]
            for some in (batch, self._waiting)
        )
        if came and came[-1] > self.has_answers_until:
            until = min(came[-1], min(waits, default=clock.now()) - 1)
            if len(self._answered) >= MOST_REMEMBERED:
                self._answered.pop()
            self._answered.append((time.monotonic(), until))


def status_of(verdict: Verdict) -> int:
    """How the carrier is told. What was refused is in our records or, where not even a bare record
    could be written, in the log: it is as good as taken."""
    match verdict:
        case Accepted() | Refused():
            return codes.ESME_ROK
        case TryLater():
            return codes.ESME_RMSGQFUL
