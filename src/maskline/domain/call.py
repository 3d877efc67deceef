"""The record of a call: what happened when, who ended it, and to whom the outcome is put down."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from typing import Any

from maskline.domain.causes import NORMAL, cause_of


class Party(StrEnum):
    """Who can end a call or be the cause of how it went."""

    CALLER = "caller"
    CALLED = "called"
    CARRIER = "carrier"
    US = "us"


class Happening(StrEnum):
    """What is reported of a call."""

    RINGING = "Ringing"
    ANSWERED = "Answered"
    MOVED = "Moved"
    STRANDED = "Stranded"  # it has ended, and one of both could not be told
    ENDED = "Ended"


@dataclass(frozen=True, kw_only=True)
class CallEvent:
    """A report about a call. `at` is in milliseconds since the epoch, `cause` is Q.850's.

    `legs` tells what a BYE toward each side needs: headers, a Target, and the Call-ID. Here they
    are only compared.
    `carrier` is the one that the call went out over, if it was tried over several.
    """

    happening: Happening
    at: int
    sip_status: int | None = None
    ended_by: Party | None = None
    cause: int | None = None
    legs: tuple[dict[str, Any], ...] = ()
    carrier: str | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call as recorded. Times are milliseconds since the epoch, None for what did not happen.

    `caller` dialled `dialled`; we dialled `called` and showed `shown`. `proxy_session_name` is the
    customer's own id of the session. `hang_up_at` is when we end the call if nobody else has,
    `recorded` whether its sound is to be kept.
    """

    call_id: str
    account_id: str | None
    voice_connector_id: str | None
    proxy_session_id: str | None
    proxy_session_name: str | None
    carrier: str
    caller: str | None
    dialled: str
    decision: str
    reason: str
    received_at: int
    outbound_carrier: str | None = None
    called: str | None = None
    shown: str | None = None
    forwarded_at: int | None = None
    ringing_at: int | None = None
    answered_at: int | None = None
    ended_at: int | None = None
    ended_by: Party | None = None
    sip_status: int | None = None
    cause: int | None = None
    legs: tuple[dict[str, Any], ...] = ()
    max_call_seconds: int
    hang_up_at: int | None = None
    recorded: bool = False

    @property
    def live(self) -> bool:
        return self.forwarded_at is not None and self.ended_at is None

    @property
    def moments(self) -> tuple[int | None, ...]:
        """The five times of its life, none before one that came earlier: each is told by the clock
        of the node that saw it, and these may be apart."""
        told = (
            self.received_at, self.forwarded_at, self.ringing_at, self.answered_at, self.ended_at,
        )  # fmt: skip
        latest = accumulate((at or 0 for at in told), max)
        return tuple(at and seen for at, seen in zip(told, latest, strict=True))

    @property
    def lost(self) -> bool:
        """Whether it had to be taken for over, though nobody had said so."""
        return (self.ended_by, self.sip_status) == (Party.US, LOST_STATUS)

    @property
    def attribution(self) -> Party | None:
        """To whom the outcome is put down, None while the call lasts."""
        if self.ended_at is None:
            return None
        if self.ended_by is not None:
            return self.ended_by
        return blame(self.sip_status)

    @property
    def clearing(self) -> int | None:
        """Why the call ended, in the words of telephone networks (Q.850); None while it lasts."""
        if self.ended_at is None or self.cause is not None:
            return self.cause
        if self.sip_status == TERMINATED and self.ended_by is Party.CALLER:
            return NORMAL
        return cause_of(self.sip_status, rang=self.ringing_at is not None)


# The life of a call until its end, as the time each report sets. Reports come late, twice or out of
# order, so the earliest of each kind is the truth, and the record is the same in whatever order
# they come.
MOMENTS = {
    Happening.RINGING: "ringing_at",
    Happening.ANSWERED: "answered_at",
}

ENDS = (Happening.ENDED, Happening.STRANDED)

LOST_STATUS = 500
TERMINATED = 487  # the caller gave up: a release as any other (RFC 3398 8.2.7)

# Who stands behind a final status that nobody was named for (RFC 3261 section 21).
BLAMED = {
    401: Party.US, 403: Party.US, 404: Party.US, 407: Party.US, 408: Party.CALLED,
    433: Party.CALLER, 480: Party.CALLED, 486: Party.CALLED, 487: Party.CALLER, 488: Party.CALLED,
    600: Party.CALLED, 603: Party.CALLED,
}  # fmt: skip


def blame(sip_status: int | None) -> Party:
    if sip_status is None:
        return Party.US
    return BLAMED.get(sip_status, Party.CARRIER)


def apply(call: Call, event: CallEvent) -> Call:
    """The record once the event is known. Applying an event again changes nothing; of several
    moves, which tell no time, the one that is told last counts. Once somebody has answered, who
    else it was offered to (a fork) has no part in it."""
    if event.happening is Happening.MOVED:
        stays = event.legs == call.legs or (call.answered_at and not same_dialogs(call, event))
        return call if stays else replace(call, legs=event.legs)
    if event.happening in ENDS:
        return ended(call, event)
    moment = MOMENTS[event.happening]
    known: int | None = getattr(call, moment)
    if known is not None and known <= event.at:
        return call
    changes: dict[str, Any] = {moment: event.at}
    if event.carrier is not None:
        changes["outbound_carrier"] = event.carrier
    if event.happening is Happening.ANSWERED:
        moved = call.answered_at is None and same_dialogs(call, event)  # told before
        changes |= {
            "legs": call.legs if moved else event.legs,
            "hang_up_at": deadline(call, event.at),
        }
        if call.lost and call.answered_at is None:  # it is not: it lives until its end is told
            changes |= dict.fromkeys(("ended_at", "ended_by", "sip_status", "cause"))
    return replace(call, **changes)


def ended(call: Call, event: CallEvent) -> Call:
    """The earliest end counts, of two at once a person's before ours; but what somebody has told
    counts before what we had to guess."""
    end = replace(
        call,
        ended_at=event.at,
        ended_by=event.ended_by,
        sip_status=event.sip_status,
        cause=event.cause,
        outbound_carrier=event.carrier or call.outbound_carrier,
    )
    if call.ended_at is None:
        return end
    return end if rank(end) < rank(call) else call


def rank(call: Call) -> tuple[bool, int, str]:
    """What is less of two ends is the truth."""
    return call.lost, call.ended_at or 0, call.ended_by or ""


def same_dialogs(call: Call, event: CallEvent) -> bool:
    """Whether the legs that are known of a call and those that are told are the same people's."""
    return {*map(dialog, call.legs)} == {*map(dialog, event.legs)}


def dialog(leg: Mapping[str, str]) -> tuple[str, str]:
    """Of a leg: its Call-ID, and the tag of who has it (RFC 3261 12)."""
    return leg["CallId"], leg["From"].rpartition(";tag=")[2]


def deadline(call: Call, answered_at: int) -> int:
    """When an answered call is to be hung up: never later than was already decided."""
    longest = answered_at + call.max_call_seconds * 1000
    return longest if call.hang_up_at is None else min(call.hang_up_at, longest)
