"""How calls end that nobody answers: who is behind it, and which cause it has."""

import pytest

from maskline.domain.call import Party
from maskline.domain.causes import cause_of
from maskline_sip.endings import cause_told, refused_by


@pytest.mark.parametrize(
    ("status", "party"),
    [
        (302, "carrier"), (401, "us"), (403, "carrier"), (404, "carrier"), (407, "us"),
        (480, "called"), (484, "carrier"), (486, "called"), (488, "called"), (503, "carrier"),
        (603, "called"), (604, "carrier"),
    ],
)  # fmt: skip
def test_who_is_behind_a_refusal(status: int, party: str) -> None:
    assert refused_by(status) == Party(party).value


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ('Q.850;cause=17;text="User busy"', 17),
        ("SIP;cause=200, q.850 ; Cause = 31", 31),
        ('Q.850;text="a; cause=3, \\"b";cause=16', 16),
        ('Q.850;text="gone", SIP;cause=200', None),
        ("SIP;cause=486", None),
        ("Q.850;cause=900", None),
        ("", None),
    ],
)
def test_the_cause_that_a_reason_tells(reason: str, cause: int | None) -> None:
    assert cause_told(reason) == cause


@pytest.mark.parametrize(
    ("status", "cause"),
    [(200, 16), (404, 1), (408, 102), (480, 18), (486, 17), (487, 31), (503, 41), (None, 41),
     (499, 31), (599, 41), (699, 31), (302, 31)],
)  # fmt: skip
def test_the_cause_that_a_status_stands_for(status: int | None, cause: int) -> None:
    assert cause_of(status, rang=False) == cause


def test_who_was_rung_did_not_answer() -> None:
    assert (cause_of(480, rang=True), cause_of(486, rang=True)) == (19, 17)


@pytest.mark.parametrize(
    ("cause", "statuses"),
    [
        (1, [404, 485, 604]), (16, [200]), (17, [486, 600]), (18, [480]), (22, [410]),
        (21, [401, 402, 403, 407, 433, 603, 607]), (25, [482, 483]), (28, [484]), (38, [502]),
        (41, [400, 481, 500, 503, 555, 599]), (63, [405]), (79, [406, 415, 501]), (102, [408, 504]),
        (127, [413, 414, 416, 420, 421, 423, 505, 513]), (31, [302, 487, 488, 499, 606, 699]),
    ],
)  # fmt: skip
def test_a_status_has_the_cause_of_rfc_3398(cause: int, statuses: list[int]) -> None:
    """8.2.6.1."""
    assert {cause_of(status, rang=False) for status in statuses} == {cause}
