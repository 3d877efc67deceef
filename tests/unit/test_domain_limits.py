"""Limits, counted by a clock of the test's."""

from maskline.domain.limits import Places


def test_a_place_is_free_again_when_its_time_is_over() -> None:
    now = 0
    places = Places(lambda: now, most=2)
    assert places.take(1000)
    assert places.take(3000)
    assert not places.take(10)
    now = 999
    assert not places.take(10)
    now = 1000
    assert places.take(5000)
    assert not places.take(10)
    now = 3000
    assert places.take(1)
