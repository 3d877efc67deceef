"""The link to a carrier by SMPP: its binds, kept up, and the texts between them and the relay."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import structlog

from maskline import clock
from maskline.domain.message import Reported
from maskline.settings import CarrierSmpp
from maskline.sms import text as sms
from maskline.sms.port import (
    ALL,
    Arrival,
    Inbox,
    LinkHealth,
    Outcome,
    Outgoing,
    Receipt,
    Refused,
    Verdict,
)
from maskline.sms.smpp import codes
from maskline.sms.smpp.codes import status_name
from maskline.sms.smpp.connection import Connection
from maskline.sms.smpp.dialect import Dialect
from maskline.sms.smpp.files import password_of, tls_context
from maskline.sms.smpp.pace import Pace
from maskline.sms.smpp.pdu import Bind, PduError
from maskline.sms.smpp.session import Answered, Arrived, Ended, Session, Timers, Unanswered
from maskline.sms.smpp.submission import ALONE, CONGESTED, Submission
from maskline.sms.trouble import Trouble

FIRST_RETRY, LONGEST_RETRY = 0.5, 60.0  # seconds between attempts to connect
FAREWELL_SECONDS = 3.0  # for the carrier's answer to unbind
DRAINING_STEP = 0.02

SHORT_NAMES = {
    codes.BIND_TRANSCEIVER: "trx", codes.BIND_TRANSMITTER: "tx", codes.BIND_RECEIVER: "rx"
}  # fmt: skip
SENDING = {"submit_sm": codes.SUBMIT_SM, "data_sm": codes.DATA_SM}
MODES: dict[str, tuple[int, ...]] = {
    "transceiver": (codes.BIND_TRANSCEIVER,),
    "transmitter_receiver": (codes.BIND_TRANSMITTER, codes.BIND_RECEIVER),
    "transmitter": (codes.BIND_TRANSMITTER,),
    "receiver": (codes.BIND_RECEIVER,),
}

log = structlog.get_logger()


class SmppLink:
    """All binds to one carrier (see `maskline.sms.port.Link`)."""

    def __init__(self, carrier: str, settings: CarrierSmpp) -> None:
        """Raises OSError for files that cannot be used, with the setting that names one."""
        self._carrier = carrier
        self._settings = settings
        self._dialect = Dialect(carrier, settings)
        self._password = password_of(settings)
        self._tls = tls_context(settings)
        self._command_id = SENDING[settings.send_by]
        self._busy = CONGESTED | frozenset(settings.busy_statuses)
        self._pace = Pace(settings.max_per_second, time.monotonic)
        self._inbox: Inbox | None = None
        self._connections: list[Connection] = []
        self._queue: deque[Submission] = deque()
        self._resting: dict[Submission, asyncio.TimerHandle] = {}
        self._outcomes: list[tuple[str, Outcome]] = []
        self._waking: asyncio.TimerHandle | None = None
        self._draining = False
        self._trouble = Trouble(carrier)

    # --- the port

    @property
    def carrier(self) -> str:
        return self._carrier

    @property
    def room(self) -> int:
        if self._draining or self._inbox is None:
            return 0
        window = self._settings.window
        free = sum(window - one.under_way for one in self._submitting())
        free -= sum(one.to_send for one in self._queue)
        pace = self._pace.room
        if pace == 0:
            self._wake_later()
        return max(0, free if pace is None else min(free, pace))

    @property
    def health(self) -> LinkHealth:
        wanted = self._settings.binds * len(MODES[self._settings.bind])
        up = sum(one.bound for one in self._connections)
        detail = f"{up} of {wanted} binds" + (f"; {self._trouble.why}" if self._trouble.why else "")
        return LinkHealth(up=up > 0, detail=detail)

    @property
    def connections(self) -> Mapping[str, int]:
        return {one.name: one.has_answers_until for one in self._connections if one.bound}

    async def run(self, inbox: Inbox) -> None:
        self._inbox = inbox
        try:
            async with asyncio.TaskGroup() as group:
                for mode in MODES[self._settings.bind]:
                    for _ in range(self._settings.binds):
                        group.create_task(self._keep_up(mode))
        finally:
            for submission, timer in self._resting.items():
                timer.cancel()
                self._queue.append(submission)
            self._resting.clear()
            self._give_back("stopped")
            self._tell()
            self._inbox = None

    def submit(self, texts: Sequence[Outgoing]) -> None:
        now = clock.now()
        for text in texts:
            try:
                submits = self._dialect.submits(text, now)
            except (sms.TooLong, UnicodeError, PduError) as error:
                self._settle(text.message_id, refusal(error))
            else:
                self._queue.append(Submission(text, submits))
        self._pump()

    def recall(self, message_ids: Collection[str]) -> None:
        for submission in (*self._queue, *self._resting):
            if submission.text.message_id in message_ids:
                submission.given_up("recalled")
                self._settle_if_done(submission)
        self._pump()

    async def drain(self) -> None:
        self._draining = True
        for one in self._connections:
            one.refusing = True
        # There is no one event that would say all of this.
        while self._queue or not all(one.idle for one in self._connections):  # noqa: ASYNC110
            await asyncio.sleep(DRAINING_STEP)

    # --- sending

    def _submitting(self) -> list[Connection]:
        return [one for one in self._connections if one.submitting]

    def _pump(self) -> None:
        """Sends what may be sent now, over the binds with the most room."""
        while self._queue:
            submission = self._queue[0]
            if not submission.to_send:
                self._queue.popleft().queued = False
                continue
            connection = min(self._submitting(), key=lambda one: one.under_way, default=None)
            if connection is None:
                self._give_back("no bind")
                break
            if connection.under_way >= self._settings.window:
                break
            if self._pace.room == 0:
                self._wake_later()
                break
            number, body = submission.next()
            connection.submit(self._command_id, body, (submission, number))
            self._pace.sent(1)
        for one in self._connections:
            one.flush()

    def _give_back(self, reason: str) -> None:
        """Ends what waits to be sent: no bind can take it."""
        while self._queue:
            submission = self._queue.popleft()
            submission.queued = False
            submission.given_up(reason)
            self._settle_if_done(submission)

    def _settle_if_done(self, submission: Submission, pause: float | None = None) -> None:
        outcome = submission.outcome(pause)
        if outcome is not None:
            self._settle(submission.text.message_id, outcome)

    def _settle(self, message_id: str, outcome: Outcome) -> None:
        """Gathers what one turn of the loop brings, so that it is settled in one go."""
        self._outcomes.append((message_id, outcome))
        if len(self._outcomes) == 1:
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        if outcomes and self._inbox is not None:
            self._inbox.settle(outcomes)

    def _wake_later(self) -> None:
        """Goes on when the pace allows it."""
        if self._waking is None:
            seconds = max(self._pace.seconds_to_room, 0.001)
            self._waking = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _wake(self) -> None:
        self._waking = None
        self._pump()
        if self._pace.room == 0:
            self._wake_later()
        elif self._inbox is not None:
            self._inbox.ready()

    # --- what connections tell (see `connection.Owner`)

    async def keep(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        assert self._inbox is not None
        return await self._inbox.take(arrivals)

    def arrival(self, event: Arrived, connection: str) -> Arrival:
        return self._dialect.arrival(event.body, connection, clock.now())

    def late(self, event: Answered) -> Arrival | None:
        """An answer after its time: the text's outcome was Unknown, now there is an id for it."""
        submission, _ = event.token
        if event.status != codes.ESME_ROK or not event.message_id:
            return None
        text: Outgoing = submission.text
        return Receipt(
            carrier=self._carrier,
            message_id=self._dialect.answered_id(event.message_id),
            state=Reported.ENROUTE,
            at=clock.now(),
            source=text.source,
            destination=text.destination,
            reference=text.reference,
            whole_up_to=ALL if submission.parts == 1 else 0,
        )

    def told(self, connection: Connection, answers: Sequence[Answered | Unanswered]) -> None:
        for answer in answers:
            submission, number = answer.token
            if isinstance(answer, Unanswered):
                submission.unanswered("no answer")
                self._settle_if_done(submission)
            else:
                self._answered(submission, number, answer)
        self._pump()

    def _answered(self, submission: Submission, number: int, answer: Answered) -> None:
        busy = answer.status in self._busy
        carrier_id = self._dialect.answered_id(answer.message_id)
        submission.answered(number, answer.status, carrier_id, busy=busy)
        pause = None
        if busy:
            paused = self._pace.congested()
            # The full queue may be one phone's: its text waits longer each time, others do not.
            pause = None if answer.status == codes.ESME_RMSGQFUL else paused
            self._trouble.seen(status_name(answer.status))
            self._wake_later()
        elif answer.status == codes.ESME_ROK:
            self._pace.taken()
            self._trouble.over()
        if submission.text.expires_at <= clock.now():
            submission.given_up("expired")
        self._settle_if_done(submission, pause)
        if submission.to_send and answer.status in ALONE:
            self._rest(submission)
        elif submission.to_send and not submission.queued:
            submission.queued = True
            self._queue.appendleft(submission)

    def _rest(self, submission: Submission) -> None:
        """Puts off what is left of a text that the carrier has trouble with midway."""
        if submission in self._resting:
            return
        if submission.queued:
            self._queue.remove(submission)
        submission.queued = True
        loop = asyncio.get_running_loop()
        self._resting[submission] = loop.call_later(submission.rest, self._go_on, submission)

    def _go_on(self, submission: Submission) -> None:
        del self._resting[submission]
        submission.rewrite(self._dialect.submits(submission.text, clock.now()))
        self._queue.appendleft(submission)
        self._pump()

    def bound(self, connection: Connection) -> None:
        self._trouble.over()
        log.info("bound", carrier=self._carrier, connection=connection.name)
        if self._inbox is not None and not self._draining:
            self._inbox.ready()

    def lost(self, connection: Connection, tokens: Sequence[Any]) -> None:
        for submission, _ in tokens:
            submission.unanswered("connection lost")
            self._settle_if_done(submission)
        if connection in self._connections:
            self._connections.remove(connection)
        self._pump()

    # --- keeping binds up

    async def _keep_up(self, mode: int) -> None:
        """Connects and binds, again and again; pauses grow while it does not work."""
        pause = FIRST_RETRY
        while True:
            began = time.monotonic()
            connection = self._connection(mode)
            ended = await self._one_bind(connection)
            stood = time.monotonic() - began > pause + self._settings.bind_seconds
            if stood or connection.has_carried:
                pause = FIRST_RETRY
            self._trouble.seen(ended)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_RETRY)

    def _connection(self, mode: int) -> Connection:
        name = f"{self._carrier}-{SHORT_NAMES[mode]}-{uuid4().hex[:8]}"
        return Connection(name, partial(self._session, mode), self)

    async def _one_bind(self, connection: Connection) -> str:
        """One connection from its beginning to its end; why it ended."""
        try:
            async with asyncio.timeout(self._settings.bind_seconds):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection, self._settings.host, self._settings.port, **self._tls
                )
        except (OSError, TimeoutError) as error:
            return f"cannot connect: {error or 'no answer'}"
        self._connections.append(connection)
        connection.refusing = self._draining
        try:
            return ending(await connection.until_lost())
        finally:
            await connection.leave(FAREWELL_SECONDS)

    def _session(self, mode: int, now: float) -> Session:
        one = self._settings
        bind = Bind(
            system_id=one.system_id,
            password=self._password,
            system_type=one.system_type or "",
            addr_ton=one.addr_ton,
            addr_npi=one.addr_npi,
            address_range=one.address_range or "",
        )
        timers = Timers(
            bind=one.bind_seconds,
            response=one.response_seconds,
            enquire_link=one.enquire_link_seconds,
            inactivity=one.inactivity_seconds,
        )
        return Session(mode, bind, timers, now)


def refusal(error: ValueError) -> Refused:
    """Why a text cannot be written for the carrier."""
    match error:
        case sms.TooLong():
            return Refused(reason="too-long")
        case UnicodeError():
            return Refused(reason="no-alphabet")
    return Refused(reason="unsendable")


def ending(ended: Ended) -> str:
    return ended.reason if ended.status is None else f"{ended.reason}: {status_name(ended.status)}"
