"""What was seen held against what is stored: the rules that many processes must not break.

Facts are what the customers wrote (see client.py). Stored is every row of the store, read at once
when all is over. Times are milliseconds of one machine's clock.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

Fact = dict[str, Any]
Row = dict[str, Any]
Use = tuple[str, str]  # a participant and a proxy number


@dataclass(frozen=True)
class Stored:
    """Every row of the tables that matter; `pools` are the proxy numbers that each connector can
    give, `rests` how long they rest where they do, `per_participant` the connectors that may give
    each participant a number of their own, `read_at` is when."""

    sessions: Mapping[str, Row]
    claims: Mapping[Use, Row]
    counters: Mapping[str, int]
    audited: Mapping[str, str]
    pools: Mapping[str, frozenset[str]]
    rests: Mapping[str, int]
    per_participant: frozenset[str]
    read_at: int


class Span(NamedTuple):
    """When somebody used a number, and what for."""

    start: int
    end: int
    peer: str
    connector: str

    def free_at(self, peer: str, connector: str, rests: Mapping[str, int]) -> int:
        """From when on they can have it again, with this other one, by this connector."""
        if peer == self.peer:
            return self.end
        return self.end + max(rests.get(self.connector, 0), rests.get(connector, 0))


def uses_of(row: Row) -> list[Use]:
    return [(row[f"{side}_number"], row[f"{side}_proxy_number"]) for side in ("first", "second")]


def end_of(row: Row) -> int:
    """When a session ended or will."""
    end: int = row["expires_at"] if row["ended_at"] is None else row["ended_at"]
    return end


def faults(facts: list[Fact], stored: Stored) -> Iterator[str]:
    """Everything that is not as it must be, in words; nothing when all is well."""
    yield from shared_numbers(stored.sessions.values(), stored.rests)
    yield from wrong_refusals(facts, stored)
    yield from missing(facts, stored)
    yield from unsound(stored)
    yield from strange_answers(facts)


def shared_numbers(sessions: Iterable[Row], rests: Mapping[str, int]) -> Iterator[str]:
    """No two sessions had a participant's proxy number at once, or while it rested."""
    for use, spans in spans_of(sessions).items():
        for before, after in pairwise(spans):
            if after.start < before.end:
                yield f"{use} was in use until {before.end} when a session took it: {after}"
            elif after.start < before.free_at(after.peer, after.connector, rests):
                yield f"{use} rested after {before} when a session took it: {after}"


def spans_of(sessions: Iterable[Row]) -> dict[Use, list[Span]]:
    """When each participant's use of a number began and ended, in order."""
    spans: defaultdict[Use, list[Span]] = defaultdict(list)
    for row in sessions:
        uses = uses_of(row)
        for use, (peer, _) in zip(uses, reversed(uses), strict=True):
            span = Span(row["created_at"], end_of(row), peer, row["voice_connector_id"])
            spans[use].append(span)
    return {use: sorted(found) for use, found in spans.items()}


def wrong_refusals(facts: list[Fact], stored: Stored) -> Iterator[str]:
    """Who was refused a session could not have had one at some moment between question and answer.

    A session has its numbers from its first millisecond through its last, and what was stored
    without being answered counts: this moment is looked for among all that happened.
    """
    busy = Busy(spans_of(stored.sessions.values()), stored)
    for fact in facts:
        if fact["kind"] != "create" or fact.get("code") != "ResourceLimitExceeded":
            continue
        first, second = fact["pair"]
        groups = [[(first, second), (second, first)]]
        if fact["connector"] in stored.per_participant:
            groups = [[each] for each in groups[0]]  # each may have one alone
        if not any(busy.sometime(group, fact) for group in groups):
            yield f"refused though a number was free: {fact}"


class Busy:
    """When all numbers of a pool were in use by any of some people, or rested for them."""

    def __init__(self, spans: Mapping[Use, list[Span]], stored: Stored) -> None:
        self._spans = spans
        self._stored = stored

    def sometime(self, people: list[tuple[str, str]], fact: Fact) -> bool:
        """Whether they were at some moment between question and answer; `people` are those who
        need a number, each with the other one.

        If they were at any, they were at the first or when one of the uses began.
        """
        first, last = fact["sent"], fact["answered"]
        moments = {first}
        held = []
        for number in self._stored.pools[fact["connector"]]:
            near = [
                span for person, peer in people for span in self._near((person, number), peer, fact)
            ]
            if not near:
                return False
            held.append(near)
            moments.update(start for start, _ in near if first <= start <= last)
        return any(
            all(any(start <= moment <= end for start, end in near) for near in held)
            for moment in moments
        )

    def _near(self, use: Use, peer: str, fact: Fact) -> Iterator[tuple[int, int]]:
        """When, about that time, the use began and the number was free again; ends are in order,
        as no two overlap."""
        spans, rests = self._spans.get(use, []), self._stored.rests
        longest = max(rests.values(), default=0)
        place = bisect_right(spans, fact["answered"], key=lambda span: span.start) - 1
        while place >= 0 and spans[place].end + longest >= fact["sent"]:
            free_at = spans[place].free_at(peer, fact["connector"], rests)
            if free_at >= fact["sent"]:
                yield spans[place].start, free_at
            place -= 1


