"""In which order targets are tried, and when one is given up."""

import random
from collections import Counter

import pytest

from maskline.domain.health import State
from maskline.domain.trunk import Health, Target, WayOut, in_turn, ways_out

A, B, C = (Target(f"192.0.2.{n}:5060", "udp", *place) for n, place in enumerate(
    [(0, 30), (0, 10), (1, 0)]
))  # fmt: skip


def test_priorities_come_in_order_and_weights_share() -> None:
    dice = random.Random(1)
    orders = [in_turn([C, B, A], lambda n: dice.randint(0, n)) for _ in range(2000)]
    assert all(order[2] is C and {*order[:2]} == {A, B} for order in orders)
    first = Counter(order[0].weight for order in orders)
    assert first[30] / first[10] == pytest.approx(3, rel=0.2)


def test_targets_without_weight_are_all_tried() -> None:
    ones = [Target(f"192.0.2.{n}:5060", "udp") for n in range(4)]
    assert set(in_turn(ones, lambda n: n)) == set(ones)
    assert in_turn([], lambda n: n) == []


def test_a_weight_holds_among_those_of_one_priority_alone() -> None:
    heavy, light = Target("192.0.2.8:5060", "udp", 1, 90), Target("192.0.2.9:5060", "udp", 0, 0)
    for draw in (lambda n: n, lambda _: 0):
        assert in_turn([heavy, A, B, light], draw)[3] is heavy
    assert in_turn([A, B, light], lambda _: 0) == [light, B, A]
    assert in_turn([A, light, B], lambda n: n) == [A, B, light]


def test_what_settings_say_of_places_comes_before_what_name_servers_say() -> None:
    first, last = Target("a", "udp", 65535, 1), Target("b", "udp", 0, 65535)
    assert in_turn([last.below(2, 0), first.below(1, 0)], lambda n: n) == [
        first.below(1, 0), last.below(2, 0)
    ]  # fmt: skip
    assert in_turn([first.below(3, 0), last.below(3, 0)], lambda n: n)[0] == last.below(3, 0)
    assert [first.below(3, weight).weight for weight in (0, 7)] == [1, 7]
    assert (first.below(3, 7).address, first.below(0, 0)) == ("a", first)


def states(*answers: bool) -> list[str]:
    health, found = Health(), []
    for now, answered in enumerate(answers, 1):
        health = health.probed(answered, now)
        found.append(health.state.value)
    return found


def test_the_first_probe_decides_and_then_two_in_a_row() -> None:
    assert states(True, False, True, False, False) == ["up", "up", "up", "up", "down"]
    assert states(False, True, False, True, True) == ["down", "down", "down", "down", "up"]


def test_the_time_of_a_state_is_that_of_its_change() -> None:
    health = Health().probed(True, 5).probed(True, 9).probed(False, 12)
    assert (health.state, health.since, health.against, health.checked_at) == (State.UP, 5, 1, 12)


def test_the_longest_prefix_wins_among_a_carrier_and_its_replacements() -> None:
    ways = {
        "acme": WayOut(failover=("globex", "initech"), prefixes=("+1",)),
        "globex": WayOut(prefixes=("+44", "+447")),
        "initech": WayOut(prefixes=("+44",)),
        "stranger": WayOut(prefixes=("+447700",)),
    }
    assert ways_out("acme", "+447700900100", ways) == ["globex", "initech", "acme"]
    assert ways_out("acme", "+442079460100", ways) == ["globex", "initech", "acme"]
    assert ways_out("acme", "+12065550100", ways) == ["acme", "globex", "initech"]
    assert ways_out("globex", "+12065550100", ways) == ["globex"]
