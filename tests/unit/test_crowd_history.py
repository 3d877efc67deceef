"""The judge of the many processes sees what is wrong, and nothing in what is right."""

from typing import Any

import pytest
from crowd.history import Stored, faults

ANN, BEN, CAT = "+12065550100", "+14015550101", "+13035550102"
ONE, TWO = "+19135550100", "+19135550101"
NOW, MINUTE = 1_000_000, 60_000


def row(
    session: str, start: int, end: int | None, numbers: dict[str, str], connector: str = "c"
) -> dict[str, Any]:
    (first, first_proxy), (second, second_proxy) = numbers.items()
    return {
        "proxy_session_id": session, "voice_connector_id": connector, "created_at": start,
        "ended_at": end, "expires_at": start + MINUTE, "first_number": first,
        "second_number": second,
        "first_proxy_number": first_proxy, "second_proxy_number": second_proxy,
    }  # fmt: skip


def created(session: str, at: int, numbers: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": "create", "connector": "c", "pair": [*numbers], "minutes": None, "sent": at,
        "answered": at + 2, "status": 201, "request": f"create {session}", "session": session,
        "numbers": numbers,
    }  # fmt: skip


def refused(at: int, *pair: str, connector: str = "c") -> dict[str, Any]:
    return {
        "kind": "create", "connector": connector, "pair": [*pair], "sent": at, "answered": at + 2,
        "status": 400, "code": "ResourceLimitExceeded", "request": "r",
    }  # fmt: skip


def changed(kind: str, session: str, at: int, status: int | None, **more: Any) -> dict[str, Any]:
    fact = {"kind": kind, "session": session, "sent": at, "status": status, **more}
    return fact | ({"answered": at + 2, "request": f"{kind} {session}"} if status else {})


BOTH = {ANN: ONE, BEN: ONE}
OPEN = row("a", NOW, None, BOTH)
CLOSED = row("a", NOW, NOW + 11, BOTH)
MADE = created("a", NOW - 1, BOTH)


def judge(facts: list[Any], *sessions: dict[str, Any], **changes: Any) -> list[str]:
    running = [each for each in sessions if each["ended_at"] is None]
    uses = {
        (each[f"{side}_number"], each[f"{side}_proxy_number"]): each
        for each in running
        for side in ("first", "second")
    }
    values: dict[str, Any] = {
        "sessions": {each["proxy_session_id"]: each for each in sessions},
        "claims": {
            use: {"proxy_session_id": each["proxy_session_id"], "held_until": each["expires_at"]}
            for use, each in uses.items()
        },
        "counters": {
            number: sum(
                number in (e["first_proxy_number"], e["second_proxy_number"]) for e in running
            )
            for number in (ONE, TWO)
        },
        "audited": {fact["request"]: "Success" for fact in facts if "request" in fact},
        "pools": dict.fromkeys("cpr", frozenset((ONE, TWO))),
        "rests": {"r": 10},
        "per_participant": frozenset("p"),
        "read_at": NOW + 1000,
    }
    return [*faults(facts, Stored(**values | changes))]


def test_what_is_right_has_no_fault() -> None:
    assert judge([MADE], OPEN) == []
    assert judge([MADE, changed("delete", "a", NOW + 10, 204)], CLOSED) == []
    assert judge([MADE, changed("delete", "a", NOW + 10, None)], OPEN) == []
    assert judge([MADE, changed("delete", "a", NOW + 10, None)], CLOSED) == []
    assert judge([MADE], row("a", NOW, NOW + MINUTE, BOTH), read_at=NOW + MINUTE) == []
    assert judge([MADE, changed("update", "a", NOW - 1, 201, minutes=1)], OPEN) == []
    assert judge([MADE, changed("update", "a", NOW + 9, None, minutes=1)], OPEN) == []
    assert judge([MADE, changed("update", "a", NOW + 9, 400, minutes=1)], OPEN) == []
    assert judge([], OPEN) == []  # made for somebody whom a kill kept from hearing of it


def test_a_number_that_changes_hands_in_a_millisecond_is_not_shared() -> None:
    assert judge([], CLOSED, row("b", NOW + 11, None, {ANN: ONE, CAT: ONE})) == []
    (told,) = judge([], CLOSED, row("b", NOW + 10, None, {ANN: ONE, CAT: ONE}))
    assert "in use until" in told


