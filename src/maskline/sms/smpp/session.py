"""The session of one bind, seen from the ESME: who may say what when, and what is still to answer.

No I/O and no clock: octets and times (in seconds, of any steady clock) are arguments, events are
returned, octets to send gather until `outgoing` is asked. Whoever drives a session calls
`receive` with what was read, `tick` when `due` has come, sends `outgoing` after each call, and
closes the connection when the session is `closed`.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from maskline.sms.smpp import codes
from maskline.sms.smpp.pdu import (
    HEADER,
    Bind,
    BindResp,
    Data,
    PduError,
    ShortMessage,
    message_id_of,
)
from maskline.sms.smpp.pdu import pdu as whole_pdu
from maskline.sms.smpp.states import (
    ANSWERED_BY_RESPONSE,
    BETWEEN,
    BOUND,
    REQUESTS,
    SUBMITTING,
    State,
)

LEAST_OCTETS = 16
MOST_OCTETS = 70_000  # a message_payload of 64 KiB with everything around it
LAST_SEQUENCE = 0x7FFFFFFF
LATE_ANSWERS_KNOWN = 10_000
FAREWELL_SECONDS = 3.0  # for what is under way, both ways, when a carrier unbinds

BODIES: dict[int, type[ShortMessage] | type[Data]] = {
    codes.DELIVER_SM: ShortMessage,
    codes.DATA_SM: Data,
}
RESPONSES_WITH_ID = frozenset({codes.DELIVER_SM, codes.DATA_SM})
SUBMIT_RESPONSES = frozenset({codes.SUBMIT_SM_RESP, codes.DATA_SM_RESP})
EMPTY_ID = b"\0"  # the message_id of a response by an ESME, which has none
NAMES = {
    codes.BIND_TRANSMITTER: "bind_transmitter",
    codes.BIND_RECEIVER: "bind_receiver",
    codes.BIND_TRANSCEIVER: "bind_transceiver",
    codes.ENQUIRE_LINK: "enquire_link",
    codes.UNBIND: "unbind",
}


@dataclass(frozen=True)
class Timers:
    """How long, in seconds, things may take (section 7.2)."""

    bind: float = 30.0
    response: float = 30.0
    enquire_link: float = 30.0  # of silence, after which the peer is asked whether it lives
    inactivity: float = 120.0  # of silence, after which the connection is given up


class Bound(NamedTuple):
    """The SMSC took the bind."""

    system_id: str


class Arrived(NamedTuple):
    """A deliver_sm or data_sm, to be answered by `answer` with its command and sequence."""

    command_id: int
    sequence_number: int
    body: ShortMessage | Data


class Answered(NamedTuple):
    """What the SMSC said to a submit. `late`: `Unanswered` was told of it before."""

    token: Any
    status: int
    message_id: str
    late: bool = False


class Unanswered(NamedTuple):
    """A submit whose answer is overdue: nobody knows whether it was taken."""

    token: Any


class Ended(NamedTuple):
    """The session is over; `status` is the SMSC's, when it refused the bind."""

    reason: str
    status: int | None = None


Event = Bound | Arrived | Answered | Unanswered | Ended


class Submit(NamedTuple):
    """A text, or a part of one, that the SMSC has not answered yet."""

    command_id: int
    token: Any
    asked: float
    deadline: float


class Other(NamedTuple):
    """Another request that the SMSC has not answered yet."""

    command_id: int
    asked: float
    deadline: float


