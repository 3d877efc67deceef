"""How many numbers a population needs, under each policy of assignment.

Usage: python bench/pool_numbers.py [--people 300] [--sessions 2000]

Plays the same sequence of opened and closed sessions again and again on pools of different size,
through the operations themselves, and looks for the smallest pool on which nobody is refused, for
each way of choosing a number.
Beside it stand the bounds: with D the most sessions that anybody takes part in at once, no policy
can do with fewer than D numbers; one number for both participants, chosen without knowing the
future, never needs more than 2D-1; a number for each needs D.

Then the same people again, whose sessions last an hour on average, on numbers that rest: here D
counts what somebody has in use and what would rest for them if they met nobody twice.
"""

import argparse
import collections
import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selection import House

from maskline.clock import HOUR, MINUTE
from maskline.domain.refusals import NoNumberFree
from maskline.domain.selection import Behaviour

RESTS = 0, 15, 60, 240  # minutes
Draw = Callable[[list[str]], tuple[str, str]]


@dataclass(frozen=True)
class Step:
    """At a moment, somebody opens a session with somebody, or closes session `closes`."""

    pair: tuple[str, str]
    closes: int | None = None


def even(people: list[str]) -> tuple[str, str]:
    """Anybody with anybody: private people, say."""
    first, second = random.sample(people, 2)
    return first, second


def two_sided(people: list[str]) -> tuple[str, str]:
    """A fifth of the people serves the others: drivers and riders."""
    edge = len(people) // 5
    return random.choice(people[:edge]), random.choice(people[edge:])


def one_desk(people: list[str]) -> tuple[str, str]:
    """A third of all sessions have one and the same participant: a dispatcher."""
    first, second = random.sample(people[1:], 2)
    return (people[0], second) if random.random() < 1 / 3 else (first, second)


def history(draw: Draw, people: list[str], sessions: int) -> list[Step]:
    """Sessions opened at even intervals, each for a random time."""
    steps: list[Step] = []
    ends: list[tuple[float, int]] = []
    pairs: list[tuple[str, str]] = []
    for number in range(sessions):
        while ends and ends[0][0] <= number:
            _, ended = heapq.heappop(ends)
            steps.append(Step(pairs[ended], ended))
        pairs.append(draw(people))
        steps.append(Step(pairs[-1]))
        heapq.heappush(ends, (number + random.expovariate(3 / sessions), number))
    return steps


def step_milliseconds(sessions: int) -> float:
    """How far apart sessions are opened that last an hour: a third of all are open, see above."""
    return 3 * HOUR / sessions


def most_at_once(steps: list[Step], rest: float = 0) -> int:
    """D: the most sessions that anybody takes part in at once, or did less than `rest` opened
    sessions ago."""
    now: collections.Counter[str] = collections.Counter()
    over: collections.deque[tuple[float, tuple[str, str]]] = collections.deque()
    most = opened = 0
    for step in steps:
        while over and over[0][0] <= opened:
            now.subtract(over.popleft()[1])
        if step.closes is not None:
            over.append((opened + rest, step.pair))
            continue
        opened += 1
        now.update(step.pair)
        most = max(most, *(now[person] for person in step.pair))
    return most


def refused(
    steps: list[Step],
    pool: int,
    assignment: str,
    behaviour: Behaviour | None = None,
    rest: int = 0,
) -> int:
    """How many sessions a pool of that size cannot take, whose numbers rest so many minutes."""
    house = House(Path(":memory:"), pool)
    house.connection.execute(
        "UPDATE voice_connectors SET number_assignment = ?, number_rest_minutes = ?",
        (assignment, rest),
    )
    begin, long = house.now, step_milliseconds(sum(step.closes is None for step in steps))
    made: dict[int, dict[str, Any]] = {}
    opened = itertools.count()
    refusals = 0
    for step in steps:
        if step.closes is not None:
            if step.closes in made:
                house.close(made.pop(step.closes))
            continue
        number = next(opened)
        house.now = max(house.now, begin + int(number * long))
        try:
            made[number] = house.open(step.pair, behaviour)
        except NoNumberFree:
            refusals += 1
    house.connection.close()
    return refusals


def smallest_pool(
    steps: list[Step],
    assignment: str,
    behaviour: Behaviour | None,
    low: int,
    high: int,
    rest: int = 0,
) -> int:
    """The smallest pool between two sizes on which nobody is refused."""
    while low < high:
        middle = (low + high) // 2
        if refused(steps, middle, assignment, behaviour, rest):
            low = middle + 1
        else:
            high = middle
    return low


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--sessions", type=int, default=2000)
    arguments = parser.parse_args()
    random.seed(1)
    people = [f"+1415{2_000_000 + number}" for number in range(arguments.people)]
    populations = {
        draw.__name__: history(draw, people, arguments.sessions)
        for draw in (even, two_sided, one_desk)
    }
    print("population  behaviour       D   shared   2D-1  per_participant  with D-1")
    for name, steps in populations.items():
        most = most_at_once(steps)
        for behaviour in (None, *Behaviour):
            shared, own = (
                smallest_pool(steps, assignment, behaviour, most, 2 * most - 1)
                for assignment in ("shared", "per_participant")
            )
            below = refused(steps, most - 1, "per_participant", behaviour)
            print(
                f"{name:>10}  {behaviour or 'longest unused':<14}{most:>3} {shared:>8}"
                f" {2 * most - 1:>6} {own:>16} {below:>4} refused"
            )
    print("\npopulation    rest     D   shared   2D-1  per_participant")
    for name, steps in populations.items():
        for rest in RESTS:
            low = most_at_once(steps)
            most = most_at_once(steps, rest * MINUTE / step_milliseconds(arguments.sessions))
            shared, own = (
                smallest_pool(steps, assignment, None, low, 2 * most - 1, rest)
                for assignment in ("shared", "per_participant")
            )
            print(f"{name:>10} {rest:>3} min {most:>5} {shared:>8} {2 * most - 1:>6} {own:>16}")


if __name__ == "__main__":
    main()
