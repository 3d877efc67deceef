"""When a registration is sent anew, and how it is told to stand."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from maskline.domain.trunk import Target
from maskline.engines import registration
from maskline.engines.control import Reply
from maskline.engines.registration import Outcome, attempt, keep_registered, pause_after

FIRST, SECOND = Target("192.0.2.1:5060", "udp"), Target("192.0.2.2:5060", "udp")
FORBIDDEN = "refused 403 Forbidden"
BUSY = "refused 503 Service Unavailable"


def refused(status: int, told: str, seconds: float | None = None) -> Reply:
    return Reply(status, retry_after=seconds, expires=600, told=told)


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ([Reply(200, expires=100)], Outcome("registered", 100)),
        ([Reply(200)], Outcome("registered", 600)),
        ([refused(503, BUSY, 9.0), Reply(200, expires=100)], Outcome("registered", 100)),
        ([refused(503, BUSY, 9.0), refused(403, FORBIDDEN)], Outcome(FORBIDDEN, refused=True)),
        ([refused(403, FORBIDDEN), refused(503, BUSY, 300.0)], Outcome(BUSY, 300)),
        ([refused(503, BUSY, 300.0), None], Outcome("no answer")),
        ([refused(408, "refused 408")], Outcome("refused 408")),
        ([refused(480, "refused 480")], Outcome("refused 480")),
        ([refused(407, "refused 407")], Outcome("refused 407", refused=True)),
        ([refused(603, "refused 603")], Outcome("refused 603", refused=True)),
        ([Reply(408)], Outcome("no answer")),
        ([Reply(503, 5.0)], Outcome("not reached")),
        ([], Outcome("no place")),
    ],
)
async def test_each_target_is_asked_until_one_takes_us(
    replies: list[Reply | None], outcome: Outcome
) -> None:
    left = list(replies)

    async def register(_name: str, _target: Target, seconds: int) -> Reply | None:
        assert seconds == 600
        return left.pop(0)

    targets = [FIRST, SECOND][: len(replies)]
    assert await attempt("acme", 600, targets, register) == outcome
    assert not left


@pytest.mark.parametrize(
    ("outcome", "longest"),
    [
        (Outcome("no answer"), [20, 40, 80, 120, 120]),
        (Outcome(BUSY), [20, 40, 80, 120, 120]),
        (Outcome(FORBIDDEN, refused=True), [20, 40, 80, 160, 320, 640, 1280, 1800, 1800]),
    ],
)
def test_who_is_refused_again_and_again_asks_less_and_less(
    outcome: Outcome, longest: list[float]
) -> None:
    """RFC 5626 4.5: up to a longest time, and not all at once."""
    for failures, most in enumerate(longest, start=1):
        pauses = [pause_after(outcome, failures) for _ in range(50)]
        assert most / 2 <= min(pauses) < max(pauses) <= most
    assert pause_after(outcome, 10_000) <= longest[-1]


@pytest.mark.parametrize(("asked", "pause"), [(300.0, 300), (9.0, 20), (999_999.0, 3600)])
def test_a_registrar_is_asked_again_when_it_wants(
    asked: float, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 3261 20.33: not before, but within an hour."""
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    assert pause_after(Outcome(BUSY, asked), 1) == pause


def test_a_registration_is_renewed_in_time() -> None:
    assert pause_after(Outcome("registered", 100), 0) == 80


class Stage:
    """A registration that is kept; `replies` are given in turn, the last one for ever."""

    def __init__(self, *replies: Reply | None) -> None:
        self.replies = iter(replies)
        self.asked: list[int] = []
        self.told: list[tuple[str, float]] = []
        self.again = asyncio.Event()

    async def register(self, _name: str, _target: Target, seconds: int) -> Reply | None:
        self.asked.append(seconds)
        return next(self.replies)

    def tell(self, _name: str, state: str, pause: float) -> None:
        self.told.append((state, pause))

    def start(self) -> asyncio.Task[Any]:
        given = "acme", 600, lambda: [FIRST], self.register, self.tell, self.again
        return asyncio.create_task(keep_registered(*given))

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():
                await asyncio.sleep(0)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    monkeypatch.setattr(registration, "FIRST_PAUSE", 0.001)


@pytest.mark.usefixtures("hurry")
async def test_what_was_changed_is_tried_at_once_and_as_if_for_the_first_time() -> None:
    forbidden = refused(403, FORBIDDEN, 0.001)
    wait = refused(403, FORBIDDEN, 500.0)
    stage = Stage(forbidden, forbidden, wait, forbidden, Reply(200, expires=100), Reply(200))
    task = stage.start()
    await stage.until(lambda: len(stage.told) == 3)
    assert [pause for _, pause in stage.told] == [0.001, 0.002, 500]
    stage.again.set()
    await stage.until(lambda: len(stage.told) == 5)
    assert stage.told[3:] == [(FORBIDDEN, 0.001), ("registered", 80)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stage.asked == [600] * 5 + [0]  # taken back


@pytest.mark.usefixtures("hurry")
async def test_a_registration_that_is_lost_is_made_again_but_less_and_less_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A carrier may close each connection. One that held for a while begins afresh."""
    pauses, held = list[float](), 1.0

    def growing(first: float, times: int, longest: float) -> float:
        pauses.append(pause := grown(first, times, longest))
        return pause / 10_000

    async def lost(event: asyncio.Event, _seconds: float) -> bool:
        nonlocal passed
        passed += held
        await asyncio.sleep(0)
        return bool(stage.told)

    passed, grown = 0.0, registration.growing
    monkeypatch.setattr(registration, "growing", growing)
    monkeypatch.setattr(registration, "happens", lost)
    monkeypatch.setattr(registration, "monotonic", lambda: passed)
    stage = Stage(*[Reply(200, expires=600)] * 1000)
    task = stage.start()
    await stage.until(lambda: len(pauses) == 9)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 120, 120]
    held = registration.STEADY_SECONDS + 1
    count = len(stage.told)
    await stage.until(lambda: len(stage.told) > count + 3)
    held, before = 1.0, len(pauses)
    await stage.until(lambda: len(pauses) > before + 1)
    assert pauses[before : before + 2] == [1, 2]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