class Session:
    """One bind. What we wrote before the time `read_until` the peer has read: it answered what came
    after it."""

    def __init__(self, command_id: int, bind: Bind, timers: Timers, now: float) -> None:
        self.state = State.OPEN
        self._command_id = command_id
        self._bind = bind
        self._timers = timers
        self.read_until = 0.0
        self._heard = now
        self._rest = b""
        self._sequence = 0
        # Requests of ours without an answer yet, by sequence_number, the oldest first.
        self._submits: dict[int, Submit] = {}
        self._others: dict[int, Other] = {}
        self._late: dict[int, Any] = {}
        self._to_answer = 0  # requests of the peer's that wait for `answer`
        # The carrier's unbind, and until when it waits for our answer.
        self._farewell: tuple[int, float] | None = None
        self._outgoing: list[bytes] = []

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def bound(self) -> bool:
        return self.state in (State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX)

    @property
    def submitting(self) -> bool:
        """Whether `submit` may be called."""
        return self.state in SUBMITTING

    @property
    def under_way(self) -> int:
        """How many submits wait for their answer: what of the window is in use."""
        return len(self._submits)

    @property
    def longest_silence(self) -> float:
        """After how many seconds a peer is given up that does nothing."""
        return self._timers.inactivity

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        octets = b"".join(self._outgoing)
        self._outgoing.clear()
        return octets

    # --- what we do

    def start(self, now: float) -> None:
        """Asks to be bound."""
        self.state = State.BINDING
        sequence = self._send(self._command_id, self._bind.write())
        self._others[sequence] = Other(self._command_id, now, now + self._timers.bind)

    def submit(self, command_id: int, body: bytes, token: Any, now: float) -> None:
        """Sends a submit_sm or data_sm; its token comes back in `Answered` or `Unanswered`."""
        assert self.submitting
        sequence = self._send(command_id, body)
        self._submits[sequence] = Submit(command_id, token, now, now + self._timers.response)

    def answer(self, command_id: int, sequence_number: int, status: int) -> None:
        """Answers what `Arrived`. An answer that comes after the end goes nowhere."""
        self._to_answer -= 1
        if not self.closed:
            self._respond(command_id, sequence_number, status)

    def unbind(self, now: float) -> None:
        """Asks to end; the end comes with the answer."""
        if self.bound:
            self.state = State.UNBINDING
            self._ask(codes.UNBIND, now)
        else:
            self.state = State.CLOSED

    def lost(self, reason: str) -> list[Event]:
        """The connection is gone."""
        return [] if self.closed else [self._end(reason)]

    def abandoned(self) -> list[Any]:
        """The tokens of all submits that will get no answer any more; none twice."""
        tokens = [one.token for one in self._submits.values()]
        self._submits.clear()
        return tokens

    # --- what time does

    def due(self) -> float:
        """When `tick` is to be called next."""
        times = [self._heard + self._timers.inactivity]
        if self.bound and not self._others:
            times.append(self._heard + self._timers.enquire_link)
        times += [one.deadline for one in islice(self._submits.values(), 1)]
        times += [one.deadline for one in self._others.values()]
        times += [self._farewell[1]] if self._farewell else []
        return min(times)

    def tick(self, now: float) -> list[Event]:
        """What is overdue at a time."""
        if self.closed:
            return []
        events = self._overdue_submits(now)
        if left := self._take_leave(now):
            return events + left
        for one in self._others.values():
            if one.deadline <= now:
                return [*events, self._end(f"no answer to {NAMES[one.command_id]}")]
        silence = now - self._heard
        if silence >= self._timers.inactivity:
            return [*events, self._end("silence")]
        if self.bound and silence >= self._timers.enquire_link and not self._others:
            self._ask(codes.ENQUIRE_LINK, now)
        return events

    def _overdue_submits(self, now: float) -> list[Event]:
        overdue: list[Event] = []
        while self._submits:
            sequence, oldest = next(iter(self._submits.items()))
            if oldest.deadline > now:
                break
            del self._submits[sequence]
            self._late[sequence] = oldest.token
            if len(self._late) > LATE_ANSWERS_KNOWN:
                del self._late[next(iter(self._late))]
            overdue.append(Unanswered(oldest.token))
        return overdue

    # --- what the peer does

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """What came of octets that were read."""
        self._heard = now
        events: list[Event] = []
        buffer = self._rest + octets if self._rest else octets
        place, end = 0, len(buffer)
        while end - place >= LEAST_OCTETS and not self.closed:
            length, command_id, status, sequence = HEADER.unpack_from(buffer, place)
            if not LEAST_OCTETS <= length <= MOST_OCTETS or place + length > end:
                break
            body = buffer[place + LEAST_OCTETS : place + length]
            place += length
            self._take(command_id, status, sequence, body, events)
        self._rest = buffer[place:]
        if len(self._rest) >= 4 and not self.closed:
            self._check_length(events)
        return events + self._take_leave(now)

    def _take_leave(self, now: float) -> list[Event]:
        """Lets a carrier go that unbound once all is answered that is under way, or a moment on."""
        under_way = self._submits or self._to_answer
        if self._farewell is None or self.closed or (under_way and now < self._farewell[1]):
            return []
        self._respond(codes.UNBIND, self._farewell[0], codes.ESME_ROK)
        return [self._end("the carrier unbound")]

    def _check_length(self, events: list[Event]) -> None:
        """Ends the session where the next PDU's length makes no sense: its end cannot be found."""
        if not LEAST_OCTETS <= int.from_bytes(self._rest[:4], "big") <= MOST_OCTETS:
            self._nack(0, codes.ESME_RINVCMDLEN)
            events.append(self._end("the carrier sent what is no PDU"))

    def _take(
        self, command_id: int, status: int, sequence: int, body: bytes, events: list[Event]
    ) -> None:
        if command_id & codes.RESPONSE:
            self._take_response(command_id, status, sequence, body, events)
        elif command_id in REQUESTS[self.state]:
            self._take_request(command_id, sequence, body, events)
        elif command_id in BODIES and self.state in BETWEEN:
            self._respond(command_id, sequence, codes.ESME_RX_T_APPN)
        elif command_id in ANSWERED_BY_RESPONSE:
            self._respond(command_id, sequence, codes.ESME_RINVBNDSTS)
        elif command_id not in (codes.OUTBIND, codes.ALERT_NOTIFICATION):  # these have no answer
            self._nack(sequence, codes.ESME_RINVCMDID)

    def _take_request(
        self, command_id: int, sequence: int, body: bytes, events: list[Event]
    ) -> None:
        kind = BODIES.get(command_id)
        if kind is not None:
            try:
                events.append(Arrived(command_id, sequence, kind.read(body)))
                self._to_answer += 1
            except PduError as error:
                self._respond(command_id, sequence, error.status)
        elif command_id == codes.ENQUIRE_LINK:
            self._respond(command_id, sequence, codes.ESME_ROK)
        elif command_id == codes.UNBIND:
            self.state = State.UNBINDING
            self._farewell = self._farewell or (sequence, self._heard + FAREWELL_SECONDS)

    def _take_response(
        self, command_id: int, status: int, sequence: int, body: bytes, events: list[Event]
    ) -> None:
        if command_id == codes.GENERIC_NACK and status == codes.ESME_ROK:
            status = codes.ESME_RUNKNOWNERR  # whatever it says, it is a "no"
        submit = self._submits.get(sequence)
        if submit is not None and answers(submit, command_id):
            del self._submits[sequence]
            self.read_until = max(self.read_until, submit.asked)
            events.append(Answered(submit.token, status, message_id_of(body)))
            return
        other = self._others.get(sequence)
        if other is None or not answers(other, command_id):
            if command_id in SUBMIT_RESPONSES:
                self._take_late(status, sequence, body, events)
            return
        del self._others[sequence]
        self.read_until = max(self.read_until, other.asked)
        if other.command_id == self._command_id:
            events.append(self._bind_answered(status, body))
        elif other.command_id == codes.UNBIND:
            events.append(self._end("unbound"))

    def _take_late(self, status: int, sequence: int, body: bytes, events: list[Event]) -> None:
        if sequence in self._late:
            token = self._late.pop(sequence)
            events.append(Answered(token, status, message_id_of(body), late=True))

    def _bind_answered(self, status: int, body: bytes) -> Event:
        if status != codes.ESME_ROK:
            return self._end("the carrier refused the bind", status)
        self.state = BOUND[self._command_id]
        try:
            return Bound(BindResp.read(body).system_id)
        except PduError:
            return Bound("")  # it names itself oddly; the status counts

    # --- small things

    def _send(self, command_id: int, body: bytes) -> int:
        """Sends a request; its sequence_number."""
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        self._outgoing.append(whole_pdu(command_id, self._sequence, body))
        return self._sequence

    def _ask(self, command_id: int, now: float) -> None:
        deadline = now + self._timers.response
        self._others[self._send(command_id, b"")] = Other(command_id, now, deadline)

    def _respond(self, command_id: int, sequence: int, status: int) -> None:
        body = EMPTY_ID if command_id in RESPONSES_WITH_ID else b""
        self._outgoing.append(whole_pdu(command_id | codes.RESPONSE, sequence, body, status))

    def _nack(self, sequence: int, status: int) -> None:
        self._outgoing.append(whole_pdu(codes.GENERIC_NACK, sequence, b"", status))

    def _end(self, reason: str, status: int | None = None) -> Ended:
        self.state = State.CLOSED
        return Ended(reason, status)


def answers(request: Submit | Other, command_id: int) -> bool:
    return command_id in (request.command_id | codes.RESPONSE, codes.GENERIC_NACK)
