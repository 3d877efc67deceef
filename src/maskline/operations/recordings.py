"""Recordings of calls, as far as the store knows them: which calls, and what became of it."""

from dataclasses import dataclass
from typing import NamedTuple

from maskline.clock import DAY
from maskline.domain.call import Call
from maskline.operations.context import Context
from maskline.store import rows

PIECE = 200
# Milliseconds after its answer in which a call may still get its sound. Where the 200 makes the
# offer the ACK answers it, which is waited for 32 seconds (RFC 3261 section 13.3.1.4).
PATIENCE = 40_000


class Place(NamedTuple):
    """An address of ours, empty where it is not known, and a port of it."""

    address: str
    port: int


@dataclass(frozen=True)
class Capture:
    """Where a call's two sides were heard."""

    caller: Place
    called: Place


NOTHING = Capture(Place("", 0), Place("", 0))


def calls_to_record(context: Context, node: str, limit: int) -> list[Call]:
    """Answered calls of the node that are to be recorded and are not yet, the earliest first."""
    found = context.tx.all("list_calls_to_record", node=node, limit=limit)
    return [rows.call(row) for row in found]


def begin_recording(context: Context, call: Call, capture: Capture) -> None:
    context.tx.run(
        "insert_recording",
        call_id=call.call_id,
        caller_address=capture.caller.address,
        caller_port=capture.caller.port,
        called_address=capture.called.address,
        called_port=capture.called.port,
        begun_at=context.now,
    )


def is_new(context: Context, call: Call) -> bool:
    """Whether a call that was answered without sound may get it yet."""
    return context.now <= (call.answered_at or 0) + PATIENCE


def lose_recording(context: Context, call: Call) -> None:
    """Notes that nothing is recorded of a call; where it has ended by now there was nothing to."""
    row = context.tx.one("get_call", call_id=call.call_id)
    if row and row["ended_at"] is None:
        begin_recording(context, call, NOTHING)
        finish_recording(context, call.call_id, None)


def ended_capture(context: Context, call_id: str) -> Capture | None:
    """What was captured of a call; None while the call lasts, and for one that nobody knows."""
    row = context.tx.one("get_ended_recording", call_id=call_id)
    if row is None:
        return None
    caller, called = (
        Place(row[f"{side}_address"] or "", row[f"{side}_port"])  # earlier versions kept the port
        for side in ("caller", "called")
    )
    return Capture(caller, called)


def lasts(context: Context, call_id: str) -> bool:
    """Whether a call is known and has not ended."""
    row = context.tx.one("get_call", call_id=call_id)
    return row is not None and row["ended_at"] is None


def finish_recording(context: Context, call_id: str, seconds: float | None) -> None:
    """Notes that there is sound of so many seconds, or that it was lost."""
    length = None if seconds is None else round(seconds * 1000)
    context.tx.run(
        "finish_recording", call_id=call_id, milliseconds=length, finished_at=context.now
    )


def purge_recordings(context: Context) -> int:
    """Forgets recordings that are too old to be kept; each node removes its own files."""
    before = context.now - context.policy.recording_retention_days * DAY
    return context.tx.run("purge_recordings", before=before, limit=PIECE)
