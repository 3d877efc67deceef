"""What a process says about its health: the database, the engines, and a door for nothing else."""

import asyncio
import json
from typing import Any

import pytest
import structlog

from maskline.daemon.pulse import Pulse
from maskline.engines.ground import GroundError
from maskline.store import StoreFailed
from maskline.web import health

NOW = 1_586_967_010_288


class Database:
    """Answers, fails or hangs, as it is told."""

    def __init__(self) -> None:
        self.mood = "answers"
        self.looks = 0
        self.failing = False
        self.awake = asyncio.Event()
        self.time = NOW

    async def read(self, _work: Any) -> int:
        self.looks += 1
        if self.mood == "hangs":
            await self.awake.wait()
        if self.mood == "fails":
            raise StoreFailed("gone")
        return self.time

    async def touch(self) -> None:
        if self.mood == "full":
            raise StoreFailed("full")
        self.failing = False


def pulse_of(database: Any, seconds: float = 0, patience: float = 10) -> Pulse:
    return Pulse(database, seconds, patience, lambda: NOW)


async def seen(pulse: Pulse, state: str) -> None:
    async with asyncio.timeout(20):
        while pulse.state != state:
            await asyncio.sleep(0)


async def test_a_database_that_goes_away_and_comes_back() -> None:
    database: Any = Database()
    pulse = pulse_of(database)
    assert pulse.state == "up"
    watching = asyncio.create_task(pulse.watch())
    for mood, state in (("fails", "down"), ("answers", "up"), ("fails", "down")):
        database.mood = mood
        await seen(pulse, state)
    watching.cancel()


async def test_a_database_that_answers_and_keeps_nothing() -> None:
    database: Any = Database()
    database.mood, database.failing = "full", True
    pulse = pulse_of(database)
    watching = asyncio.create_task(pulse.watch())
    await seen(pulse, "down")
    database.failing = False  # somebody's small change fitted
    for _ in range(10):
        await asyncio.sleep(0)
        assert pulse.state == "down"
    database.mood = "answers"
    await seen(pulse, "up")
    watching.cancel()


async def test_a_database_that_hangs_is_asked_once() -> None:
    database: Any = Database()
    database.mood = "hangs"
    pulse = pulse_of(database, patience=0.01)
    watching = asyncio.create_task(pulse.watch())
    await seen(pulse, "down")
    assert database.looks == 1
    database.mood = "answers"
    database.awake.set()
    await seen(pulse, "up")
    watching.cancel()


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (NOW - 5001, "the clock of this machine is 5 s ahead of that of the database's machine"),
        (NOW + 3_600_000, "the clock of this machine is 3600 s behind that"),
    ],
)
async def test_clocks_that_are_far_apart_are_told_once(there: int, told: str) -> None:
    database: Any = Database()
    database.time = there
    pulse = pulse_of(database)
    with pytest.raises(GroundError, match=told):
        await pulse.require_same_time()
    with structlog.testing.capture_logs() as lines:
        watching = asyncio.create_task(pulse.watch())
        async with asyncio.timeout(20):
            while database.looks < 10:
                await asyncio.sleep(0)
        assert (pulse.state, pulse.clock) == ("up", "down")
        database.time = NOW
        async with asyncio.timeout(20):
            while pulse.clock == "down":
                await asyncio.sleep(0)
        watching.cancel()
    (line,) = lines
    assert line["event"] == "clocks apart"
    assert told in line["reason"]


async def test_an_answer_that_took_its_time_says_nothing_about_clocks() -> None:
    """As far as is known, the other clock was read when it was asked, or when it had answered."""
    database: Any = Database()
    for there in (NOW, NOW + 60_000):
        ours = iter([NOW, NOW + 60_000])
        database.time = there
        await Pulse(database, now=lambda: next(ours)).require_same_time()  # noqa: B023


async def ask(method: str, path: str, engines: dict[str, str]) -> tuple[int, Any]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nobody reads the body")

    door = health.door(lambda: engines)
    await door({"type": "http", "method": method, "path": path}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_a_door_for_health_alone() -> None:
    engines = {"store": "up", "kamailio": "up", "sms:acme": "away"}
    assert await ask("GET", "/health", engines) == (200, {"status": "up", "engines": engines})
    engines["store"] = "down"
    assert await ask("GET", "/health", engines) == (503, {"status": "down", "engines": engines})
    for method, path in (("GET", "/"), ("POST", "/health"), ("GET", "/voice-connectors")):
        status, content = await ask(method, path, engines)
        assert (status, content["__type"]) == (404, "UnknownOperationException")
