import os
from dataclasses import replace
from typing import Any

import pytest
from desk import ANN, BEN, CAT, START, Desk, ids, proxies, proxy

from maskline.clock import DAY, HOUR, MINUTE
from maskline.domain.connector import Rules
from maskline.domain.limits import Places, Rate
from maskline.domain.refusals import BadRequest, Forbidden, InvalidPhoneNumber, NotFound
from maskline.domain.trunk import NumberFormat, WayOut
from maskline.operations import (
    Announcement,
    Policy,
    complete_lost_calls,
    dismiss_leg,
    give_up_legs,
    live_calls,
    purge_calls,
    settle_expired_sessions,
    take_calls_to_hang_up,
    take_legs,
)
from maskline.operations.calls import decide_call, open_record

PROXY, SECOND = "+19135550199", "+19135550198"
FALLBACK = "+16175550103"
LEGS = [
    {"CallId": "a", "From": "x", "To": "y", "Target": "z"},
    {"CallId": "b", "From": "x", "To": "y", "Target": "z"},
]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.import_numbers(PROXY)
    return desk


def due(desk: Desk) -> list[str]:
    return [call.call_id for call in take_calls_to_hang_up(desk.context(""), node="")]


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


def test_the_record_of_a_whole_call(desk: Desk, connector: str) -> None:
    session = desk.open(connector, ANN, BEN, Name="Order 4711")
    call = desk.dial(ANN, PROXY)
    assert desk.get(session)["Status"] == "InProgress"
    desk.now += 1000
    desk.report(call["CallId"], "Ringing")
    desk.now += 1000
    desk.report(call["CallId"], "Answered", Legs=LEGS)
    desk.now += 1000
    desk.report(call["CallId"], "Ended", SipStatus=200, EndedBy="called", Cause=16)
    record = {
        "CallId": call["CallId"],
        "VoiceConnectorId": session["VoiceConnectorId"],
        "ProxySessionId": session["ProxySessionId"],
        "ProxySessionName": "Order 4711",
        "Decision": "Connect",
        "Reason": "session",
        "CarrierName": "acme",
        "CallerPhoneNumber": ANN,
        "DialledPhoneNumber": PROXY,
        "OutboundCarrierName": "acme",
        "CalledPhoneNumber": BEN,
        "ShownPhoneNumber": PROXY,
        "ReceivedTimestamp": START,
        "ForwardedTimestamp": START,
        "RingingTimestamp": START + 1000,
        "AnsweredTimestamp": START + 2000,
        "EndedTimestamp": START + 3000,
        "EndedBy": "called",
        "Attribution": "called",
        "SipStatus": 200,
        "Cause": 16,
    }
    assert desk.record(call["CallId"]) == record
    assert desk.get(session)["Status"] == "Open"
    desk.report(call["CallId"], "Ringing")
    assert desk.record(call["CallId"]) == record
    assert desk.maskline("ListCalls")["Calls"] == [record]
    one_session = {"ProxySessionId": session["ProxySessionId"]}
    assert desk.maskline("ListCalls", **one_session)["Calls"] == [record]
    assert desk.maskline("ListCalls", ProxySessionId="x")["Calls"] == []


def test_a_record_goes_forward_though_nodes_clocks_are_apart(
    desk: Desk, session: dict[str, Any]
) -> None:
    call = desk.dial(ANN, PROXY)
    desk.now += 2000
    desk.report(call["CallId"], "Answered", Legs=LEGS)
    desk.now -= 500
    desk.report(call["CallId"], "Ended", SipStatus=200, EndedBy="called")
    record = desk.record(call["CallId"])
    assert record["AnsweredTimestamp"] == record["EndedTimestamp"] == START + 2000


@pytest.mark.parametrize(
    ("caller", "called", "status", "reason"),
    [
        (CAT, PROXY, 404, "unknown-caller"),
        ("", PROXY, 433, "anonymous"),
        ("anonymous", PROXY, 433, "anonymous"),
        (ANN, CAT, 404, "not-our-number"),
        (ANN, "sip", 404, "not-our-number"),
    ],
)
def test_a_rejected_call_leaves_a_record(
    desk: Desk, session: dict[str, Any], caller: str, called: str, status: int, reason: str
) -> None:
    answer = desk.dial(caller, called)
    assert (answer["Decision"], answer["SipStatus"], answer["Reason"]) == ("Reject", status, reason)
    row = desk.ground.sql("SELECT * FROM calls")[0]
    assert (row["reason"], row["sip_status"], row["ended_by"]) == (reason, status, "us")
    assert row["forwarded_at"] is None
    assert row["ended_at"] == START


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


