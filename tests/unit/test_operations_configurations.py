from typing import Any

import pytest
from desk import ANN, BEN, Desk, proxy

from maskline.domain.connector import Ceilings
from maskline.domain.refusals import BadRequest, NotFound
from maskline.operations.policy import policy_of
from maskline.settings import parse

PROXY = "+19135550199"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.import_numbers(PROXY)
    return desk


def put(desk: Desk, connector: str, **changes: Any) -> dict[str, Any]:
    request = {
        "VoiceConnectorId": connector,
        "DefaultSessionExpiryMinutes": 60,
        "PhoneNumberPoolCountries": ["US"],
        **changes,
    }
    answer: dict[str, Any] = desk.call("PutVoiceConnectorProxy", **request)["Proxy"]
    return answer


def test_what_was_put_is_got(desk: Desk) -> None:
    connector = desk.connector()
    shown = put(
        desk,
        connector,
        PhoneNumberPoolCountries=["US", "CA", "US"],
        FallBackPhoneNumber="16175550103",
        Disabled=True,
    )
    assert shown == {
        "DefaultSessionExpiryMinutes": 60,
        "Disabled": True,
        "FallBackPhoneNumber": "+16175550103",
        "PhoneNumberCountries": ["US", "CA"],
    }
    assert desk.call("GetVoiceConnectorProxy", VoiceConnectorId=connector)["Proxy"] == shown


def test_a_put_replaces_everything(desk: Desk) -> None:
    connector = desk.connector(FallBackPhoneNumber="+16175550103", Disabled=True)
    shown = put(desk, connector)
    assert (shown["FallBackPhoneNumber"], shown["Disabled"]) == (None, False)


