"""Limits, counted by a clock of the test's."""

from maskline.domain.limits import MANY, Places, Rate, Underway


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


def test_a_call_counts_until_whoever_decides_saw_it_in_the_store() -> None:
    underway = Underway()
    assert underway.take("one", 100, {"connector": 2}) is None
    assert underway.take("two", 100, {"caller": 9, "connector": 2}) is None
    assert underway.take("three", 100, {"caller": 9, "connector": 2}) == "connector"
    underway.store(["one", "unknown"], 150)
    assert underway.take("three", 150, {"connector": 2}) == "connector"  # decided on the old state
    assert underway.take("three", 151, {"connector": 2}) is None
    assert underway.take("four", 151, {"caller": 1}) == "caller"


def test_a_call_that_is_not_let_through_or_never_stored_leaves_its_place() -> None:
    underway = Underway()
    assert underway.take("one", 100, {"connector": 1}) is None
    underway.free("one")
    assert underway.take("two", 100, {"connector": 1}) is None
    assert underway.take("three", 30_099, {"connector": 1}) == "connector"
    assert underway.take("three", 30_100, {"connector": 1}) is None


def test_a_call_can_count_for_more_as_more_of_it_is_decided() -> None:
    underway = Underway()
    assert underway.take("one", 0, {"connector": 1}) is None
    assert underway.take("one", 0, {"carrier": 1}) is None
    assert underway.take("two", 0, {"carrier": 1}) == "carrier"
    assert underway.take("two", 0, {"connector": 1}) == "connector"


def test_a_call_may_count_no_more_for_one_of_its_keys() -> None:
    underway = Underway()
    assert underway.take("one", 100, {"connector": 1, "carrier": 1}) is None
    underway.free("one", "carrier")
    underway.free("unknown", "carrier")
    assert underway.take("two", 100, {"carrier": 1}) is None
    assert underway.take("three", 30_099, {"connector": 1}) == "connector"
    assert underway.take("three", 30_100, {"connector": 1}) is None  # since 100, as before


def test_who_calls_once_is_not_remembered_for_ever() -> None:
    now = 0
    rate = Rate(lambda: now)
    for caller in range(3 * MANY):
        assert rate.allows(f"caller {caller}", 1)
        now += caller % 2
    assert len(rate._times) <= MANY + 1
    assert not rate.allows(f"caller {3 * MANY - 1}", 1)


def test_what_happened_a_second_ago_counts_no_more() -> None:
    now = 0
    rate = Rate(lambda: now)
    assert rate.allows("one", 2)
    now = 600
    assert not rate.full("one", 2)
    assert rate.allows("one", 2)
    assert rate.full("one", 2)
    assert not rate.allows("one", 2)
    assert rate.allows("other", 1)
    now = 999
    assert not rate.allows("one", 2)
    now = 1000
    assert not rate.full("one", 2)
    assert rate.allows("one", 2)
    assert not rate.allows("one", 2)


def test_who_called_within_the_second_is_remembered_however_many_call() -> None:
    now = 0
    rate = Rate(lambda: now)
    for caller in range(MANY):
        rate.allows(f"early {caller}", 1)
    now = 500
    for caller in range(MANY + 1):
        rate.allows(f"late {caller}", 1)
    now = 1000
    rate.allows("another", 1)
    assert all(rate.full(f"late {caller}", 1) for caller in range(MANY + 1))


def test_a_clock_that_is_set_back_makes_no_call_count_twice() -> None:
    """Until it is once more what it was, that would be."""
    underway = Underway()
    hour = 3_600_000
    assert underway.take("one", hour, {"connector": 1}) is None
    underway.store(["one"], hour + 5)
    assert underway.take("two", hour - 29_000, {"connector": 1}) == "connector"
    assert underway.take("two", 0, {"connector": 1}) is None
    assert underway.take("three", 1, {"connector": 1}) == "connector"
