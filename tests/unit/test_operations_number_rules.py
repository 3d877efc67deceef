"""Any sessions get the numbers that the rules say."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from desk import Desk, proxies
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
from number_rules import (
    ACCOUNTS,
    CARRIERS,
    CONNECTORS,
    NUMBERS,
    OWNERS,
    PARAMS,
    PEOPLE,
    PURPOSES,
    Book,
    Number,
    Session,
    carrier_of,
    wish_of,
)

from maskline.clock import MINUTE
from maskline.domain.refusals import NoNumberFree
from maskline.operations import settle_expired_sessions

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
    examples = {"sqlite": 25, "postgresql": 4}[request.node.callspec.params["ground"]]
    run_state_machine_as_test(
        Selection, settings=settings(max_examples=examples, stateful_step_count=50, deadline=None)
    )
