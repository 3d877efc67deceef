"""The rules of number selection, spelled out the slow way, and the numbers of their examples."""

from dataclasses import dataclass, field
from typing import Any

from desk import ANN, BEN, START

from maskline.clock import MINUTE
from maskline.domain.trunk import WayOut
from maskline.operations import Policy
from maskline.operations.numbering import place_of

# Everybody carries calls but initech, and initech and globex alone carry texts.
CARRIERS = Policy(
    carriers=("acme", "globex", "initech"),
    ways={"acme": WayOut(), "globex": WayOut()},
    text_carriers={"globex", "initech"},
)


# Few enough to meet again, and to hold all numbers of a pool.
PEOPLE = [ANN, BEN, "+16045550103", "+15035550104"]
AREAS = (206, 303, 604)
# The numbers of two accounts.
NUMBERS = [
    [f"+1{area}555019{digit}" for area in AREAS for digit in range(2)],
    [f"+1{area}5550192" for area in AREAS],
]
# Connectors, and the countries of each. Those of one account share what belongs to neither.
CONNECTORS = (("US", "CA"), ("US",), ("US", "CA"))
ACCOUNTS = (0, 0, 1)
OWNERS: tuple[list[int | None], ...] = ([None, 0, 1], [None, 2])
# What sessions are for; the second account has no number for texts.
PURPOSES = (["Voice"], ["Voice"], ["Voice", "SMS"], ["SMS"])
PARAMS = [None, ("US", "303"), ("US", "206"), ("CA", ""), ("CA", "604"), ("MX", "206"), ("US", "")]


@dataclass
class Session:
    connector: int
    numbers: dict[str, str]
    until: int
    noted: bool = False  # that it ended, which the counters of its numbers follow


@dataclass
class Number:
    account: int
    owner: int | None  # the connector it belongs to
    last_assigned_at: int = 0


