"""The pace of a link by a clock that stands until it is moved."""

import pytest

from maskline.sms.smpp import pace
from maskline.sms.smpp.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr("random.uniform", lambda low, high: (low + high) / 2)
    return Clock()


def test_without_a_rate_there_is_room_for_any_number(clock: Clock) -> None:
    one = Pace(None, clock)
    one.sent(1_000_000)
    assert one.room is None
    assert one.seconds_to_room == 0.0


@pytest.mark.parametrize("per_second", [1, 7, 50, 10_000])
def test_a_rate_is_kept(clock: Clock, per_second: int) -> None:
    """Sending all there is room for, at every moment: never more than the rate and a burst."""
    one, sent = Pace(per_second, clock), 0
    for step in range(1_000):
        room = one.room
        assert room is not None
        one.sent(room)
        sent += room
        assert sent <= max(1, per_second * pace.BURST_SECONDS) + step * 0.01 * per_second + 1e-6
        clock.now += 0.01
    assert sent >= 0.9 * 10 * per_second  # what is more than a burst is lost


def test_it_says_when_there_will_be_room(clock: Clock) -> None:
    one = Pace(20, clock)
    one.sent(2)
    assert one.room == 0
    clock.now += one.seconds_to_room + 1e-9
    assert one.room == 1


def test_pauses_double_until_all_is_well(clock: Clock) -> None:
    one = Pace(None, clock)
    lengths = []
    for _ in range(8):
        lengths.append(one.congested())
        assert one.paused
        assert one.room == 0
        clock.now += lengths[-1]
        assert not one.paused
    assert lengths == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30])
    one.taken()
    assert one.congested() == pytest.approx(0.5)


def test_a_pause_is_not_made_longer_by_what_was_under_way(clock: Clock) -> None:
    """A window full of refusals is one refusal."""
    one = Pace(None, clock)
    first = one.congested()
    clock.now += 0.2
    assert one.congested() == pytest.approx(first - 0.2)
    one.taken()  # sent before the pause: it says nothing about now
    clock.now += first
    assert one.congested() == pytest.approx(1.0)
