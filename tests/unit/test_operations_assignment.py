"""Which number a new session gets: against the rules, spelled out the slow way."""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from desk import ANN, BEN, CAT, START, Desk, ids, proxies, proxy
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from maskline.clock import DAY, MINUTE
from maskline.domain.refusals import BadRequest, NoNumberFree
from maskline.domain.trunk import WayOut
from maskline.operations import Policy, assignment, purge_phone_numbers, settle_expired_sessions
from maskline.operations.numbering import place_of

SEATTLE, DENVER, VANCOUVER = "+12065550190", "+13035550190", "+16045550190"
# Everybody carries calls but initech, and initech and globex alone carry texts.
CARRIERS = Policy(
    carriers=("acme", "globex", "initech"),
    ways={"acme": WayOut(), "globex": WayOut()},
    text_carriers={"globex", "initech"},
)
NO_ERRORS: dict[str, Any] = {"PhoneNumberErrors": []}


@pytest.mark.parametrize(
    ("level", "params", "number"),
    [
        ("AreaCode", None, SEATTLE),
        (None, ("US", "303"), DENVER),
        (None, ("CA", ""), VANCOUVER),
        ("Country", ("CA", "303"), VANCOUVER),
    ],
)
def test_geo_wishes(
    desk: Desk, level: str | None, params: tuple[str, str] | None, number: str
) -> None:
    desk.import_numbers(DENVER, SEATTLE, VANCOUVER)
    wish: dict[str, Any] = {"GeoMatchLevel": level}
    if params is not None:
        wish["GeoMatchParams"] = {"Country": params[0], "AreaCode": params[1]}
    assert proxy(desk.open(desk.connector("US", "CA"), ANN, BEN, **wish)) == number


def test_a_geo_wish_is_a_preference(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER, VANCOUVER)
    connector = desk.connector("US", "CA")
    got = [proxy(desk.open(connector, ANN, BEN, GeoMatchLevel="AreaCode")) for _ in range(3)]
    assert got == [SEATTLE, DENVER, VANCOUVER]


def test_the_pools_countries_bound_every_wish(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, VANCOUVER)
    wish = {"Country": "CA", "AreaCode": "604"}
    assert proxy(desk.open(desk.connector("US"), ANN, BEN, GeoMatchParams=wish)) == SEATTLE