def test_putting_again_leaves_sessions_alone(desk: Desk) -> None:
    connector = desk.connector()
    session = desk.open(connector, ANN, BEN)
    put(desk, connector, DefaultSessionExpiryMinutes=5, PhoneNumberPoolCountries=["DE"])
    assert desk.get(session) == session
    assert desk.dial(ANN, proxy(session))["Decision"] == "Connect"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"DefaultSessionExpiryMinutes": 721}, "1 to 720"),
        ({"DefaultSessionExpiryMinutes": 0}, "1 to 720"),
        ({"FallBackPhoneNumber": "+911"}, "emergency"),
        ({"FallBackPhoneNumber": PROXY}, "proxy phone number itself"),
    ],
)
def test_what_is_refused(desk: Desk, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        put(desk, desk.connector(), **changes)


def test_a_deleted_configuration_is_not_found_but_sessions_go_on(desk: Desk) -> None:
    connector = desk.connector()
    session = desk.open(connector, ANN, BEN)
    for _ in range(2):
        desk.call("DeleteVoiceConnectorProxy", VoiceConnectorId=connector)
    with pytest.raises(NotFound):
        desk.call("GetVoiceConnectorProxy", VoiceConnectorId=connector)
    assert desk.dial(ANN, proxy(session))["Decision"] == "Connect"


@pytest.mark.parametrize("operation", ["GetVoiceConnectorProxy", "DeleteVoiceConnectorProxy"])
def test_an_unknown_connector_is_not_found(desk: Desk, operation: str) -> None:
    with pytest.raises(NotFound, match="Could not find VoiceConnector with Id 'x'"):
        desk.call(operation, VoiceConnectorId="x")


def test_a_connectors_rules_are_its_own_or_the_services(desk: Desk) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    usual = {
        "NumberAssignment": "shared",
        "NumberRestMinutes": 0,
        "UnknownCaller": "reject",
        "HangUpOnDelete": True,
        "HangUpOnExpiry": False,
        "MaxRingSeconds": 60,
        "MaxCallSeconds": 4 * 3600,
        "MaxCalls": 0,
        "MaxCallsPerSecond": 0,
        "MaxCallsPerCaller": 0,
        "MaxCallsPerCallerPerSecond": 0,
        "KeepTextDays": 0,
        "ClosedReply": None,
        "StopReply": None,
        "StartReply": None,
        "HelpReply": None,
        "KeywordLanguages": [],
        "MaxTextsPerMinute": 0,
        "RecordCalls": False,
    }
    assert desk.maskline("GetVoiceConnectorRules", **connector) == {"Rules": usual}
    own = {
        "NumberAssignment": "per_participant",
        "NumberRestMinutes": 120,
        "HangUpOnDelete": False,
        "MaxRingSeconds": 20,
        "KeepTextDays": 3,
        "HelpReply": "Ask us.",
        "KeywordLanguages": ["fr", "de"],
    }
    assert desk.maskline("PutVoiceConnectorRules", **connector, **own) == {"Rules": usual | own}
    assert desk.maskline("PutVoiceConnectorRules", **connector) == {"Rules": usual}
    with pytest.raises(NotFound):
        desk.maskline("GetVoiceConnectorRules", VoiceConnectorId="x")


LIMITS = ("MaxCalls", "MaxCallsPerSecond", "MaxCallsPerCaller", "MaxCallsPerCallerPerSecond")


def under(desk: Desk, **ceilings: int) -> None:
    """The operator sets ceilings, or others."""
    desk.policy = policy_of(parse({"ceilings": ceilings}))


def test_no_rule_goes_beyond_the_operators_ceiling(desk: Desk) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    under(desk, max_calls=9, max_call_minutes=10, max_texts_per_minute=60)
    for member, most in (("MaxCalls", 9), ("MaxCallSeconds", 600), ("MaxTextsPerMinute", 60)):
        told = f"{member} can be from 1 to {most} by the settings"
        for much in (0, most + 1):
            with pytest.raises(BadRequest, match=told):
                desk.maskline("PutVoiceConnectorRules", **connector, **{member: much})
    own = {"MaxCalls": 9, "MaxCallSeconds": 600, "MaxTextsPerMinute": 1, "MaxCallsPerSecond": 500}
    rules = desk.maskline("PutVoiceConnectorRules", **connector, **own)["Rules"]
    assert rules == rules | own


def test_no_calls_are_recorded_where_the_operator_does_not_want_it(desk: Desk) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    desk.maskline("PutVoiceConnectorRules", **connector, RecordCalls=True)
    under(desk, record_calls=False)
    rules = desk.maskline("GetVoiceConnectorRules", **connector)["Rules"]
    assert rules["RecordCalls"] is False
    with pytest.raises(BadRequest, match="RecordCalls cannot be true"):
        desk.maskline("PutVoiceConnectorRules", **connector, RecordCalls=True)
    desk.maskline("PutVoiceConnectorRules", **connector, RecordCalls=False)
    under(desk)
    desk.maskline("PutVoiceConnectorRules", **connector, RecordCalls=False)


def test_a_ceiling_holds_for_what_was_ruled_before_and_where_nothing_was(desk: Desk) -> None:
    ruled, unruled = desk.connector(), desk.connector()
    beyond: dict[str, Any] = dict.fromkeys(LIMITS, 8) | {"MaxTextsPerMinute": 8}
    desk.maskline("PutVoiceConnectorRules", VoiceConnectorId=ruled, **beyond, MaxCallSeconds=601)
    counted = [name for name in vars(Ceilings()) if name != "record_calls"]
    ceilings = {name: place for place, name in enumerate(counted, 2)}
    minutes = ceilings.pop("max_call_seconds")
    under(desk, **ceilings, max_call_minutes=minutes)
    for connector in (ruled, unruled):
        rules = desk.maskline("GetVoiceConnectorRules", VoiceConnectorId=connector)["Rules"]
        shown = [rules[name] for name in ("MaxCallSeconds", *LIMITS, "MaxTextsPerMinute")]
        assert shown == [minutes * 60, *ceilings.values()]


def test_a_lower_cps_limit_holds_beside_a_ceiling(desk: Desk) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    under(desk, max_calls_per_second=5)
    for limit, holds in ((3, 3), (7, 5)):
        desk.call("PutVoiceConnectorTermination", **connector, Termination={"CpsLimit": limit})
        rules = desk.maskline("GetVoiceConnectorRules", **connector)["Rules"]
        assert rules["MaxCallsPerSecond"] == holds
