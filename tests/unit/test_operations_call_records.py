"""What the records of calls tell, which of them are listed to whom, and for how long."""

from typing import Any

import pytest
from desk import ANN, BEN, CAT, LEGS, START, Desk

from maskline.clock import DAY, HOUR
from maskline.domain.refusals import BadRequest, Forbidden, NotFound
from maskline.operations import (
    purge_calls,
)

PROXY, SECOND = "+19135550199", "+19135550198"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.import_numbers(PROXY)
    return desk


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
    desk.account_id = desk.tenant()
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
