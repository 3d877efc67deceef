"""Parties who could not be told that their call is over: kept until somebody has told them, or for
as long as whoever is there has not hung up by themselves."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from maskline.operations.context import Context
from maskline.store import Row

Leg = Mapping[str, Any]

MOST_AT_ONCE = 100
# Milliseconds: tried again after as long as it has been tried, in these bounds.
SOONEST, LATEST = 5_000, 40_000
# For how long: to whom there is no way, whose connection may come back; and who says nothing, since
# Kamailio gives them five seconds alone of the 32 that a BYE may take (RFC 3261 17.1.2.2).
UNREACHED, SILENT = 835_000, 35_000
# After how long any node hangs up what its own node does not, a call or a leg: that one must have
# died.
LEFT_ALONE = 15_000


@dataclass(frozen=True)
class LegLeft:
    """`leg` is what a BYE toward that party needs."""

    call_id: str
    leg: Leg


def leave_legs(
    context: Context, call_id: str, legs: Iterable[tuple[Leg, int]], after: int = SOONEST
) -> None:
    """Has these legs of a call hung up after so many milliseconds, and then again and again, each
    for as long as stands beside it."""
    context.tx.run_each("put_leg_left", [
        {
            **key(call_id, leg),
            "leg": json.dumps(leg),
            "since": context.now,
            "until": context.now + longest,
            "due_at": context.now + after,
        }
        for leg, longest in legs
    ])  # fmt: skip


def take_legs(context: Context, node: str) -> list[LegLeft]:
    """The legs that whoever asks is to hang up now: those of the calls that this node carried, and
    those that their own node leaves alone. They are given again after a while unless they were
    `dismiss_leg`ed or given up."""
    due = context.tx.all(
        "list_legs_left",
        now=context.now,
        node=node,
        left_alone_since=context.now - LEFT_ALONE,
        limit=MOST_AT_ONCE,
    )
    return [LegLeft(row["call_id"], json.loads(row["leg"])) for row in due if taken(context, row)]


def taken(context: Context, row: Row) -> bool:
    """Whether a leg is left to us; nobody else is given it for a while."""
    this = {"call_id": row["call_id"], "leg_name": row["leg_name"]}
    pause = min(max(context.now - row["since"], SOONEST), LATEST)
    postponed = context.tx.run(
        "postpone_leg_left", **this, now=context.now, again_at=context.now + pause
    )
    return postponed == 1


def give_up_legs(context: Context) -> int:
    """Forgets legs that were tried for long enough; how many. Any process does it, for there may be
    none that hangs up."""
    return context.tx.run("remove_old_legs_left", now=context.now)


def dismiss_leg(context: Context, left: LegLeft) -> None:
    """It was hung up."""
    context.tx.run("remove_leg_left", **key(left.call_id, left.leg))


def key(call_id: str, leg: Leg) -> dict[str, str]:
    """What a leg is found by."""
    text = json.dumps(leg, sort_keys=True).encode()
    return {"call_id": call_id, "leg_name": hashlib.blake2b(text, digest_size=16).hexdigest()}