def test_deleting_a_session_hangs_up_its_calls(desk: Desk, session: dict[str, Any]) -> None:
    call = desk.dial(ANN, PROXY)
    desk.report(call["CallId"], "Answered", Legs=LEGS)
    assert due(desk) == []
    desk.close(session)
    (taken,) = take_calls_to_hang_up(desk.context(""), node="")
    assert list(taken.legs) == LEGS
    assert due(desk) == []
    desk.now += 10_000
    assert due(desk) == [call["CallId"]]
    desk.report(call["CallId"], "Ended", EndedBy="us", SipStatus=200)
    desk.now += HOUR
    assert due(desk) == []


@pytest.mark.parametrize(
    "how", ["deleted", "deleted, and calls may go on", "expired", "expired, and calls may not"]
)
def test_a_call_decided_just_before_the_end_is_hung_up_when_answered(
    desk: Desk, connector: str, session: dict[str, Any], how: str
) -> None:
    """As when another process notes the session's end before the record of the call is written."""
    if "," in how:
        desk.rule(connector, HangUpOnDelete=False, HangUpOnExpiry=True)
    request = {"Caller": ANN, "Called": PROXY, "CarrierName": "acme"}
    answer, call = decide_call(desk.context(""), request)
    if how.startswith("expired"):
        desk.now += HOUR
        settle_expired_sessions(desk.context(""))
    else:
        desk.close(session)
    open_record(desk.context(""), call)
    desk.report(answer["CallId"], "Answered", Legs=LEGS)
    hung_up = how in ("deleted", "expired, and calls may not")
    assert due(desk) == ([answer["CallId"]] if hung_up else [])


def test_a_call_is_hung_up_by_its_own_node_and_by_others_only_when_that_is_dead(
    desk: Desk, session: dict[str, Any]
) -> None:
    call = desk.dial(ANN, PROXY)
    desk.report(call["CallId"], "Answered", Legs=LEGS)
    desk.close(session)
    assert take_calls_to_hang_up(desk.context(""), node="elsewhere") == []
    assert len(take_calls_to_hang_up(desk.context(""), node=call["CallId"][:8])) == 1
    desk.now += 20_000  # it took the call and did not come back to it
    assert take_calls_to_hang_up(desk.context(""), node="elsewhere") == []
    desk.now += 5_000
    assert len(take_calls_to_hang_up(desk.context(""), node="elsewhere")) == 1


def test_a_call_that_rings_at_the_delete_is_due_at_once_and_when_it_is_answered(
    desk: Desk, session: dict[str, Any]
) -> None:
    call = desk.dial(ANN, PROXY)
    desk.close(session)
    assert due(desk) == [call["CallId"]]
    desk.now += 1000
    desk.report(call["CallId"], "Answered", Legs=LEGS)
    assert due(desk) == [call["CallId"]]


def test_a_call_that_rings_is_given_up_by_its_own_node_alone(
    desk: Desk, session: dict[str, Any]
) -> None:
    call = desk.dial(ANN, PROXY)
    desk.close(session)
    desk.now += 60_000
    assert take_calls_to_hang_up(desk.context(""), node="elsewhere") == []
    assert len(take_calls_to_hang_up(desk.context(""), node=call["CallId"][:8])) == 1


def test_a_connector_may_let_calls_outlive_the_delete(
    desk: Desk, connector: str, session: dict[str, Any]
) -> None:
    desk.rule(connector, HangUpOnDelete=False)
    desk.report(desk.dial(ANN, PROXY)["CallId"], "Answered", Legs=LEGS)
    desk.close(session)
    assert due(desk) == []


def test_a_call_may_outlive_the_expiry_up_to_its_longest(
    desk: Desk, session: dict[str, Any]
) -> None:
    call = desk.dial(ANN, PROXY)
    desk.report(call["CallId"], "Answered", Legs=LEGS)
    desk.now = START + HOUR
    settle_expired_sessions(desk.context(""))
    assert desk.get(session)["Status"] == "Closed"
    desk.now = START + 4 * HOUR - 1
    assert due(desk) == []
    desk.now += 1
    assert due(desk) == [call["CallId"]]


