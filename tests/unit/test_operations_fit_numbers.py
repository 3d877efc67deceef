"""A session gets numbers that can do what it is for, and nothing that its own cannot do."""

from dataclasses import replace
from typing import Any

import pytest
from desk import ANN, BEN, CAT, Desk, ids, proxy
from number_rules import CARRIERS

from maskline.clock import MINUTE
from maskline.domain.refusals import BadRequest, NoNumberFree
from maskline.domain.trunk import WayOut

SEATTLE, DENVER, VANCOUVER = "+12065550190", "+13035550190", "+16045550190"


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
