"""What a process says about its health: the database, the engines, and a door for nothing else."""

import asyncio
import json
from typing import Any

from maskline.daemon.pulse import Pulse
from maskline.store import StoreFailed
from maskline.web import health


class Database:
    """Answers, fails or hangs, as it is told."""

    def __init__(self) -> None:
        self.mood = "answers"
        self.looks = 0
        self.failing = False
        self.awake = asyncio.Event()

    async def read(self, _work: Any) -> bool:
        self.looks += 1
        if self.mood == "hangs":
            await self.awake.wait()
        if self.mood == "fails":
            raise StoreFailed("gone")
        return True

    async def touch(self) -> None:
        if self.mood == "full":
            raise StoreFailed("full")
        self.failing = False


async def seen(pulse: Pulse, state: str) -> None:
    async with asyncio.timeout(20):
        while pulse.state != state:
            await asyncio.sleep(0)


async def test_a_database_that_goes_away_and_comes_back() -> None:
    database: Any = Database()
    pulse = Pulse(database, seconds=0, patience=10)
    assert pulse.state == "up"
    watching = asyncio.create_task(pulse.watch())
    for mood, state in (("fails", "down"), ("answers", "up"), ("fails", "down")):
        database.mood = mood
        await seen(pulse, state)
    watching.cancel()


async def test_a_database_that_answers_and_keeps_nothing() -> None:
    database: Any = Database()
    database.mood, database.failing = "full", True
    pulse = Pulse(database, seconds=0, patience=10)
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
    pulse = Pulse(database, seconds=0, patience=0.01)
    watching = asyncio.create_task(pulse.watch())
    await seen(pulse, "down")
    assert database.looks == 1
    database.mood = "answers"
    database.awake.set()
    await seen(pulse, "up")
    watching.cancel()


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
