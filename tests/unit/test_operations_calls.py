"""Who calls what is connected to whom, or refused."""

from dataclasses import replace
from typing import Any

import pytest
from desk import ANN, BEN, CAT, LEGS, Desk, proxies, proxy

from maskline.clock import HOUR
from maskline.domain.limits import Places, Rate
from maskline.domain.refusals import InvalidPhoneNumber
from maskline.domain.trunk import NumberFormat, WayOut
from maskline.operations import (
    Announcement,
    Policy,
    live_calls,
)

PROXY, SECOND = "+19135550199", "+19135550198"
FALLBACK = "+16175550103"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.import_numbers(PROXY)
    return desk


def test_a_participant_is_connected_to_the_other(desk: Desk, session: dict[str, Any]) -> None:
    answer = desk.dial("14015550101", "19135550199")
    assert answer == {
        "CallId": answer["CallId"],
        "Decision": "Connect",
        "Reason": "session",
        "Caller": PROXY,
        "Called": ANN,
        "CarrierName": "acme",
        "Targets": [{"CarrierName": "acme", "Caller": PROXY, "Called": ANN}],
        "MaxRingSeconds": 60,
        "MaxCallSeconds": 4 * 3600,
    }


def test_voice_that_is_not_allowed(desk: Desk, connector: str) -> None:
    session = desk.open(connector, ANN, BEN, Capabilities=["SMS"])
    answer = desk.dial(ANN, proxy(session))
    assert (answer["SipStatus"], answer["Reason"]) == (403, "voice-not-allowed")
    assert desk.record(answer["CallId"])["ProxySessionId"] == session["ProxySessionId"]


def test_no_carrier(desk: Desk, session: dict[str, Any]) -> None:
    desk.policy = Policy(carriers=("acme",), carriers_down={"acme"})
    answer = desk.dial(ANN, PROXY)
    assert (answer["SipStatus"], answer["Reason"], answer["RetryAfter"]) == (503, "no-carrier", 30)


def test_a_former_participant_reaches_the_fallback_of_today(desk: Desk) -> None:
    connector = desk.connector(FallBackPhoneNumber="+15035550104")
    session = desk.open(connector, ANN, BEN)
    put: dict[str, Any] = {"DefaultSessionExpiryMinutes": 60, "PhoneNumberPoolCountries": ["US"]}
    desk.call(
        "PutVoiceConnectorProxy", VoiceConnectorId=connector, FallBackPhoneNumber=FALLBACK, **put
    )
    assert desk.dial(CAT, PROXY)["Reason"] == "unknown-caller"
    desk.now += HOUR
    answer = desk.dial(ANN, PROXY)
    assert (answer["Reason"], answer["Caller"], answer["Called"]) == ("fallback", PROXY, FALLBACK)
    assert desk.get(session)["Status"] == "Closed"
    desk.call("DeleteVoiceConnectorProxy", VoiceConnectorId=connector)
    assert desk.dial(ANN, PROXY)["Reason"] == "session-closed"


def test_the_ear_follows_the_newest_session(desk: Desk, connector: str) -> None:
    desk.close(desk.open(connector, ANN, BEN))
    desk.open(connector, ANN, CAT)
    assert desk.dial(ANN, PROXY)["Called"] == CAT
    assert desk.dial(BEN, PROXY)["Reason"] == "session-closed"


def test_each_sees_their_own_proxy_number(desk: Desk, connector: str) -> None:
    desk.import_numbers(SECOND)
    desk.rule(connector, NumberAssignment="per_participant")
    desk.open(connector, ANN, CAT)
    desk.open(connector, BEN, "+15035550104")
    session = desk.open(connector, ANN, BEN)
    numbers = proxies(session)
    assert desk.dial(ANN, numbers[ANN])["Caller"] == numbers[BEN]
    assert desk.dial(BEN, numbers[BEN])["Caller"] == numbers[ANN]


def of_another_account(desk: Desk) -> str:
    """A new account with a number of its own, whose desk it is from now on; the connector."""
    tenant = desk.tenant()
    desk.import_numbers(SECOND, AccountId=tenant)
    desk.account_id = tenant
    return desk.connector(FallBackPhoneNumber=PROXY)


@pytest.mark.parametrize("closed", [False, True])
def test_a_number_of_ours_is_never_dialled_and_looks_like_one_that_nobody_has(
    desk: Desk, closed: bool
) -> None:
    session = desk.open(of_another_account(desk), ANN, PROXY)
    if closed:
        desk.close(session)
    told = desk.maskline("EvaluateRoute", Caller=ANN, Called=SECOND)
    assert (told["Decision"], told["Called"]) == ("Connect", PROXY)
    call = desk.dial(ANN, SECOND)
    assert (call["Decision"], call["SipStatus"], "Targets" in call) == ("Reject", 404, False)
    nobodys = desk.open(session["VoiceConnectorId"], CAT, BEN)
    rung = desk.dial(CAT, proxy(nobodys))
    desk.report(rung["CallId"], "Ended", SipStatus=404, EndedBy="carrier")
    record, real = desk.record(call["CallId"]), desk.record(rung["CallId"])
    assert record["Reason"] == ("fallback" if closed else "session")
    own = ("CallId", "ProxySessionId", "CallerPhoneNumber", "CalledPhoneNumber", "Reason")
    assert {k: v for k, v in record.items() if k not in own} == {
        k: v for k, v in real.items() if k not in own
    }
    assert live_calls(desk.context("")) == []


