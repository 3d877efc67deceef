"""The pool report: what each pool, country and area code holds, and what it lacks."""

from dataclasses import replace
from typing import Any

import pytest
from desk import ANN, BEN, CAT, Desk

from maskline.clock import MINUTE
from maskline.domain.connector import Assignment, Rules
from maskline.domain.refusals import Forbidden, NoNumberFree, NotFound
from maskline.domain.trunk import WayOut
from maskline.operations import Policy, settle_expired_sessions

DAN, EVE = "+15035550104", "+15035550105"
SEATTLE = ["+12065550190", "+12065550191"]
DENVER = ["+13035550190", "+13035550191", "+13035550192"]
VANCOUVER = "+16045550190"


def report(desk: Desk, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = desk.maskline("GetPoolReport", **request)["PoolReport"]
    return answer


def give(desk: Desk, connector: str, *numbers: str) -> None:
    desk.import_numbers(*numbers, shared=False)
    desk.call(
        "AssociatePhoneNumbersWithVoiceConnector",
        VoiceConnectorId=connector,
        E164PhoneNumbers=list(numbers),
    )


def to_buy(desk: Desk) -> dict[str | None, int]:
    """What each connector's pool lacks; under None the shared one."""
    found = report(desk)
    lacking = {pool.get("VoiceConnectorId"): pool["NumbersToBuy"] for pool in found["Pools"]}
    assert found["NumbersToBuy"] == sum(lacking.values())
    return lacking


def busy(*loads: tuple[str, int]) -> list[dict[str, Any]]:
    return [
        {"PhoneNumber": number, "OpenSessions": sessions, "RestingNumbers": 0}
        for number, sessions in loads
    ]


def test_an_account_without_anything(desk: Desk) -> None:
    assert report(desk) == {
        "Numbers": 0,
        "NumbersInUse": 0,
        "NumbersInNoPool": 0,
        "NumbersToBuy": 0,
        "Pools": [],
    }


def test_every_place_of_a_pool(desk: Desk) -> None:
    desk.import_numbers(*SEATTLE, VANCOUVER)
    connector = desk.connector("US", "CA")
    for other in (BEN, CAT, DAN):
        desk.open(connector, ANN, other, GeoMatchParams={"Country": "US", "AreaCode": "206"})
    desk.close(desk.open(connector, BEN, CAT))
    found = report(desk)
    assert (found["Numbers"], found["NumbersInUse"], found["NumbersInNoPool"]) == (3, 3, 0)
    (pool,) = found["Pools"]
    places = pool.pop("Places")
    assert pool == {
        "NumberAssignment": "shared",
        "Numbers": 3,
        "NumbersForVoice": 3,
        "NumbersForSMS": 0,
        "NumbersInUse": 3,
        "OpenSessions": 3,
        "MostSessionsOfOneParticipant": 3,
        "MostNumbersOfOneParticipant": 3,
        "MoreSessionsForBusiest": 0,
        "NumbersToBuy": 2,
        "BusiestParticipants": busy((ANN, 3), (CAT, 1), (BEN, 1), (DAN, 1)),
    }
    assert [(place["Country"], place["AreaCode"]) for place in places] == [
        ("CA", "604"),
        ("US", "206"),
    ]
    assert places[1]["BusiestParticipants"][0] == busy((ANN, 2))[0]
    figures = [
        (
            place["Numbers"],
            place["NumbersInUse"],
            place["OpenSessions"],
            place["MostSessionsOfOneParticipant"],
            place["MoreSessionsForBusiest"],
            place["NumbersToBuy"],
        )
        for place in places
    ]
    assert figures == [(1, 1, 1, 1, 0, 0), (2, 2, 2, 2, 0, 1)]


def test_numbers_by_what_their_carriers_can_do() -> None:
    policy = Policy(
        carriers=("acme", "globex", "initech"),
        ways={"acme": WayOut(), "globex": WayOut()},
        text_carriers={"globex", "initech"},
    )
    desk = Desk(policy)
    desk.import_numbers(SEATTLE[0], VANCOUVER, CarrierName="globex")
    desk.import_numbers(SEATTLE[1])
    desk.import_numbers("+12065550199", CarrierName="initech")
    desk.connector("US", "CA")
    (pool,) = report(desk)["Pools"]
    figures = [
        (each["Numbers"], each["NumbersForVoice"], each["NumbersForSMS"])
        for each in (pool, *pool["Places"])
    ]
    assert figures == [(4, 3, 3), (1, 1, 1), (3, 2, 2)]


def test_numbers_of_one_connector_are_no_help_to_another(desk: Desk) -> None:
    rich, poor = desk.connector(), desk.connector()
    give(desk, rich, *SEATTLE, *DENVER)
    with pytest.raises(NoNumberFree):
        desk.open(poor, ANN, BEN)
    assert to_buy(desk) == {rich: 0, poor: 1}


def test_numbers_of_another_country_are_no_help(desk: Desk) -> None:
    desk.import_numbers(VANCOUVER)
    american, canadian = desk.connector("US"), desk.connector("CA")
    assert to_buy(desk) == {american: 1, None: 0}
    give(desk, canadian, SEATTLE[0])
    found = report(desk)
    assert (found["Numbers"], found["NumbersInNoPool"]) == (1, 1)


def test_what_is_enough_follows_from_each_connectors_own_rule(desk: Desk) -> None:
    strict, lenient = desk.connector(), desk.connector()
    give(desk, strict, *SEATTLE)
    give(desk, lenient, *DENVER[:2])
    desk.rule(lenient, NumberAssignment="per_participant")
    for connector in (strict, lenient):
        for other in (BEN, CAT):
            desk.open(connector, ANN, other)
    assert to_buy(desk) == {strict: 1, lenient: 0}
    rules = {pool["VoiceConnectorId"]: pool["NumberAssignment"] for pool in report(desk)["Pools"]}
    assert rules == {strict: "shared", lenient: "per_participant"}
    desk.policy = replace(desk.policy, rules=Rules(number_assignment=Assignment.PER_PARTICIPANT))
    assert to_buy(desk) == {strict: 0, lenient: 0}


def test_shared_numbers_do_for_the_most_demanding(desk: Desk) -> None:
    desk.import_numbers(*DENVER)
    strict, lenient = desk.connector(), desk.connector()
    desk.rule(lenient, NumberAssignment="per_participant")
    for other in (BEN, CAT, DAN):
        desk.open(lenient, ANN, other)
    assert to_buy(desk) == {None: 2}
    assert report(desk)["Pools"][0]["NumberAssignment"] == "shared"
    desk.rule(strict, NumberAssignment="per_participant")
    assert to_buy(desk) == {None: 0}
    assert report(desk)["Pools"][0]["NumberAssignment"] == "per_participant"


def test_shared_numbers_help_a_connector_that_has_some_of_its_own(desk: Desk) -> None:
    desk.import_numbers(*DENVER)
    connector = desk.connector()
    give(desk, connector, *SEATTLE)
    for other in (BEN, CAT, DAN):
        desk.open(connector, ANN, other)
    own, shared = report(desk)["Pools"]
    assert (own["MostSessionsOfOneParticipant"], shared["MostSessionsOfOneParticipant"]) == (2, 1)
    assert to_buy(desk) == {connector: 0, None: 0}
    desk.open(connector, ANN, EVE)
    assert to_buy(desk) == {connector: 2, None: 0}


def test_sessions_go_with_their_number_to_another_connector(desk: Desk) -> None:
    before, after = desk.connector(), desk.connector()
    give(desk, before, *SEATTLE)
    for other in (BEN, CAT):
        desk.open(before, ANN, other)
    desk.call(
        "AssociatePhoneNumbersWithVoiceConnector",
        VoiceConnectorId=after,
        E164PhoneNumbers=SEATTLE,
        ForceAssociate=True,
    )
    assert to_buy(desk) == {after: 1, before: 1}


def test_only_running_sessions_count(desk: Desk) -> None:
    desk.import_numbers(*SEATTLE)
    connector = desk.connector()
    desk.open(connector, ANN, BEN, ExpiryMinutes=1)
    desk.close(desk.open(connector, ANN, BEN))
    desk.now += 2 * MINUTE
    (pool,) = report(desk)["Pools"]
    assert (pool["MostSessionsOfOneParticipant"], pool["BusiestParticipants"]) == (0, [])
    assert pool["NumbersInUse"] == 1  # until somebody notes that the session is over
    settle_expired_sessions(desk.context(""))
    assert report(desk)["NumbersInUse"] == 0


def loads(pool: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """The sessions of each of the busiest, and their numbers that rest."""
    return {
        each["PhoneNumber"]: (each["OpenSessions"], each["RestingNumbers"])
        for each in pool["BusiestParticipants"]
    }


def test_numbers_that_rest_are_as_good_as_taken(desk: Desk) -> None:
    desk.import_numbers(*DENVER)
    connector = desk.connector()
    desk.rule(connector, NumberRestMinutes=30)
    desk.open(connector, ANN, CAT, ExpiryMinutes=10)
    for other in (BEN, CAT):
        desk.close(desk.open(connector, ANN, other))
    (pool,) = report(desk)["Pools"]
    assert loads(pool) == {ANN: (1, 2), BEN: (0, 1), CAT: (1, 1)}
    for each in (pool, *pool["Places"]):
        most = each["MostSessionsOfOneParticipant"], each["MostNumbersOfOneParticipant"]
        assert (*most, each["MoreSessionsForBusiest"], each["NumbersToBuy"]) == (1, 3, 0, 2)
    with pytest.raises(NoNumberFree):
        desk.open(connector, BEN, CAT)
    desk.now += 30 * MINUTE
    (pool,) = report(desk)["Pools"]
    assert loads(pool) == {ANN: (0, 1), CAT: (0, 1)}  # it ended by itself, and nobody noted it
    most = pool["MostSessionsOfOneParticipant"], pool["MostNumbersOfOneParticipant"]
    assert (*most, pool["MoreSessionsForBusiest"], pool["NumbersToBuy"]) == (0, 1, 2, 0)


def test_a_number_rests_by_the_rule_of_whoever_may_take_it(desk: Desk) -> None:
    desk.import_numbers(*SEATTLE, VANCOUVER)
    careless, careful, gone = desk.connector(), desk.connector("CA"), desk.connector()
    desk.close(desk.open(careless, ANN, BEN))
    (pool,) = report(desk)["Pools"]
    assert loads(pool) == {}
    desk.rule(careful, NumberRestMinutes=30)
    (pool,) = report(desk)["Pools"]
    assert loads(pool) == {ANN: (0, 1), BEN: (0, 1)}
    desk.rule(careful)
    desk.rule(gone, NumberRestMinutes=30)
    desk.close(desk.open(gone, CAT, DAN))
    desk.call("DeleteVoiceConnector", VoiceConnectorId=gone)
    (pool,) = report(desk)["Pools"]
    assert loads(pool) == {CAT: (0, 1), DAN: (0, 1)}


def test_only_the_busiest_are_named(desk: Desk) -> None:
    desk.import_numbers(*SEATTLE)
    connector = desk.connector()
    for number in range(4):
        desk.open(connector, f"+1503555010{2 * number}", f"+1503555010{2 * number + 1}")
    (pool,) = report(desk)["Pools"]
    assert [each["PhoneNumber"][-1] for each in pool["BusiestParticipants"]] == list("01234")


def test_the_operator_asks_for_an_account(desk: Desk) -> None:
    operator = desk.account_id
    desk.import_numbers(*SEATTLE)
    tenant = desk.tenant()
    desk.import_numbers(*DENVER, AccountId=tenant)
    assert report(desk)["Numbers"] == 2
    assert report(desk, AccountId=tenant)["Numbers"] == 3
    with pytest.raises(NotFound):
        report(desk, AccountId="999999999999")
    desk.account_id = tenant
    assert report(desk, AccountId=tenant)["Numbers"] == 3
    with pytest.raises(Forbidden):
        report(desk, AccountId=operator)
