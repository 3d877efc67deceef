from dataclasses import replace
from typing import Any

import pytest
from desk import ANN, BEN, Desk

from maskline.operations import live_calls, take_calls_to_hang_up
from maskline.operations.calls import recorded_call, save
from maskline.operations.nodes import (
    ALIVE,
    KeysDiffer,
    MaskKeys,
    Node,
    bury_node,
    join_nodes,
    known_nodes,
    leave_nodes,
    live_nodes,
    put_node,
)

PROXY = "+19135550199"
ONE = Node("aaaaaaaa", MaskKeys("a", {"a": "1"}), ("udp:10.0.0.1:5060",), "10.0.0.1:2223", ())
TWO = replace(ONE, name="bbbbbbbb")
LEG = {"CallId": "a", "From": "x", "To": "y", "Target": "z"}


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.import_numbers(PROXY)
    desk.call(
        "CreateProxySession",
        VoiceConnectorId=desk.connector(),
        ParticipantPhoneNumbers=[ANN, BEN],
        Capabilities=["Voice"],
    )
    return desk


def test_a_node_is_alive_as_long_as_it_says_so(desk: Desk) -> None:
    join_nodes(desk.context(), ONE)
    desk.now += ALIVE
    assert [node.name for node in live_nodes(desk.context())] == ["aaaaaaaa"]
    desk.now += 1
    assert live_nodes(desk.context()) == []
    put_node(desk.context(), ONE)
    assert live_nodes(desk.context()) == [replace(ONE, seen_at=desk.now)]
    leave_nodes(desk.context(), ONE.name)
    assert known_nodes(desk.context()) == []


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        (MaskKeys("a", {"a": "2"}), "key 'a' is not the one that node aaaaaaaa has"),
        (MaskKeys("b", {"b": "2"}), "key 'a', which node aaaaaaaa seals by, is missing"),
        (MaskKeys("b", {"a": "1", "b": "2"}), "node aaaaaaaa does not know key 'b' yet"),
        (MaskKeys("a", {"a": "1", "b": "2"}), None),
    ],
)
def test_nodes_over_one_database_open_what_the_others_seal(
    desk: Desk, keys: MaskKeys, fault: str | None
) -> None:
    join_nodes(desk.context(), ONE)
    other = replace(TWO, keys=keys)
    if fault is None:
        join_nodes(desk.context(), other)
        return
    with pytest.raises(KeysDiffer, match=fault):
        join_nodes(desk.context(), other)
    assert len(known_nodes(desk.context())) == 1


def test_a_dead_node_and_a_new_start_of_the_same_may_have_had_other_keys(desk: Desk) -> None:
    join_nodes(desk.context(), ONE)
    changed = MaskKeys("z", {"z": "9"})
    join_nodes(desk.context(), replace(ONE, keys=changed))
    desk.now += ALIVE + 1
    join_nodes(desk.context(), TWO)


def test_the_calls_of_a_dead_node_are_for_anybody_to_end(desk: Desk) -> None:
    join_nodes(desk.context(), ONE)
    answered, ringing = (
        desk.switch("RouteCall", CarrierName="acme", Caller=ANN, Called=PROXY)["CallId"]
        for _ in "12"
    )
    dead = replace(ONE, name=answered[:8])
    join_nodes(desk.context(), dead)
    desk.report(answered, "Answered", Legs=[LEG] * 2)
    bury_node(desk.context(), dead.name)
    assert len(live_calls(desk.context())) == 2  # it lives
    desk.now += ALIVE + 1
    bury_node(desk.context(), dead.name)
    bury_node(desk.context(), ringing[:8])  # nobody knows of such a node
    due = take_calls_to_hang_up(desk.context(), TWO.name)
    assert [call.call_id for call in due] == [answered]
    assert [node.name for node in known_nodes(desk.context())] == ["aaaaaaaa"]


def test_what_rang_on_a_dead_node_is_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it in one go: others of the database wait for hundreds of calls one by one."""
    calls = [
        desk.switch("RouteCall", CarrierName="acme", Caller=ANN, Called=PROXY)["CallId"]
        for _ in range(3)
    ]
    join_nodes(desk.context(), replace(ONE, name=""))  # so all calls are its own
    desk.now += ALIVE + 1
    writes: list[str] = []
    carry_out = desk.tx.run_each

    def noted(query: str, rows: list[dict[str, Any]]) -> None:
        writes.append(query)
        carry_out(query, rows)

    monkeypatch.setattr(desk.tx, "run_each", noted, raising=False)
    bury_node(desk.context(), "")
    assert writes == ["put_call"]
    assert live_calls(desk.context()) == []
    for call in calls:
        assert desk.record(call)["EndedBy"] == "us"


def test_a_report_that_was_begun_before_puts_no_hang_up_off(desk: Desk) -> None:
    """Nor one of a call that is to be hung up as it is answered."""
    call = desk.switch("RouteCall", CarrierName="acme", Caller=ANN, Called=PROXY)["CallId"]
    begun = recorded_call(desk.context(), call)
    desk.report(call, "Answered", Legs=[LEG] * 2)
    answered = recorded_call(desk.context(), call)
    join_nodes(desk.context(), replace(ONE, name=call[:8]))
    desk.now += ALIVE + 1
    bury_node(desk.context(), call[:8])
    for before in (answered, begun):
        assert before is not None
        save(desk.context(), replace(before, answered_at=1, legs=(LEG, LEG)))
        due = list_due(desk)
        assert due == [call]


def list_due(desk: Desk) -> list[str]:
    rows = desk.context().tx.all(
        "list_calls_to_hang_up", now=desk.now, node="", left_alone_since=desk.now, limit=9
    )
    return [row["call_id"] for row in rows]
