"""When calls are hung up or given up, by whom, and what their records say then."""

import os
from typing import Any

import pytest
from desk import ANN, BEN, LEGS, START, Desk, ids

from maskline.clock import HOUR, MINUTE
from maskline.domain.connector import Rules
from maskline.operations import (
    Policy,
    complete_lost_calls,
    dismiss_leg,
    give_up_legs,
    live_calls,
    settle_expired_sessions,
    take_calls_to_hang_up,
    take_legs,
)
from maskline.operations.calls import decide_call, open_record

PROXY = "+19135550199"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.import_numbers(PROXY)
    return desk


def due(desk: Desk) -> list[str]:
    return [call.call_id for call in take_calls_to_hang_up(desk.context(""), node="")]


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


@pytest.mark.parametrize(("status", "left"), [(200, ["a", "b"]), (487, [])])
def test_who_was_left_before_the_answer_was_told_is_hung_up_too(
    desk: Desk, session: dict[str, Any], status: int, left: list[str]
) -> None:
    """Another node may tell first of a BYE that could not be sent on; whom it was for, the answer
    tells alone."""
    call_id = desk.dial(ANN, PROXY)["CallId"]
    event = "Stranded" if status == 200 else "Ended"
    desk.report(call_id, event, EndedBy="caller", SipStatus=status)
    assert take_legs(desk.context(""), node="") == []
    for _ in range(2):
        desk.report(call_id, "Answered", Legs=LEGS)
        found = take_legs(desk.context(""), node="")
        assert sorted(one.leg["CallId"] for one in found) == left
        for one in found:
            dismiss_leg(desk.context(""), one)
        left = []
