"""Overload control: when new calls are refused, how many, and that it ends."""

import asyncio

import pytest
from structlog.testing import capture_logs

from maskline.engines import overload
from maskline.engines.overload import (
    LATE_SECONDS,
    LONGEST_SECONDS,
    MANY_CALLS,
    Controller,
    Overload,
)


class Node:
    """A SIP node, to whose Kamailio so many calls come between two looks, and which answers so
    late."""

    def __init__(self) -> None:
        self.calls, self.asked, self.late = MANY_CALLS, 0, 0.0
        self.looks, self.refused = 0, 0
        self.overload = Overload(lambda: self.asked, self.answers, self.refuse)

    async def answers(self, seconds: float) -> bool:
        self.looks += 1
        await asyncio.sleep(min(self.late, seconds))
        return self.late <= seconds

    def refuse(self, refused: int) -> None:
        self.refused = refused

    async def look(self) -> None:
        self.asked += self.calls
        await self.overload.look()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    """What is late here is late by a hundredth of the time."""
    for name in ("LATE_SECONDS", "TARGET_SECONDS", "LONGEST_SECONDS"):
        monkeypatch.setattr(overload, name, getattr(overload, name) / 100)
    for name in ("BY_LATENESS", "BY_CHANGE"):
        monkeypatch.setattr(overload, name, getattr(overload, name) * 100)
    return Node()


LATE = LATE_SECONDS / 100 * 1.5


async def test_who_answers_in_time_refuses_nothing(node: Node) -> None:
    for _ in range(3):
        await node.look()
    assert (node.looks, node.refused) == (3, 0)


async def test_who_is_late_now_and_then_refuses_nothing(node: Node) -> None:
    for late in (LATE, 0.0, LATE, 0.0):
        node.late = late
        await node.look()
    assert (node.looks, node.refused) == (4, 0)


async def test_who_has_few_calls_is_not_even_asked(node: Node) -> None:
    node.late, node.calls = LATE, MANY_CALLS // 10
    for _ in range(8):
        await node.look()
    assert (node.looks, node.refused) == (0, 0)


async def test_who_is_late_refuses_some_and_takes_all_again_when_prompt(node: Node) -> None:
    node.late = LATE
    with capture_logs() as logs:
        await node.look()
        assert node.refused == 0  # it may have paused for once
        await node.look()
        first = node.refused
        assert 0 < first < 1000
        await node.look()  # as late as before: still more
        assert first < node.refused < 1000
        node.late, node.calls = 0.0, 0
        for _ in range(60):
            await node.look()
        assert node.refused == 0
        looks = node.looks
        for _ in range(8):
            await node.look()
        assert node.looks == looks  # nobody calls, and nothing is refused
    assert [entry["event"] for entry in logs] == ["overloaded: some new calls are refused"]


async def test_who_does_not_answer_is_not_waited_for(node: Node) -> None:
    node.late = 60.0
    async with asyncio.timeout(LONGEST_SECONDS * 10):
        for _ in range(8):
            await node.look()
    assert node.refused > 900


def test_a_steady_load_finds_its_share() -> None:
    """Two and a half times what can be carried: two fifths are taken, and few wait."""
    controller, queue, taken, waits = Controller(), 0.0, [], []
    for _ in range(200):  # with a fifth of a second between them; the queue in seconds of work
        waited = min(queue, LONGEST_SECONDS)
        controller.see(waited)
        queue = max(0.0, queue + (0.2 + waited) * (2.5 * controller.share - 1))
        taken.append(controller.share)
        waits.append(queue)
    assert 0.36 < sum(taken[50:]) / 150 < 0.44
    assert max(waits[50:]) < LATE_SECONDS
    for _ in range(100):
        queue = max(0.0, queue + 0.2 * (0.5 * controller.share - 1))
        controller.see(queue)
    assert controller.share == 1.0
