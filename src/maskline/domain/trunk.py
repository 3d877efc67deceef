"""Trunks: by which of its targets a carrier is reached, and which of them work."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from maskline.domain.health import State


@dataclass(frozen=True)
class Target:
    """Where requests to a carrier can be sent. `address` is an IP address and a port as they stand
    in a URI. Of several, the lowest `priority` comes first; those of one priority share calls by
    `weight` (RFC 2782)."""

    address: str
    transport: str
    priority: int = 0
    weight: int = 0

    def __str__(self) -> str:
        return f"{self.transport}:{self.address}"

    def below(self, priority: int, weight: int) -> "Target":
        """The target as one of several places of a carrier: what the carrier's settings say comes
        before what its name servers say."""
        return replace(self, priority=priority << 24 | self.priority, weight=weight or self.weight)


def in_turn(targets: Iterable[Target], draw: Callable[[int], int]) -> list[Target]:
    """The targets in the order in which to try them (RFC 2782). `draw(n)` gives a number from 0
    to n, each as likely."""
    order = []
    remaining = sorted(targets, key=lambda target: (target.priority, target.weight))
    while remaining:
        first = [one for one in remaining if one.priority == remaining[0].priority]
        left = draw(sum(one.weight for one in first))
        for one in first:
            left -= one.weight
            if left <= 0:
                break
        order.append(one)
        remaining.remove(one)
    return order


# A target that worked is given up after so many probes in a row without an answer, and one that
# was given up is used again after so many with one; a single lost packet changes nothing.
MISSES_TO_DOWN, HITS_TO_UP = 2, 2


@dataclass(frozen=True)
class Health:
    """What is known of a target: its state, since when (milliseconds), and the probes in a row
    that speak against it."""

    state: State = State.UNKNOWN
    since: int = 0
    against: int = 0
    checked_at: int = 0

    def probed(self, answered: bool, now: int) -> "Health":
        """The health after a probe. The first one decides alone."""
        if self.state is State.UNKNOWN:
            return Health(State.UP if answered else State.DOWN, now, 0, now)
        if answered is (self.state is State.UP):
            return replace(self, against=0, checked_at=now)
        limit, other = (HITS_TO_UP, State.UP) if answered else (MISSES_TO_DOWN, State.DOWN)
        if self.against + 1 < limit:
            return replace(self, against=self.against + 1, checked_at=now)
        return Health(other, now, 0, now)


class NumberFormat(StrEnum):
    """How a carrier writes phone numbers; those of `country` alone where it is NATIONAL."""

    E164 = "e164"
    E164_WITHOUT_PLUS = "e164_without_plus"
    NATIONAL = "national"


@dataclass(frozen=True)
class WayOut:
    """How calls leave by a carrier: what may replace it, in order, the dialling prefixes that it
    is preferred for, how it writes numbers, how many calls it takes (0: any number), and whether
    all that passes between it and us is encrypted."""

    failover: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    number_format: NumberFormat = NumberFormat.E164
    country: str | None = None
    max_calls: int = 0
    max_calls_per_second: int = 0
    encrypted: bool = False


PLAIN = WayOut()


def ways_out(own: str, called: str, ways: Mapping[str, WayOut]) -> Sequence[str]:
    """The carriers for a call that shows a number of the carrier `own`, the best first: those that
    prefer the called number's beginning, by the longest of it, then `own`, then its others."""
    names = [own, *ways.get(own, PLAIN).failover]
    return sorted(names, key=lambda name: -preference(ways.get(name, PLAIN), called))


def preference(way: WayOut, called: str) -> int:
    return max((len(prefix) for prefix in way.prefixes if called.startswith(prefix)), default=0)