def test_expiry_hangs_up_where_that_is_the_rule(desk: Desk, session: dict[str, Any]) -> None:
    desk.policy = Policy(carriers=("acme",), rules=Rules(hang_up_on_expiry=True))
    call = desk.dial(ANN, PROXY)
    desk.report(call["CallId"], "Answered", Legs=LEGS)
    desk.now = START + HOUR
    settle_expired_sessions(desk.context(""))
    assert due(desk) == [call["CallId"]]


@pytest.mark.parametrize("hang_up", [True, False])
def test_the_rule_holds_also_where_a_delete_notes_the_expiry_first(
    desk: Desk, connector: str, session: dict[str, Any], hang_up: bool
) -> None:
    desk.rule(connector, HangUpOnExpiry=hang_up)
    call = desk.dial(ANN, PROXY)
    desk.report(call["CallId"], "Answered", Legs=LEGS)
    desk.now = START + HOUR
    desk.close(session)
    assert settle_expired_sessions(desk.context("")) == 0
    assert due(desk) == ([call["CallId"]] if hang_up else [])


def test_a_longer_window_keeps_the_call_alive(desk: Desk, session: dict[str, Any]) -> None:
    desk.policy = Policy(carriers=("acme",), rules=Rules(hang_up_on_expiry=True))
    desk.report(desk.dial(ANN, PROXY)["CallId"], "Answered", Legs=LEGS)
    desk.call("UpdateProxySession", **ids(session), Capabilities=["Voice"], ExpiryMinutes=120)
    desk.now = START + HOUR
    settle_expired_sessions(desk.context(""))
    assert due(desk) == []


def test_rules_of_the_connector_win(desk: Desk, connector: str, session: dict[str, Any]) -> None:
    desk.rule(connector, MaxRingSeconds=20, MaxCallSeconds=600)
    answer = desk.dial(ANN, PROXY)
    assert (answer["MaxRingSeconds"], answer["MaxCallSeconds"]) == (20, 600)


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ({"SipStatus": 487, "EndedBy": "caller"}, 16),
        ({"SipStatus": 480, "EndedBy": "called"}, 19),
        ({"SipStatus": 503, "EndedBy": "carrier"}, 41),
        ({"SipStatus": 503, "EndedBy": "carrier", "Cause": 34}, 34),
    ],
)
def test_every_end_has_a_cause(
    desk: Desk, session: dict[str, Any], end: dict[str, Any], cause: int
) -> None:
    """Of Q.850; whenever it comes to be known that the phone rang."""
    call = desk.dial(ANN, PROXY)
    assert desk.record(call["CallId"])["Cause"] is None
    desk.report(call["CallId"], "Ended", **end)
    desk.report(call["CallId"], "Ringing")
    assert desk.record(call["CallId"])["Cause"] == cause


def test_calls_that_must_be_over_are_completed(desk: Desk, session: dict[str, Any]) -> None:
    ringing, talking = desk.dial(ANN, PROXY), desk.dial(BEN, PROXY)
    desk.report(talking["CallId"], "Answered", Legs=LEGS)
    assert {call.call_id for call in live_calls(desk.context(""))} == {
        ringing["CallId"],
        talking["CallId"],
    }
    assert complete_lost_calls(desk.context("")) == 0
    desk.now += 10 * MINUTE
    assert complete_lost_calls(desk.context("")) == 1
    record = desk.record(ringing["CallId"])
    assert (record["EndedTimestamp"], record["Attribution"]) == (desk.now, "us")
    assert (record["SipStatus"], record["Cause"]) == (500, 41)
    desk.now += 4 * HOUR
    assert complete_lost_calls(desk.context("")) == 1
    assert live_calls(desk.context("")) == []


