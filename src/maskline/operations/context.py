"""What an operation is given beside its request."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from maskline.clock import DAY
from maskline.domain.connector import Rules
from maskline.domain.limits import Places, Rate
from maskline.domain.session import Capability
from maskline.domain.trunk import PLAIN, WayOut
from maskline.store import Transaction

Request = dict[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TextPolicy:
    """How long things take with texts. Times are in milliseconds."""

    validity_milliseconds: int = DAY
    doubt_milliseconds: int = 30_000
    parts_milliseconds: int = 600_000
    dead_letter_milliseconds: int = DAY
    retention_days: int = 90


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """What each account may have."""

    voice_connectors: int = 1_000
    voice_connector_groups: int = 1_000
    access_keys: int = 50
    phone_numbers: int = 1_000


@dataclass(frozen=True)
class Announcement:
    """A sound file that a refused caller hears, as rtpengine finds it."""

    file: str
    milliseconds: int


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the operator of the service has decided for everybody.

    `carriers` are the names of the configured carriers, `carriers_down` those that cannot take a
    call at the moment; the latter may be a set that its owner goes on changing. `text_carriers` are
    those that texts can be sent by. `ways` says how calls leave by those that have a SIP trunk.
    `announcements` are what refused callers hear, by the reason of the refusal, and its owner may
    go on changing it, too; `announcing` bounds how many of them at once.
    """

    max_session_minutes: int = 720
    closed_session_retention_days: int = 30
    call_retention_days: int = 90
    audit_retention_days: int = 365
    recording_retention_days: int = 30
    quotas: Quotas = Quotas()
    rules: Rules = field(default_factory=Rules)
    carriers: Collection[str] = ()
    carriers_down: Collection[str] = ()
    text_carriers: Collection[str] = ()
    texts: TextPolicy = TextPolicy()
    ways: Mapping[str, WayOut] = field(default_factory=dict)
    barred_prefixes: tuple[str, ...] = ()
    enforce_encryption: bool = False
    rate: Rate | None = None
    announcements: Mapping[str, Announcement] = field(default_factory=dict)
    announcing: Places | None = None

    def way(self, carrier: str) -> WayOut:
        return self.ways.get(carrier, PLAIN)

    def carried_by(self, carrier: str, *, encrypted: bool = False) -> frozenset[Capability]:
        """What a carrier's numbers can be used for, on connectors that are `encrypted`, too: for
        nothing if the settings no longer have it."""
        if carrier not in self.carriers:
            return frozenset()
        texts = carrier in self.text_carriers
        calls = carrier in self.ways or not texts
        if encrypted and self.enforce_encryption:
            calls = self.way(carrier).encrypted
        can = {Capability.SMS: texts, Capability.VOICE: calls}
        return frozenset(each for each, carried in can.items() if carried)

    def needed(
        self, wanted: Collection[Capability], *, encrypted: bool = False
    ) -> frozenset[Capability]:
        """What a number must be able to do for a session with these capabilities. Clients ask for
        texts where there are none: what no carrier can is asked of no number."""
        able = (self.carried_by(name, encrypted=encrypted) for name in self.carriers)
        return frozenset[Capability]().union(*able).intersection(wanted)

    def fit(self, needed: Collection[Capability], *, encrypted: bool = False) -> tuple[str, ...]:
        """The carriers whose numbers can do all that is needed."""
        return tuple(
            name
            for name in self.carriers
            if self.carried_by(name, encrypted=encrypted).issuperset(needed)
        )


class Context(NamedTuple):
    """Who asks, when, and in which transaction. `now` is in milliseconds since the epoch.

    `account_id` is empty for what belongs to no account: a call arriving, the service's own work.
    `new_id` gives a fresh UUID as text, `clock` the time as it goes on (None: it stands still).
    """

    tx: Transaction
    account_id: str
    now: int
    new_id: Callable[[], str]
    policy: Policy = Policy()
    access_key_id: str | None = None
    clock: Callable[[], int] | None = None

    def holding(self, *names: str, shared: Sequence[str] = ()) -> Self:
        """The context when no other work holds these names any more; they are held to the end.

        Those that are `shared` others may hold so, too. It may have been a while: what the others
        did is in the past of its `now`. A clock that is ahead of the database's is not believed:
        by it, somebody's number would be free.
        """
        there = self.tx.lock(*names, shared=shared)
        return self._replace(now=min(self.clock(), there)) if self.clock else self


Operation = Callable[[Context, Request], Answer]


@dataclass(frozen=True)
class Handler:
    """An operation, and what the edge opens its transaction by: whether it changes anything;
    whether it may be done beside others, because it holds what it works on by name; whether it
    reads so much that others would wait for it; whether it reads with one query."""

    function: Operation
    mutates: bool
    beside: bool = False
    apart: bool = False
    piecemeal: bool = False