def test_a_number_used_before_rests_longest(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    first = desk.open(connector, ANN, BEN)
    second = desk.open(connector, ANN, CAT)
    desk.now += MINUTE
    desk.close(second)
    desk.now += MINUTE
    desk.close(first)
    desk.now += MINUTE
    assert proxy(desk.open(connector, ANN, BEN)) == proxy(second)


def test_sticky_takes_the_pairs_last_number(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    for _ in range(2):
        last = desk.open(connector, ANN, BEN)
        desk.now += MINUTE
        desk.close(last)
    again = desk.open(connector, BEN, ANN, NumberSelectionBehavior="PreferSticky")
    assert proxy(again) == proxy(last)
    other = desk.open(connector, BEN, ANN, NumberSelectionBehavior="PreferSticky")
    assert proxy(other) != proxy(last)


def test_what_a_pair_has_with_another_account_neither_helps_nor_shows(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    before = desk.open(connector, ANN, BEN)
    desk.now += MINUTE
    desk.close(before)
    ours, theirs = desk.account_id, desk.tenant()
    desk.import_numbers(VANCOUVER, AccountId=theirs)
    desk.account_id = theirs
    desk.open(desk.connector("CA"), ANN, BEN)
    desk.account_id, desk.now = ours, desk.now + MINUTE
    again = desk.open(connector, ANN, BEN, NumberSelectionBehavior="PreferSticky")
    assert proxy(again) == proxy(before)


def order(desk: Desk, *numbers: str) -> None:
    desk.call("CreatePhoneNumberOrder", ProductType="VoiceConnector", E164PhoneNumbers=numbers)


def connector_with(desk: Desk, *numbers: str) -> str:
    """A connector of the account's with these numbers of its own."""
    connector = desk.connector()
    associated = {"VoiceConnectorId": connector, "E164PhoneNumbers": numbers}
    assert desk.call("AssociatePhoneNumbersWithVoiceConnector", **associated) == NO_ERRORS
    return connector


@pytest.mark.parametrize(
    ("behaviour", "number"), [("PreferSticky", DENVER), ("AvoidSticky", SEATTLE), (None, SEATTLE)]
)
def test_what_a_pair_did_with_a_number_of_another_account_is_forgotten(
    desk: Desk, behaviour: str | None, number: str
) -> None:
    desk.import_numbers(SEATTLE, DENVER, shared=False)
    before, after = desk.tenant(), desk.tenant()
    desk.account_id = before
    order(desk, SEATTLE)
    connector = connector_with(desk, SEATTLE)
    desk.close(desk.open(connector, ANN, BEN))
    associated = {"VoiceConnectorId": connector, "E164PhoneNumbers": [SEATTLE]}
    desk.call("DisassociatePhoneNumbersFromVoiceConnector", **associated)
    desk.call("DeletePhoneNumber", PhoneNumberId=SEATTLE)
    desk.now += 7 * DAY
    assert purge_phone_numbers(desk.context("")) == 1
    desk.account_id = after
    order(desk, SEATTLE, DENVER)
    connector = connector_with(desk, SEATTLE, DENVER)
    if number == SEATTLE:  # the other one is to be the last that was handed out
        assert proxy(desk.open(connector, CAT, "+15035550104")) == DENVER
    wish = {"NumberSelectionBehavior": behaviour} if behaviour else {}
    assert proxy(desk.open(connector, ANN, BEN, **wish)) == number


def test_an_account_that_orders_its_own_number_knows_it_still(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER, shared=False)
    connector = connector_with(desk, SEATTLE)
    desk.close(desk.open(connector, ANN, BEN))
    desk.now += MINUTE
    associated = {"VoiceConnectorId": connector, "E164PhoneNumbers": [SEATTLE]}
    desk.call("DisassociatePhoneNumbersFromVoiceConnector", **associated)
    order(desk, SEATTLE)
    assert desk.call("GetPhoneNumber", PhoneNumberId=SEATTLE)["PhoneNumber"]["OrderId"]
    connector = connector_with(desk, SEATTLE, DENVER)
    again = desk.open(connector, ANN, BEN, NumberSelectionBehavior="PreferSticky")
    assert proxy(again) == SEATTLE


def test_a_pairs_numbers_are_those_of_one_session(desk: Desk) -> None:
    """A number of the latest one has left the pool: the other is no use either."""
    numbers = [f"+1913555019{digit}" for digit in range(4)]
    _, both, gone, left = numbers
    desk.import_numbers(*numbers)
    connector = desk.connector()
    desk.rule(connector, NumberAssignment="per_participant")
    for hers, his in ((both, both), (gone, left)):
        desk.now += 1
        desk.tx.run(
            "remember_pair_numbers",
            first_number=ANN,
            first_proxy_number=hers,
            second_number=BEN,
            second_proxy_number=his,
            created_at=desk.now,
        )
    wish = {"NumberSelectionBehavior": "PreferSticky"}
    before = desk.open(connector, ANN, BEN, **wish)
    assert proxies(before) == {ANN: gone, BEN: left}
    desk.close(before)
    desk.call(
        "AssociatePhoneNumbersWithVoiceConnector",
        VoiceConnectorId=desk.connector(),
        E164PhoneNumbers=[gone],
    )
    assert proxies(desk.open(connector, ANN, BEN, **wish)) == {ANN: both, BEN: both}


def test_of_sessions_made_at_once_the_lowest_number_is_taken_again(desk: Desk) -> None:
    desk.import_numbers(DENVER, SEATTLE)
    connector = desk.connector()
    for session in [desk.open(connector, ANN, BEN) for _ in range(2)]:
        desk.close(session)
    desk.now += MINUTE
    for pair in ((ANN, BEN), (BEN, ANN)):
        session = desk.open(connector, *pair, NumberSelectionBehavior="PreferSticky")
        assert proxy(session) == SEATTLE
        desk.close(session)


def test_avoiding_takes_a_number_new_to_the_pair_while_there_is_one(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    got = []
    for _ in range(3):
        session = desk.open(connector, ANN, BEN, NumberSelectionBehavior="AvoidSticky")
        got.append(proxy(session))
        desk.now += MINUTE
        desk.close(session)
    assert set(got[:2]) == {SEATTLE, DENVER}
    assert got[2] == got[0]


def test_among_equals_the_least_busy_number_wins(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    desk.open(connector, ANN, BEN)
    desk.now += 1
    ended = desk.open(connector, ANN, BEN)
    desk.close(ended)
    # The other one was handed out longer ago, but has a session open.
    assert proxy(desk.open(connector, CAT, "+15035550104")) == proxy(ended)


def test_sessions_spread_evenly_over_the_pool(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    people = [f"+1503555{number:04}" for number in range(8)]
    for first, second in zip(people[::2], people[1::2], strict=True):
        desk.open(connector, first, second)
    counts = desk.ground.sql("SELECT open_sessions FROM phone_numbers")
    assert [row["open_sessions"] for row in counts] == [2, 2]


def test_own_numbers_come_before_shared_ones(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    desk.ground.sql(
        "UPDATE phone_numbers SET voice_connector_id = ? WHERE phone_number = ?",
        connector,
        DENVER,
    )
    assert proxy(desk.open(connector, ANN, BEN)) == DENVER
    assert proxy(desk.open(connector, ANN, BEN)) == SEATTLE
    assert proxy(desk.open(desk.connector(), CAT, "+15035550104")) == SEATTLE


def test_numbers_of_their_own_where_none_is_free_for_both(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    desk.rule(connector, NumberAssignment="per_participant")
    ann_has = proxy(desk.open(connector, ANN, CAT))
    ben_has = proxy(desk.open(connector, BEN, "+15035550104"))
    assert ann_has != ben_has
    session = desk.open(connector, ANN, BEN)
    assert proxies(session) == {ANN: ben_has, BEN: ann_has}
    desk.close(session)
    desk.now += MINUTE
    again = desk.open(connector, BEN, ANN, NumberSelectionBehavior="PreferSticky")
    assert proxies(again) == proxies(session)


def test_each_of_a_pair_needs_a_number(desk: Desk) -> None:
    """One that is free for one of them alone is none, whoever it is."""
    desk.import_numbers(SEATTLE)
    connector = desk.connector()
    desk.rule(connector, NumberAssignment="per_participant")
    desk.open(connector, ANN, CAT)
    for pair in ((ANN, BEN), (BEN, ANN)):
        with pytest.raises(NoNumberFree, match="numbers in the pool: 1"):
            desk.open(connector, *pair)


def test_a_pair_that_had_a_number_each_gets_one_where_that_is_the_rule(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    desk.rule(connector, NumberAssignment="per_participant")
    others = [desk.open(connector, ANN, CAT), desk.open(connector, BEN, "+15035550104")]
    session = desk.open(connector, ANN, BEN)
    assert len(set(proxies(session).values())) == 2
    for one in (session, *others):
        desk.close(one)
    desk.now += MINUTE
    desk.rule(connector, NumberAssignment="shared")
    again = desk.open(connector, ANN, BEN, NumberSelectionBehavior="PreferSticky")
    assert len(set(proxies(again).values())) == 1


def test_somebody_who_used_more_than_the_window_still_gets_what_is_free(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment, "WINDOW", 2)
    numbers = [f"+1913555{number:04}" for number in range(12)]
    desk.import_numbers(*numbers)
    connector = desk.connector()
    open_now = []
    for place in range(12):
        desk.now += 1
        open_now.append(desk.open(connector, ANN, f"+1503555{place:04}"))
    assert {proxy(session) for session in open_now} == set(numbers)
    for session in (open_now[5], open_now[3]):
        desk.now += 1
        desk.close(session)
    assert proxy(desk.open(connector, ANN, BEN)) == proxy(open_now[5])
    assert proxy(desk.open(connector, ANN, BEN)) == proxy(open_now[3])
    with pytest.raises(NoNumberFree):
        desk.open(connector, ANN, BEN)


@pytest.fixture
def offices() -> Desk:
    """A desk with a number of each of three carriers that can do different things."""
    desk = Desk(CARRIERS)
    for number, carrier in ((SEATTLE, "acme"), (DENVER, "globex"), (VANCOUVER, "initech")):
        desk.import_numbers(number, CarrierName=carrier)
    return desk


@pytest.mark.parametrize(
    ("capabilities", "numbers", "refusal"),
    [
        (["Voice"], [SEATTLE, DENVER], "3, fit for Voice: 2"),
        (["SMS"], [DENVER, VANCOUVER], "3, fit for SMS: 2"),
        (["Voice", "SMS"], [DENVER], "3, fit for SMS and Voice: 1"),
    ],
)
@pytest.mark.parametrize("own", [{}, {"NumberAssignment": "per_participant"}])
def test_numbers_are_those_of_carriers_that_can_do_what_the_session_is_for(
    offices: Desk,
    capabilities: list[str],
    numbers: list[str],
    refusal: str,
    own: dict[str, str],
) -> None:
    connector = offices.connector("US", "CA")
    offices.rule(connector, **own)
    asked: dict[str, Any] = {"Capabilities": capabilities}
    got = [proxy(offices.open(connector, ANN, BEN, **asked)) for _ in numbers]
    assert got == numbers
    with pytest.raises(NoNumberFree, match=rf"numbers in the pool: {refusal}\."):
        offices.open(connector, ANN, BEN, **asked)


@pytest.mark.parametrize(
    "wish", [{"NumberSelectionBehavior": "PreferSticky"}, {"GeoMatchLevel": "AreaCode"}]
)
def test_no_wish_leads_to_a_number_that_cannot_do_it(offices: Desk, wish: dict[str, str]) -> None:
    connector = offices.connector("US", "CA")
    calls = offices.open(connector, ANN, BEN, Capabilities=["Voice"])
    offices.now += MINUTE
    offices.close(calls)
    assert proxy(calls) == SEATTLE  # Ann's own area code, and the pair's last number
    assert proxy(offices.open(connector, ANN, BEN, **wish)) == DENVER


def test_a_number_used_longest_ago_must_be_able_too(offices: Desk) -> None:
    connector = offices.connector("US")
    for capabilities in (["Voice"], ["SMS"]):
        session = offices.open(connector, ANN, BEN, Capabilities=capabilities)
        offices.now += MINUTE
        offices.close(session)
    assert proxy(offices.open(connector, ANN, BEN, Capabilities=["SMS"])) == DENVER


def test_a_number_whose_carrier_is_gone_is_given_to_nobody(offices: Desk) -> None:
    """No call and no text comes by it any more."""
    offices.policy = replace(CARRIERS, carriers=("acme", "initech"))
    calls: dict[str, Any] = {"Capabilities": ["Voice"]}
    connector = offices.connector()
    assert proxy(offices.open(connector, ANN, BEN, **calls)) == SEATTLE
    with pytest.raises(NoNumberFree, match="in the pool: 2, fit for Voice: 1"):
        offices.open(connector, ANN, BEN, **calls)
    left_behind = offices.call("GetPhoneNumber", PhoneNumberId=DENVER)["PhoneNumber"]
    assert not any(left_behind["Capabilities"].values())


def test_where_calls_must_be_encrypted_a_number_is_of_an_encrypted_carrier(
    offices: Desk,
) -> None:
    ways = {**CARRIERS.ways, "globex": WayOut(encrypted=True)}
    offices.policy = replace(CARRIERS, ways=ways, enforce_encryption=True)
    plain, encrypted = offices.connector(), offices.connector()
    names = {"VoiceConnectorId": encrypted, "Name": "c", "RequireEncryption": True}
    offices.call("UpdateVoiceConnector", **names)
    calls: dict[str, Any] = {"Capabilities": ["Voice"]}
    assert proxy(offices.open(plain, ANN, BEN, **calls)) == SEATTLE
    assert proxy(offices.open(encrypted, CAT, BEN, **calls)) == DENVER
    with pytest.raises(NoNumberFree, match="in the pool: 2, fit for Voice: 1"):
        offices.open(encrypted, CAT, BEN, **calls)
    offices.policy = replace(offices.policy, enforce_encryption=False)
    assert proxy(offices.open(encrypted, CAT, "+15035550104", **calls)) == SEATTLE


def test_an_encrypted_connector_gives_no_calls_to_a_number_that_would_refuse_them(
    offices: Desk,
) -> None:
    connector = offices.connector("CA")
    session = offices.open(connector, ANN, BEN, Capabilities=["SMS"])
    ways = {"acme": WayOut(encrypted=True), "initech": WayOut()}
    offices.policy = replace(CARRIERS, ways=ways, enforce_encryption=True)
    both = {**ids(session), "Capabilities": ["Voice", "SMS"]}
    names = {"VoiceConnectorId": connector, "Name": "c"}
    offices.call("UpdateVoiceConnector", **names, RequireEncryption=True)
    with pytest.raises(BadRequest, match="cannot be used for Voice"):
        offices.call("UpdateProxySession", **both)
    offices.call("UpdateVoiceConnector", **names, RequireEncryption=False)
    offices.call("UpdateProxySession", **both)


def test_what_no_carrier_can_is_asked_of_no_number(desk: Desk) -> None:
    """Clients of services that had texts go on asking for them."""
    desk.import_numbers(SEATTLE)
    connector = desk.connector()
    session = desk.open(connector, ANN, BEN, Capabilities=["Voice"])
    asked = {**ids(session), "Capabilities": ["SMS", "Voice"]}
    changed = desk.call("UpdateProxySession", **asked)["ProxySession"]
    opened = desk.open(connector, CAT, "+15035550104")
    assert changed["Capabilities"] == opened["Capabilities"] == ["SMS", "Voice"]


def test_a_session_is_given_nothing_that_its_number_cannot_do(offices: Desk) -> None:
    session = offices.open(offices.connector(), ANN, BEN, Capabilities=["Voice"])
    assert proxy(session) == SEATTLE
    both = {**ids(session), "Capabilities": ["Voice", "SMS"]}
    with pytest.raises(BadRequest, match="cannot be used for SMS"):
        offices.call("UpdateProxySession", **both)
    offices.call("UpdateProxySession", **{**both, "Capabilities": ["Voice"]})
    offices.policy = replace(CARRIERS, carriers=("acme",))
    offices.call("UpdateProxySession", **both)
    offices.policy = CARRIERS
    kept = offices.call("UpdateProxySession", **both, ExpiryMinutes=5)["ProxySession"]
    assert (kept["Capabilities"], kept["ExpiryMinutes"]) == (["SMS", "Voice"], 5)


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


REQUESTS = st.fixed_dictionaries(
    {
        "connector": st.sampled_from([0, 0, 1, 2]),
        "pair": st.sampled_from(list(itertools.permutations(PEOPLE, 2))),
        "behaviour": st.sampled_from([None, "PreferSticky", "PreferSticky", "AvoidSticky"]),
        "level": st.sampled_from([None, None, "AreaCode", "Country"]),
        "params": st.sampled_from(PARAMS),
        "minutes": st.sampled_from([1, 10, 600]),
        "pause": st.sampled_from([1, 1, MINUTE, 10 * MINUTE]),
        "closed": st.booleans(),  # at once
        "purpose": st.sampled_from(PURPOSES),
    }
)


class Selection(RuleBasedStateMachine):
    """Random sessions of a few people on a few numbers of three connectors, beside the rules."""

    @initialize(
        own=st.booleans(),
        few=st.sampled_from([2, 3, 6]),  # of few, people have soon used all
        owners=st.lists(st.integers(0, 5), min_size=9, max_size=9),
    )
    def begin(self, own: bool, few: int, owners: list[int]) -> None:
        self.desk, self.own = Desk(CARRIERS), own
        self.accounts = [self.desk.account_id, self.desk.tenant()]
        stock = [numbers[:few] for numbers in NUMBERS]
        for account_id, numbers in zip(self.accounts, stock, strict=True):
            for number in numbers:
                carrier = carrier_of(number)
                self.desk.import_numbers(number, AccountId=account_id, CarrierName=carrier)
        self.connectors = [self.new_connector(place) for place in range(len(CONNECTORS))]
        self.book = Book(
            {number: Number(a, None) for a, numbers in enumerate(stock) for number in numbers}
        )
        for number, owner in zip(self.book.numbers, owners, strict=False):
            self.associate(number, owner)
        self.live: list[tuple[dict[str, Any], Session]] = []

    def new_connector(self, place: int) -> str:
        self.ask_as(place)
        connector = self.desk.connector(*CONNECTORS[place])
        self.desk.rule(connector, **self.assignment)
        return connector

    @property
    def assignment(self) -> dict[str, str]:
        return {"NumberAssignment": "per_participant"} if self.own else {}

    def ask_as(self, connector: int) -> None:
        """What follows is asked by the account of the connector."""
        self.desk.account_id = self.accounts[ACCOUNTS[connector]]

    @rule(place=st.integers(0, 8), owner=st.integers(0, 5))
    def move(self, place: int, owner: int) -> None:
        self.associate([*self.book.numbers][place % len(self.book.numbers)], owner)

    def associate(self, number: str, owner: int) -> None:
        """Gives a number to a connector of its account, or to all of them."""
        facts = self.book.numbers[number]
        choices = OWNERS[facts.account]
        before, facts.owner = facts.owner, choices[owner % len(choices)]
        if before != facts.owner:
            into = facts.owner is not None
            connector = facts.owner if into else before
            assert connector is not None
            self.ask_as(connector)
            self.desk.call(
                f"{'Associate' if into else 'Disassociate'}PhoneNumbers"
                f"{'With' if into else 'From'}VoiceConnector",
                VoiceConnectorId=self.connectors[connector],
                E164PhoneNumbers=[number],
                **({"ForceAssociate": True} if into else {}),
            )

    @rule(connector=st.integers(0, 2), minutes=st.sampled_from([None, 0, 5, 20, 600]))
    def rest(self, connector: int, minutes: int | None) -> None:
        """Changes how long numbers rest by the rule of a connector."""
        self.ask_as(connector)
        rules = {} if minutes is None else {"NumberRestMinutes": minutes}
        self.desk.rule(self.connectors[connector], **self.assignment, **rules)
        self.book.rests[connector] = minutes

    @rule(minutes=st.sampled_from([0, 5, 20]))
    def usual_rest(self, minutes: int) -> None:
        """Starts the service again with another setting."""
        rules = replace(self.desk.policy.rules, number_rest_minutes=minutes)
        self.desk.policy = replace(self.desk.policy, rules=rules)
        self.book.usual_rest = minutes

    @rule()
    def report(self) -> None:
        """All the people are few enough to be among the busiest of each pool."""
        for account in range(len(self.accounts)):
            self.desk.account_id = self.accounts[account]
            for pool in self.desk.maskline("GetPoolReport")["PoolReport"]["Pools"]:
                connector = pool.get("VoiceConnectorId")
                owner = None if connector is None else self.connectors.index(connector)
                have = {person: self.book.has(person, owner, account) for person in PEOPLE}
                assert {
                    each["PhoneNumber"]: (each["OpenSessions"], each["RestingNumbers"])
                    for each in pool["BusiestParticipants"]
                } == {person: numbers for person, numbers in have.items() if any(numbers)}

    @rule()
    def settle(self) -> None:
        """Notes what ended by itself."""
        settle_expired_sessions(self.desk.context(""))
        for session in self.book.sessions:
            session.noted |= session.until <= self.book.now

    @rule(requests=st.lists(REQUESTS, min_size=1, max_size=4))
    def create(self, requests: list[dict[str, Any]]) -> None:
        for request in requests:
            self.create_one(**request)

    def create_one(
        self,
        connector: int,
        pair: tuple[str, str],
        behaviour: str | None,
        level: str | None,
        params: tuple[str, str] | None,
        minutes: int,
        pause: int,
        closed: bool,
        purpose: list[str],
    ) -> None:
        self.book.now = self.desk.now = self.book.now + pause
        self.ask_as(connector)
        request: dict[str, Any] = {"ExpiryMinutes": minutes, "NumberSelectionBehavior": behaviour}
        request |= {"GeoMatchLevel": level, "Capabilities": purpose}
        self.book.texts = "SMS" in purpose
        if params is not None:
            request["GeoMatchParams"] = {"Country": params[0], "AreaCode": params[1]}
        wish = wish_of(level, params, pair[0])
        expected = self.book.expected(connector, pair, behaviour, wish, self.own)
        if expected is None:
            with pytest.raises(NoNumberFree, match=self.told(connector, pair, purpose)):
                self.desk.open(self.connectors[connector], *pair, **request)
            return
        made = self.desk.open(self.connectors[connector], *pair, **request)
        assert proxies(made) == expected
        session = Session(connector, expected, self.book.now + minutes * MINUTE)
        self.book.sessions.append(session)
        for number in expected.values():
            self.book.numbers[number].last_assigned_at = self.book.now
        self.live.append((made, session))
        if closed:
            self.close(-1)

    def told(self, connector: int, pair: tuple[str, str], purpose: list[str]) -> str:
        """What is said where there is no number."""
        size, fit = len(self.book.whole_pool(connector)), len(self.book.pool(connector))
        resting = self.book.resting(connector, pair)
        facts = f", fit for {' and '.join(sorted(purpose))}: {fit}" if fit < size else ""
        facts += f", resting for one of them: {resting}" if resting else ""
        return rf"tried: {', '.join(CONNECTORS[connector])}; numbers in the pool: {size}{facts}\."

    @precondition(lambda self: self.live)
    @rule(place=st.integers(0, 50))
    def close(self, place: int) -> None:
        made, session = self.live.pop(place % len(self.live))
        self.ask_as(session.connector)
        self.desk.close(made)
        session.until, session.noted = min(session.until, self.book.now), True

    @precondition(lambda self: self.live)
    @rule(place=st.integers(0, 50), minutes=st.integers(1, 30))
    def extend(self, place: int, minutes: int) -> None:
        made, session = self.live[place % len(self.live)]
        if session.until > self.book.now:
            self.ask_as(session.connector)
            self.desk.call(
                "UpdateProxySession",
                VoiceConnectorId=made["VoiceConnectorId"],
                ProxySessionId=made["ProxySessionId"],
                Capabilities=["Voice"],
                ExpiryMinutes=minutes,
            )
            session.until = self.book.now + minutes * MINUTE

    @invariant()
    def nobody_hears_two_sessions_on_one_number(self) -> None:
        if not hasattr(self, "book"):
            return
        held = [
            pair
            for session in self.book.sessions
            if session.until > self.book.now
            for pair in session.numbers.items()
        ]
        assert len(held) == len(set(held))

    @invariant()
    def counters_follow_what_was_noted(self) -> None:
        if not hasattr(self, "book"):
            return
        rows = self.desk.ground.sql("SELECT phone_number, open_sessions FROM phone_numbers")
        assert {row["phone_number"]: row["open_sessions"] for row in rows} == {
            number: self.book.open_sessions(number) for number in self.book.numbers
        }

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.ground.close()


def test_any_session_gets_the_number_that_the_rules_say(request: pytest.FixtureRequest) -> None:
    examples = {"sqlite": 25, "postgresql": 8}[request.node.callspec.params["ground"]]
    run_state_machine_as_test(
        Selection, settings=settings(max_examples=examples, stateful_step_count=50, deadline=None)
    )