def test_a_participant_that_becomes_a_number_of_the_account_is_not_dialled(
    desk: Desk, session: dict[str, Any]
) -> None:
    desk.import_numbers(BEN)
    for refused in (
        desk.dial(ANN, PROXY),
        desk.maskline("EvaluateRoute", Caller=ANN, Called=PROXY),
    ):
        assert (refused["Decision"], refused["Reason"]) == ("Reject", "loop")


def test_an_evaluated_route_is_the_real_one_without_a_record(
    desk: Desk, session: dict[str, Any]
) -> None:
    answer = desk.maskline("EvaluateRoute", Caller=ANN, Called=PROXY)
    assert answer == {
        "Decision": "Connect",
        "Reason": "session",
        "Caller": PROXY,
        "Called": BEN,
        "CarrierName": "acme",
        "VoiceConnectorId": session["VoiceConnectorId"],
        "ProxySessionId": session["ProxySessionId"],
    }
    refused = desk.maskline("EvaluateRoute", Caller=CAT, Called=PROXY)
    assert (refused["Decision"], refused["SipStatus"]) == ("Reject", 404)
    assert desk.maskline("ListCalls")["Calls"] == []
    desk.account_id = "999999999999"
    assert desk.maskline("EvaluateRoute", Caller=ANN, Called=PROXY)["Reason"] == "not-our-number"


def test_a_call_may_leave_by_another_carrier_that_writes_numbers_its_own_way(
    desk: Desk, session: dict[str, Any]
) -> None:
    national = WayOut(number_format=NumberFormat.NATIONAL, country="US")
    ways = {"acme": WayOut(failover=("globex", "initech")), "globex": national}
    desk.policy = Policy(
        carriers=("acme", "globex", "initech"), carriers_down={"initech"}, ways=ways
    )
    answer = desk.dial(BEN, PROXY)
    assert answer["Targets"] == [
        {"CarrierName": "acme", "Caller": PROXY, "Called": ANN},
        {"CarrierName": "globex", "Caller": PROXY[2:], "Called": ANN[2:]},
    ]
    desk.report(answer["CallId"], "Answered", Legs=LEGS, CarrierName="globex")
    (record,) = desk.maskline("ListCalls")["Calls"]
    assert record["OutboundCarrierName"] == "globex"


def test_a_number_is_read_as_its_carrier_writes_it(desk: Desk, session: dict[str, Any]) -> None:
    ways = {"acme": WayOut(number_format=NumberFormat.NATIONAL, country="US")}
    desk.policy = Policy(carriers=("acme",), ways=ways)
    assert desk.dial(BEN[2:], PROXY[2:])["Called"] == ANN


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({"MaxCalls": 1}, 503),
        ({"MaxCallsPerCaller": 1}, 486),
        ({"MaxCallsPerCallerPerSecond": 1}, 486),
        ({"MaxCallsPerSecond": 1}, 503),
    ],
)
def test_a_call_too_many_is_refused(
    desk: Desk, session: dict[str, Any], rule: dict[str, int], status: int
) -> None:
    desk.policy = replace(desk.policy, rate=Rate(lambda: desk.now))
    desk.rule(session["VoiceConnectorId"], **rule)
    first = desk.dial(BEN, PROXY)
    assert first["Decision"] == "Connect"
    second = desk.dial(BEN, PROXY)
    assert (second["SipStatus"], second["Reason"]) == (status, "too-many-calls")
    assert second["RetryAfter"] is None
    desk.now += 1001
    desk.report(first["CallId"], "Ended", SipStatus=200, EndedBy="caller")
    assert desk.dial(BEN, PROXY)["Decision"] == "Connect"


def test_a_full_carrier_leaves_calls_to_another(desk: Desk, session: dict[str, Any]) -> None:
    ways = {"acme": WayOut(failover=("globex",), max_calls=1)}
    desk.policy = Policy(carriers=("acme", "globex"), ways=ways)
    assert desk.dial(BEN, PROXY)["CarrierName"] == "acme"
    assert desk.dial(ANN, PROXY)["CarrierName"] == "globex"


def test_a_carrier_gets_no_more_calls_a_second_than_it_takes(
    desk: Desk, session: dict[str, Any]
) -> None:
    ways = {"acme": WayOut(failover=("globex",), max_calls_per_second=2)}
    rate = Rate(lambda: desk.now)
    desk.policy = Policy(carriers=("acme", "globex"), ways=ways, rate=rate)
    used = [desk.dial(BEN, PROXY)["CarrierName"] for _ in range(3)]
    assert used == ["acme", "acme", "globex"]
    desk.now += 1001
    assert desk.dial(BEN, PROXY)["CarrierName"] == "acme"