def test_a_leg_of_any_length_is_hung_up_later(desk: Desk, session: dict[str, Any]) -> None:
    """What seals a long route set is longer than an index of PostgreSQL takes."""
    legs = [LEGS[0], LEGS[1] | {"Target": os.urandom(3000).hex()}]
    call = desk.dial(ANN, PROXY)
    desk.report(call["CallId"], "Answered", Legs=legs)
    for _ in range(2):  # reports come twice
        desk.report(call["CallId"], "Stranded", EndedBy="caller", SipStatus=200)
    assert (desk.record(call["CallId"])["EndedBy"], desk.record(call["CallId"])["SipStatus"]) == (
        "caller",
        200,
    )
    left = take_legs(desk.context(""), node="")
    assert sorted(one.leg["CallId"] for one in left) == ["a", "b"]
    dismiss_leg(desk.context(""), next(one for one in left if one.leg["CallId"] == "b"))
    desk.now += 5000
    assert [one.leg for one in take_legs(desk.context(""), node="")] == [LEGS[0]]
    assert give_up_legs(desk.context("")) == 0
    desk.now += HOUR
    assert take_legs(desk.context(""), node="") == []
    assert [give_up_legs(desk.context("")) for _ in range(2)] == [1, 0]


def test_old_records_are_purged(desk: Desk, session: dict[str, Any]) -> None:
    call = desk.dial(CAT, PROXY)
    desk.now += 90 * DAY - 1
    assert purge_calls(desk.context("")) == 0
    desk.now += 1
    assert purge_calls(desk.context("")) == 1
    with pytest.raises(NotFound):
        desk.record(call["CallId"])


def test_calls_to_nobodys_number_are_the_operators_to_read(desk: Desk) -> None:
    call, other = desk.dial(ANN, SECOND), desk.dial(ANN, PROXY)
    assert [one["CallId"] for one in desk.maskline("ListCalls")["Calls"]] == [other["CallId"]]
    (record,) = desk.maskline("ListCalls", Unassigned=True)["Calls"]
    assert (record["CallId"], record["DialledPhoneNumber"]) == (call["CallId"], SECOND)
    assert desk.record(call["CallId"]) == record
    with pytest.raises(BadRequest):
        desk.maskline("ListCalls", Unassigned=True, ProxySessionId="x")
    desk.account_id = desk.maskline("CreateAccount", Name="tenant")["Account"]["AccountId"]
    with pytest.raises(Forbidden):
        desk.maskline("ListCalls", Unassigned=True)
    with pytest.raises(NotFound):
        desk.record(call["CallId"])


@pytest.mark.parametrize(("dialled", "unassigned"), [(PROXY, False), (SECOND, True)])
def test_calls_are_listed_by_the_time_they_came(desk: Desk, dialled: str, unassigned: bool) -> None:
    moments, calls = [], []
    for _ in range(5):
        desk.now += 2 * HOUR
        moments.append(desk.now)
        calls.append(desk.dial(ANN, dialled)["CallId"])

    def found(**period: int) -> list[str]:
        listed = desk.maskline("ListCalls", Unassigned=unassigned, **period)["Calls"]
        return [call["CallId"] for call in reversed(listed)]

    assert found() == calls
    assert found(ReceivedFrom=moments[1], ReceivedUntil=moments[3]) == calls[1:3]
    assert found(ReceivedFrom=moments[4] + 2 * HOUR) == found(ReceivedUntil=moments[0]) == []
    desk.now = moments[1] + 1  # one that is written late: its node was away
    late = desk.dial(ANN, dialled)["CallId"]
    assert found(ReceivedFrom=moments[1], ReceivedUntil=moments[2]) == [calls[1], late]


@pytest.mark.parametrize("unassigned", [False, True])
def test_pages_of_calls_part_those_of_one_moment(desk: Desk, unassigned: bool) -> None:
    calls = [desk.dial(ANN, SECOND if unassigned else PROXY)["CallId"] for _ in range(5)]
    desk.now += 1
    calls.append(desk.dial(ANN, SECOND if unassigned else PROXY)["CallId"])
    seen, token = [], {}
    while True:
        page = desk.maskline("ListCalls", Unassigned=unassigned, MaxResults=2, **token)
        seen += [call["CallId"] for call in page["Calls"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == calls[::-1]


def test_unknown_and_foreign_calls_are_not_found(desk: Desk, session: dict[str, Any]) -> None:
    call = desk.dial(ANN, PROXY)
    with pytest.raises(NotFound):
        desk.switch("ReportCall", CallId="x", Event="Ringing", Timestamp=START)
    desk.account_id = "999999999999"
    with pytest.raises(NotFound):
        desk.record(call["CallId"])
    assert desk.maskline("ListCalls")["Calls"] == []


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
    assert bool(second["RetryAfter"]) == (status == 503)
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


# Premium-rate numbers, by the numbering plans of countries that no list of ours names.
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