@pytest.mark.parametrize("connectors", ["rc", "cr", "rr"])
def test_a_number_that_rests_is_given_to_no_third_person(connectors: str) -> None:
    first, second = connectors
    before = row("a", NOW, NOW + 11, BOTH, first)
    for numbers in ({ANN: ONE, CAT: ONE}, {CAT: ONE, BEN: ONE}):
        assert judge([], before, row("b", NOW + 21, None, numbers, second)) == []
        (told,) = judge([], before, row("b", NOW + 20, None, numbers, second))
        assert "rested after" in told
    assert judge([], before, row("b", NOW + 11, None, BOTH, second)) == []


HELD = row("a", NOW, NOW + 20, BOTH), row("b", NOW + 5, NOW + 20, {CAT: TWO, BEN: TWO})


@pytest.mark.parametrize(
    ("at", "pair", "connector", "right"),
    [
        (NOW + 5, (ANN, BEN), "c", True),  # Ann has one number, Ben the other
        (NOW + 3, (ANN, BEN), "c", True),  # from the end of the question on
        (NOW + 2, (ANN, BEN), "c", False),
        (NOW + 20, (ANN, BEN), "c", True),
        (NOW + 21, (ANN, BEN), "c", False),
        (NOW + 5, (ANN, CAT), "c", True),
        (NOW + 5, (ANN, CAT), "p", False),  # each has one left
        (NOW + 5, (ANN, BEN), "p", True),  # Ben has none
        (NOW + 5, (ANN, "+15035550104"), "c", False),
    ],
)
def test_a_refusal_is_right_if_at_one_moment_nothing_was_free(
    at: int, pair: tuple[str, str], connector: str, right: bool
) -> None:
    told = judge([refused(at, *pair, connector=connector)], *HELD)
    assert [line[:27] for line in told] == ([] if right else ["refused though a number was"])


@pytest.mark.parametrize(
    ("at", "pair", "connector", "right"),
    [
        (NOW + 30, (ANN, CAT), "r", True),
        (NOW + 31, (ANN, CAT), "r", False),
        (NOW + 21, (ANN, CAT), "c", False),  # by its own rule it has no rest, nor had they
        (NOW + 30, (ANN, BEN), "r", False),  # they had it last
        (NOW + 30, (CAT, BEN), "r", False),  # neither has had the other number
    ],
)
def test_a_refusal_is_right_while_numbers_rest(
    at: int, pair: tuple[str, str], connector: str, right: bool
) -> None:
    dan = "+15035550104"
    ended = row("a", NOW, NOW + 20, BOTH), row("b", NOW, NOW + 20, {ANN: TWO, dan: TWO})
    told = judge([refused(at, *pair, connector=connector)], *ended)
    assert [line[:27] for line in told] == ([] if right else ["refused though a number was"])


@pytest.mark.parametrize(
    ("facts", "sessions", "told"),
    [
        ([MADE], [], "answered and lost"),
        ([MADE], [row("a", NOW, None, {ANN: TWO, BEN: TWO})], "other numbers"),
        ([MADE], [row("a", NOW + 2, None, BOTH)], "between question and answer"),
        ([MADE], [CLOSED], "ended by nobody"),
        ([MADE, changed("delete", "a", NOW + 20, 204)], [CLOSED], "ended by nobody"),
        ([MADE, changed("delete", "a", NOW + 10, 204)], [OPEN], "closed and open"),
        ([MADE, changed("update", "a", NOW + 9, 201, minutes=2)], [OPEN], "not the one asked for"),
        ([changed("delete", "b", NOW, 204)], [OPEN], "changed but never opened"),
        ([MADE, changed("get", "a", NOW + 9, 404)], [OPEN], "a strange answer"),
        ([MADE | {"status": 500}], [OPEN], "a strange answer"),
    ],
)
def test_what_is_wrong_is_told(facts: list[Any], sessions: list[Any], told: str) -> None:
    assert any(told in line for line in judge(facts, *sessions))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"audited": {}}, "no audit record"),
        ({"claims": {}}, "is not claimed"),
        ({"counters": {ONE: 2}}, "counts 2"),
    ],
)
def test_what_does_not_fit_together_is_told(changes: dict[str, Any], told: str) -> None:
    assert any(told in line for line in judge([MADE], OPEN, **changes))
