"""A turn of the relay: everything that has come together since the last one, in one transaction.

First what became of the texts that were sent, then what carriers report, then what has arrived;
with the room that is left, texts that wait are taken to be sent. After the commit, and only then,
the links are answered and handed what they shall send.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from maskline.operations import Context
from maskline.sms.limits import Limits
from maskline.sms.port import Arrival, Outcome, Outgoing, Verdict

# Turns of several processes are done one after the other: what one claims, no other claims.
TEXTS = "texts"
ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a turn has to do.

    `room` says how many texts each carrier's link of this process would take. `backlog` names the
    carriers for which texts wait that go before new ones, `claimable` those and the ones for which
    texts wait for an earlier one of their pair, `full` those for which too many wait, `crowded`
    those that brought too many parts which wait for others. `holder` is this life of this process,
    by whose name texts are claimed, `node` what all its lives have in common.
    `connections` are those that are open (see `Link.connections`), `held` the texts that
    links have had for a while.
    """

    holder: str
    node: str
    arrivals: Sequence[Arrival] = ()
    outcomes: Sequence[tuple[str, Outcome]] = ()
    room: Mapping[str, int] = field(default_factory=dict)
    backlog: Collection[str] = ()
    claimable: Collection[str] = ()
    full: Collection[str] = ()
    crowded: Collection[str] = ()
    connections: Mapping[str, int] = field(default_factory=dict)
    held: Sequence[str] = ()
    limits: Limits | None = None

    def known_as(self, connection: str | None) -> str | None:
        """By what all processes know a connection of this one; None where a text came by none."""
        return f"{self.holder}/{connection}" if connection else None


@dataclass
class Done:
    """What a turn has done: a verdict for each arrival, texts for the links.

    `backlog` and `blocked` name the carriers for which texts wait, for room and for an earlier one
    of their pair; `queued` says how many more wait for each carrier than before. `recalled` are
    texts that links have and are to send nothing more of. `limits` has counted the texts of the
    turn, which is to hold once it is kept.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    outgoing: dict[str, list[Outgoing]] = field(default_factory=dict)
    backlog: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)
    queued: Counter[str] = field(default_factory=Counter)
    recalled: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    limits: Limits | None = None

    def count(self, what: str, many: int = 1) -> None:
        if many:
            self.counts[what] = self.counts.get(what, 0) + many


@dataclass(frozen=True)
class Turn:
    """The turn under way. `events` are written at its end, in one go. `finished` are texts that
    others of their pair may have waited for, by our ids."""

    context: Context
    work: Work
    done: Done = field(default_factory=Done)
    events: list[dict[str, Any]] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, context: Context, work: Work) -> Self:
        """The turn, once no other process is in one."""
        limits = work.limits.draft() if work.limits else None
        return cls(context.holding(TEXTS), work, Done(limits=limits))

    def room(self, carrier: str) -> int:
        return self.work.room.get(carrier, 0) - len(self.done.outgoing.get(carrier, ()))

    def sender_may(self, sender: str | None) -> bool:
        """Whether one text more is within what its sender may send in a minute, which counts it."""
        limits = self.done.limits
        return limits is None or sender is None or limits.sender_may(sender, self.context.now)

    def happened(self, account_id: str | None, state: str, message_id: str) -> None:
        """Notes a change of a text's state for those who must hear of it."""
        self.done.count(state)
        if account_id is not None:
            self.events.append(
                {
                    "account_id": account_id,
                    "name": f"Message{state}",
                    "subject": message_id,
                    "happened_at": self.context.now,
                }
            )

    def send(self, carrier: str, text: Outgoing) -> None:
        self.done.outgoing.setdefault(carrier, []).append(text)

    def write_events(self) -> None:
        self.context.tx.run_each("insert_event", self.events)


def rows(many: object) -> str:
    """Parameters of many rows as a query wants them: one JSON array."""
    return ENCODER.encode(many).decode()
