from typing import Any

import pytest
from desk import ANN, BEN, Desk, proxy

from maskline.domain.refusals import BadRequest, NotFound

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