def test_a_call_to_be_recorded_is_told_from_others(desk: Desk, session: dict[str, Any]) -> None:
    assert "Recorded" not in desk.dial(BEN, PROXY)
    desk.rule(session["VoiceConnectorId"], RecordCalls=True)
    assert desk.dial(BEN, PROXY)["Recorded"] is True


def test_a_barred_number_is_never_dialled(desk: Desk, session: dict[str, Any]) -> None:
    desk.policy = replace(desk.policy, barred_prefixes=(ANN[:4],))
    answer = desk.dial(BEN, PROXY)
    assert (answer["SipStatus"], answer["Reason"]) == (403, "barred-number")


@pytest.mark.parametrize("premium", ["+3531520123456", "+4782012345"])
def test_a_premium_number_is_never_dialled(
    desk: Desk, connector: str, session: dict[str, Any], premium: str
) -> None:
    """Nor does a session take one; a session of earlier versions may have."""
    with pytest.raises(InvalidPhoneNumber, match="premium"):
        desk.open(connector, ANN, premium)
    desk.ground.sql("UPDATE proxy_sessions SET first_number = ?", premium)
    answer = desk.dial(BEN, PROXY)
    assert (answer["SipStatus"], answer["Reason"]) == (403, "barred-number")


def test_a_refused_caller_hears_the_announcement_of_the_reason(desk: Desk) -> None:
    """As long as there are places, and unless nothing can be heard."""
    desk.policy = replace(
        desk.policy,
        announcements={"unknown-caller": Announcement("unknown.wav", 1000)},
        announcing=Places(lambda: desk.now, most=1),
    )
    ask = {"CarrierName": "acme", "Caller": CAT, "Called": PROXY}
    assert desk.switch("RouteCall", **ask, Silent=True)["Announcement"] is None
    assert desk.switch("RouteCall", **ask)["Announcement"] == "unknown.wav"
    assert desk.switch("RouteCall", **ask)["Announcement"] is None
    desk.now += 1000
    assert desk.switch("RouteCall", **ask)["Announcement"] == "unknown.wav"
    other = ask | {"Caller": "anonymous"}
    assert desk.switch("RouteCall", **other)["Announcement"] is None


def test_a_caller_who_calls_too_fast_hinders_nobody_else(
    desk: Desk, session: dict[str, Any]
) -> None:
    desk.policy = replace(desk.policy, rate=Rate(lambda: desk.now))
    desk.rule(session["VoiceConnectorId"], MaxCallsPerCallerPerSecond=1)
    assert [desk.dial(BEN, PROXY)["Decision"] for _ in range(3)] == ["Connect", "Reject", "Reject"]
    assert desk.dial(ANN, PROXY)["Decision"] == "Connect"


@pytest.mark.parametrize(
    ("termination", "connected"),
    [({"CpsLimit": 2}, 2), ({}, 3), ({"CpsLimit": 2, "Disabled": True}, 3)],
)
def test_a_cps_limit_that_was_given_holds(
    desk: Desk, session: dict[str, Any], termination: dict[str, Any], connected: int
) -> None:
    desk.policy = replace(desk.policy, rate=Rate(lambda: desk.now))
    connector = {"VoiceConnectorId": session["VoiceConnectorId"]}
    given = {"CallingRegions": ["US"], "CidrAllowedList": ["192.0.2.0/27"], **termination}
    desk.call("PutVoiceConnectorTermination", **connector, Termination=given)
    answers = [desk.dial(BEN, PROXY)["Decision"] for _ in range(3)]
    assert answers.count("Connect") == connected
    desk.call("DeleteVoiceConnectorTermination", **connector)
    desk.now += 1001
    assert [desk.dial(BEN, PROXY)["Decision"] for _ in range(3)] == ["Connect"] * 3


def test_required_encryption_is_enforced_where_the_operator_wants_it(
    desk: Desk, session: dict[str, Any]
) -> None:
    """A call must come and go encrypted; other connectors' calls may be plain."""
    plain, safe = WayOut(failover=("globex",)), WayOut(encrypted=True)
    policy = Policy(carriers=("acme", "globex"), ways={"acme": plain, "globex": safe})
    named = {"VoiceConnectorId": session["VoiceConnectorId"], "Name": "c"}
    desk.policy = replace(policy, enforce_encryption=True)
    assert desk.dial(BEN, PROXY)["CarrierName"] == "acme"
    desk.call("UpdateVoiceConnector", **named, RequireEncryption=True)
    refused = desk.dial(BEN, PROXY)
    assert (refused["SipStatus"], refused["Reason"]) == (403, "encryption-required")
    arrived = {"CarrierName": "globex", "Caller": BEN, "Called": PROXY}
    assert desk.switch("RouteCall", **arrived)["CarrierName"] == "globex"
    assert desk.switch("RouteCall", **arrived, Plain=True)["Reason"] == "encryption-required"
    desk.policy = replace(desk.policy, ways={"acme": WayOut(), "globex": safe})
    assert desk.switch("RouteCall", **arrived)["Reason"] == "encryption-required"
    desk.policy = policy
    assert desk.dial(BEN, PROXY)["CarrierName"] == "acme"