def missing(facts: list[Fact], stored: Stored) -> Iterator[str]:
    """What was answered with success is stored, and nothing ended by itself."""
    touched: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact["kind"] in ("delete", "update"):
            touched[fact["session"]].append(fact)
        done = fact["kind"] != "get" and (fact["status"] or 500) < 300
        if done and stored.audited.get(fact["request"]) != "Success":
            yield f"no audit record of {fact}"
    for fact in facts:
        if fact["kind"] == "create" and fact["status"] == 201:
            row = stored.sessions.get(fact["session"])
            if row is None:
                yield f"answered and lost: {fact}"
                continue
            later = touched.pop(fact["session"], [])
            yield from unlike(fact, row)
            yield from unlike_end(later, row, stored.read_at)
    for session, later in touched.items():
        yield f"changed but never opened: {session} {later}"


def unlike(fact: Fact, row: Row) -> Iterator[str]:
    if dict(uses_of(row)) != fact["numbers"]:
        yield f"stored with other numbers: {fact} {row}"
    if not fact["sent"] <= row["created_at"] <= fact["answered"]:
        yield f"not made between question and answer: {fact} {row}"


def unlike_end(later: list[Fact], row: Row, read_at: int) -> Iterator[str]:
    """Whether its end is what was asked for last, as far as that was answered."""
    ended_at, expires_at = row["ended_at"], row["expires_at"]
    closing = [fact for fact in later if fact["kind"] == "delete"]
    expired = ended_at == expires_at and expires_at <= read_at
    asked = any(
        fact["sent"] <= (ended_at or 0) and (fact["status"] is None or ended_at <= fact["answered"])
        for fact in closing
    )
    if ended_at is not None and not (expired or asked):
        yield f"ended by nobody: {row} {later}"
    if ended_at is None and any(fact["status"] == 204 for fact in closing):
        yield f"closed and open: {row} {later}"
    moves = [fact for fact in later if fact["kind"] == "update" and fact["status"] in (201, None)]
    sure = [place for place, fact in enumerate(moves) if fact["status"] == 201]
    if sure and not any(moved_by(fact, expires_at) for fact in moves[sure[-1] :]):
        yield f"its window is not the one asked for last: {row} {later}"


def moved_by(fact: Fact, expires_at: int) -> bool:
    at = expires_at - fact["minutes"] * 60_000
    return bool(fact["sent"] <= at and (fact["status"] is None or at <= fact["answered"]))


def unsound(stored: Stored) -> Iterator[str]:
    """Counters and claims say what the sessions say."""
    running = [row for row in stored.sessions.values() if row["ended_at"] is None]
    counted = Counter(
        number for row in running for number in {number for _, number in uses_of(row)}
    )
    for number, counter in stored.counters.items():
        if counter != counted[number]:
            yield f"{number} has {counted[number]} open sessions and counts {counter}"
    for row in running:
        if row["expires_at"] <= stored.read_at:
            continue
        for use in uses_of(row):
            claim = stored.claims.get(use)
            held = claim and (claim["proxy_session_id"], claim["held_until"])
            if held != (row["proxy_session_id"], row["expires_at"]):
                yield f"{use} is not claimed for its open session: {row} {claim}"


RIGHT = {
    "create": {201, None},
    "delete": {204, None},
    "update": {201, None},
    "get": {200, None},
}


def strange_answers(facts: list[Fact]) -> Iterator[str]:
    """No request fails, but those that are refused for want of a number or because a session is
    over, and those that a killed process never answered."""
    for fact in facts:
        refused = fact["kind"] == "create" and fact.get("code") == "ResourceLimitExceeded"
        closed = fact["kind"] == "update" and fact["status"] == 400
        if fact["status"] not in RIGHT[fact["kind"]] and not refused and not closed:
            yield f"a strange answer: {fact}"