@dataclass
class Book:
    """The rules of number selection, by looking at every session there ever was."""

    numbers: dict[str, Number]
    now: int = START
    sessions: list[Session] = field(default_factory=list)
    usual_rest: int = 0
    rests: dict[int, int | None] = field(default_factory=dict)
    texts: bool = False  # whether the session asked for is for texts, too

    def used(self, person: str, number: str) -> int:
        """Until when the person has used the number, 0 for never."""
        return max((s.until for s in self.sessions if s.numbers.get(person) == number), default=0)

    def last(self, person: str, number: str) -> Session | None:
        """The last session of the person on the number: they have one after the other."""
        return next((s for s in reversed(self.sessions) if s.numbers.get(person) == number), None)

    def rest(self, connector: int) -> int:
        """How many minutes numbers rest by the rule of a connector."""
        own = self.rests.get(connector)
        return self.usual_rest if own is None else own

    def rests_for(self, person: str, number: str, peer: str, connector: int) -> bool:
        """Whether the person's last session on the number was with somebody else, and lately."""
        last = self.last(person, number)
        if last is None or last.until > self.now or peer in last.numbers:
            return False
        minutes = max(self.rest(connector), self.rest(last.connector))
        return last.until + minutes * MINUTE > self.now

    def free(self, person: str, number: str, peer: str, connector: int) -> bool:
        rests = self.rests_for(person, number, peer, connector)
        return self.used(person, number) <= self.now and not rests

    def has(self, person: str, owner: int | None, account: int) -> tuple[int, int]:
        """How many numbers of a pool somebody has in use, and how many rest."""
        takers = [place for place, each in enumerate(ACCOUNTS) if each == account]
        longest = max(self.rest(c) for c in takers if owner in (None, c))
        uses = [
            last
            for number, facts in self.numbers.items()
            if (facts.owner, facts.account) == (owner, account)
            and (last := self.last(person, number))
        ]
        in_use = sum(last.until > self.now for last in uses)
        lately = sum(
            last.until + max(longest, self.rest(last.connector)) * MINUTE > self.now
            for last in uses
        )
        return in_use, lately - in_use

    def resting(self, connector: int, pair: tuple[str, str]) -> int:
        """How many numbers of the pool rest for one of a pair."""
        return sum(
            any(self.rests_for(*who, connector) for who in ((a, n, b), (b, n, a)))
            for n in self.pool(connector)
            for a, b in [pair]
        )

    def open_sessions(self, number: str) -> int:
        return sum(not s.noted and number in s.numbers.values() for s in self.sessions)

    def of_pair(self, first: str, second: str) -> list[Session]:
        return [s for s in self.sessions if set(s.numbers) == {first, second}]

    def pool(self, connector: int) -> list[str]:
        """The numbers that a session may have: of these, odd ones alone take texts."""
        return [n for n in self.whole_pool(connector) if not self.texts or carrier_of(n) != "acme"]

    def whole_pool(self, connector: int) -> list[str]:
        return [
            number
            for number, facts in self.numbers.items()
            if facts.account == ACCOUNTS[connector]
            and facts.owner in (None, connector)
            and place_of(number).country in CONNECTORS[connector]
        ]

    def sticky(self, connector: int, pair: tuple[str, str]) -> dict[str, str] | None:
        """The numbers of the pair's last session on numbers of the pool, unless either of them had
        theirs later, with another of the other's."""
        later: set[tuple[str, str]] = set()
        for session in reversed(self.of_pair(*pair)):
            here = {*session.numbers.values()} <= {*self.pool(connector)}
            if here and not later & {*session.numbers.items()}:
                return session.numbers
            later |= {*session.numbers.items()}
        return None

    def best(
        self,
        connector: int,
        who: dict[str, str],
        wish: tuple[str, str] | None,
        avoided: set[str],
    ) -> str | None:
        """The number for some people, each with the other one of the session."""
        pool = [number for number in self.pool(connector) if number not in avoided]
        free = [n for n in pool if all(self.free(a, n, b, connector) for a, b in who.items())]

        def rank(number: str) -> tuple[Any, ...]:
            place = place_of(number)
            same_country = wish is not None and place.country == wish[0]
            same_area = same_country and wish is not None and place.area_code == wish[1]
            return (
                -same_area - same_country,
                self.numbers[number].owner is None,
                max(self.used(person, number) for person in who),
                self.open_sessions(number),
                self.numbers[number].last_assigned_at,
                number,
            )

        return min(free, key=rank, default=None)

    def expected(
        self,
        connector: int,
        pair: tuple[str, str],
        behaviour: str | None,
        wish: tuple[str, str] | None,
        own: bool,
    ) -> dict[str, str] | None:
        first, second = pair
        before = self.of_pair(first, second)
        if behaviour == "PreferSticky" and (last := self.sticky(connector, pair)):
            peer = {first: second, second: first}
            both_free = all(self.free(a, n, peer[a], connector) for a, n in last.items())
            if both_free and (own or last[first] == last[second]):
                return last
        avoided = [set[str]()]
        if behaviour == "AvoidSticky":
            avoided.insert(0, {number for s in before for number in s.numbers.values()})
        for each in avoided:
            if number := self.best(connector, {first: second, second: first}, wish, each):
                return {first: number, second: number}
        return self.expected_own(connector, pair, behaviour, wish) if own else None

    def expected_own(
        self,
        connector: int,
        pair: tuple[str, str],
        behaviour: str | None,
        wish: tuple[str, str] | None,
    ) -> dict[str, str] | None:
        numbers: dict[str, str] = {}
        for person, peer in (pair, pair[::-1]):
            mine = {s.numbers[person] for s in self.of_pair(*pair)}
            avoided = [mine, set[str]()] if behaviour == "AvoidSticky" else [set[str]()]
            found = [
                n for each in avoided if (n := self.best(connector, {person: peer}, wish, each))
            ]
            if not found:
                return None
            numbers[person] = found[0]
        return numbers


def carrier_of(number: str) -> str:
    return "globex" if int(number) % 2 else "acme"


def wish_of(
    level: str | None, params: tuple[str, str] | None, first: str
) -> tuple[str, str] | None:
    """The country and area code that a request would like its number to have."""
    home = place_of(first)
    country, area_code = params or (home.country, "")
    if level is None:
        return params
    if level == "Country":
        return country, ""
    if not area_code and country == home.country:
        area_code = home.area_code
    return country, area_code
