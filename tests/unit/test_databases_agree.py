"""SQLite and PostgreSQL answer the same requests alike, whatever these are, and keep the same."""

import itertools
from collections import defaultdict
from functools import partial
from random import Random
from typing import Any

import pytest
from cluster import Cluster
from desk import Desk
from fuzz import REQUESTS
from grounds import PostgresqlGround, SqliteGround

from maskline.domain.refusals import Refusal
from maskline.model import Operation, Shape, load
from maskline.model.validation import faults
from maskline.operations import access_keys
from maskline.store.migrations import tables

SERVICES = ("chime-sdk-voice", "maskline")
OPERATIONS = [(name, each) for name in SERVICES for each in load(name).operations.values()]
# What is asked for more often, so that there is something to be asked about.
OFTEN = {"CreateProxySession": 30, "ImportPhoneNumbers": 6, "PutVoiceConnectorProxy": 10}
OFTEN |= dict.fromkeys(("CreateVoiceConnector", "UpdateProxySession", "DeleteProxySession"), 4)
OFTEN |= dict.fromkeys(("DeletePhoneNumber", "RestorePhoneNumber", "CreatePhoneNumberOrder"), 4)
WEIGHTS = [OFTEN.get(each.name, 1) for _, each in OPERATIONS]
NUMBERS = [f"+120655501{last:02}" for last in range(20)] + ["+442079460001", "+18005550100"]
PEOPLE = [f"+130355501{last:02}" for last in range(8)]
TEXTS = ["A to B", "e\u0301", *"aZzäéß😀\uffff'\"\\%"]
CHOICES: dict[str, list[Any]] = {
    "AreaCode": ["206", "800", ""],
    "CarrierName": ["acme"],
    "Country": ["US", "GB", ""],
    "DefaultSessionExpiryMinutes": [1, 60, 720],
    "ExpiryMinutes": [1, 60, 720],
    "FallBackPhoneNumber": ["+13105550100", *PEOPLE],
    "MaxResults": [1, 2, 100],
    "ParticipantPhoneNumbers": [*map(list, itertools.permutations(PEOPLE, 2))],
    "PhoneNumberPoolCountries": [["US"], ["GB", "US"]],
    "ProductType": ["VoiceConnector"] * 3 + ["SipMediaApplicationDialIn"],
}
PAUSES = [0, 1, 1000, 60_000, 3_600_000, 40 * 3_600_000]  # milliseconds
KNOWN = ("VoiceConnectorId", "VoiceConnectorGroupId", "PhoneNumberOrderId", "AccessKeyId")


class Guesser:
    """Makes up requests, of what answers told before where it can."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self._known: dict[str, list[Any]] = defaultdict(list)

    def request(self, operation: Operation) -> dict[str, Any]:
        if operation.input is None:
            return {}
        asked: dict[str, Any] = self._value("", operation.input)
        if "ProxySessionId" in asked and self._known["session"]:
            asked |= self.dice.choice(self._known["session"])
        if "NextToken" in asked:
            asked = self.dice.choice(self._known[operation.name] or [{}])
        return {name: value for name, value in asked.items() if value is not None}

    def learn(self, operation: Operation, asked: dict[str, Any], answers: list[Any]) -> None:
        if "NextToken" in answers[0]:
            tokens = [answer["NextToken"] for answer in answers]
            self._known[operation.name].append(asked | {"NextToken": tokens})
        for part in answers[0].values():
            if isinstance(part, dict):
                self._learn_of(part)

    def _learn_of(self, part: dict[str, Any]) -> None:
        for name in KNOWN:
            if part.get(name):
                self._known[name].append(part[name])
        if arn := part.get("VoiceConnectorArn") or part.get("VoiceConnectorGroupArn"):
            self._known["ResourceARN"].append(arn)
        if "ProxySessionId" in part:
            ids = {name: part[name] for name in ("VoiceConnectorId", "ProxySessionId")}
            self._known["session"].append(ids)

    def _value(self, name: str, shape: Shape) -> Any:
        if known := self._known["VoiceConnectorId" if name == "FilterValue" else name]:
            return self.dice.choice(known[-4:])
        if name in CHOICES:
            return self.dice.choice(CHOICES[name])
        match shape.type:
            case "structure":
                return {
                    each: self._value(each, member)
                    for each, member in shape.members.items()
                    if each in shape.required or self.dice.random() < 0.4
                }
            case "list":
                assert shape.member
                return [self._value(name, shape.member) for _ in range(self.dice.randint(1, 4))]
            case "boolean":
                return self.dice.random() < 0.4
            case "integer":
                return self.dice.choice([shape.min or 0, shape.max or 2**31 - 1, 5])
            case "timestamp":
                return self.dice.choice([0, 1_600_000_000_000, 253_402_300_799_999])
        return self._text(name, shape)

    def _text(self, name: str, shape: Shape) -> str:
        if shape.enum:
            return self.dice.choice(shape.enum)
        if "PhoneNumber" in name or name in ("Caller", "Called"):
            return self.dice.choice(NUMBERS)
        return self.dice.choice(TEXTS)


def outcome(desk: Desk, service: str, operation: Operation, asked: dict[str, Any]) -> Any:
    try:
        return desk.carry_out(service, operation.name, asked)
    except Refusal as refusal:
        return {"Refused": [type(refusal).__name__, refusal.message]}


def asked_of(desk: int, asked: dict[str, Any]) -> dict[str, Any]:
    """The request with the token that this one of the desks gave out."""
    return asked | {"NextToken": asked["NextToken"][desk]} if "NextToken" in asked else asked


def without_token(answer: dict[str, Any]) -> dict[str, Any]:
    """What holds a position is another: PostgreSQL numbers what it then does not keep, too."""
    return {
        name: value is not None if name == "NextToken" else value for name, value in answer.items()
    }


def kept(desk: Desk) -> dict[str, list[str]]:
    """The rows of each table, by no order, without their numbers."""
    return {
        table: sorted(
            str({name: value for name, value in dict(row).items() if name != "sequence"})
            for row in desk.ground.sql(f"SELECT * FROM {table}")
        )
        for table in tables()
    }


def leave_nothing_to_chance(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    dice = Random(seed)
    monkeypatch.setattr(access_keys.secrets, "choice", dice.choice)
    monkeypatch.setattr(access_keys.secrets, "randbelow", dice.randrange)


@pytest.mark.parametrize("seed", range(2))
def test_both_databases_answer_and_keep_the_same(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    desks = []
    for ground in (SqliteGround, partial(PostgresqlGround, cluster)):
        leave_nothing_to_chance(monkeypatch, seed)
        monkeypatch.setattr(Desk, "new_ground", ground)
        desks.append(Desk())
    guesser, done = Guesser(seed), 0
    for step in range(REQUESTS // 10):
        ((service, operation),) = guesser.dice.choices(OPERATIONS, WEIGHTS)
        asked, pause, answers = guesser.request(operation), guesser.dice.choice(PAUSES), []
        both = [asked_of(desk, asked) for desk in range(len(desks))]
        if operation.input and faults(operation.input, both[0]):
            continue
        for desk, mine in zip(desks, both, strict=True):
            leave_nothing_to_chance(monkeypatch, step)
            desk.now += pause
            answers.append(outcome(desk, service, operation, mine))
        assert without_token(answers[0]) == without_token(answers[1]), (operation, asked)
        done += "Refused" not in answers[0]
        guesser.learn(operation, asked, answers)
    assert kept(desks[0]) == kept(desks[1])
    assert done > REQUESTS // 40  # else it has tried little but refusals
