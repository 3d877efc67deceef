"""How many numbers a population needs, under each policy of assignment.

Usage: python bench/pool_numbers.py [--people 300] [--sessions 2000]

Plays the same sequence of opened and closed sessions again and again on pools of different size,
through the operations themselves, and looks for the smallest pool on which nobody is refused, for
each way of choosing a number.
Beside it stand the bounds: with D the most sessions that anybody takes part in at once, no policy
can do with fewer than D numbers; one number for both participants, chosen without knowing the
future, never needs more than 2D-1; a number for each needs D.
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

from maskline.domain.refusals import NoNumberFree
from maskline.domain.selection import Behaviour

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


def most_at_once(steps: list[Step]) -> int:
    """D: the most sessions that anybody takes part in at once."""
    now: collections.Counter[str] = collections.Counter()
    most = 0
    for step in steps:
        for person in step.pair:
            now[person] += 1 if step.closes is None else -1
            most = max(most, now[person])
    return most


def refused(
    steps: list[Step], pool: int, assignment: str, behaviour: Behaviour | None = None
) -> int:
    """How many sessions a pool of that size cannot take."""
    house = House(Path(":memory:"), pool)
    house.connection.execute("UPDATE voice_connectors SET number_assignment = ?", (assignment,))
    made: dict[int, dict[str, Any]] = {}
    opened = itertools.count()
    refusals = 0
    for step in steps:
        if step.closes is not None:
            if step.closes in made:
                house.close(made.pop(step.closes))
            continue
        number = next(opened)
        try:
            made[number] = house.open(step.pair, behaviour)
        except NoNumberFree:
            refusals += 1
    house.connection.close()
    return refusals


def smallest_pool(
    steps: list[Step], assignment: str, behaviour: Behaviour | None, low: int, high: int
) -> int:
    """The smallest pool between two sizes on which nobody is refused."""
    while low < high:
        middle = (low + high) // 2
        if refused(steps, middle, assignment, behaviour):
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
    print("population  behaviour       D   shared   2D-1  per_participant  with D-1")
    for draw in (even, two_sided, one_desk):
        steps = history(draw, people, arguments.sessions)
        most = most_at_once(steps)
        for behaviour in (None, *Behaviour):
            shared, own = (
                smallest_pool(steps, assignment, behaviour, most, 2 * most - 1)
                for assignment in ("shared", "per_participant")
            )
            below = refused(steps, most - 1, "per_participant", behaviour)
            print(
                f"{draw.__name__:>10}  {behaviour or 'longest unused':<14}{most:>3} {shared:>8}"
                f" {2 * most - 1:>6} {own:>16} {below:>4} refused"
            )


if __name__ == "__main__":
    main()
