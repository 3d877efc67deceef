"""Synchronous work that waits on the event loop without holding it up."""

import asyncio
from contextvars import ContextVar

import pytest

from maskline.store.greenlets import awaited, spawned

WHO = ContextVar[str]("who")


async def test_work_gives_what_it_gives_and_gets_what_it_waits_for() -> None:
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    assert await spawned(lambda number: awaited(double(awaited(double(number)))) + 1, 5) == 21
    assert await spawned(lambda: None) is None


async def test_others_go_on_while_work_waits() -> None:
    met = asyncio.Barrier(3)
    found = await asyncio.gather(*(spawned(lambda: awaited(met.wait())) for _ in range(3)))
    assert sorted(found) == [0, 1, 2]


async def test_what_fails_fails_where_it_is_waited_for() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("no")

    def work() -> str:
        try:
            awaited(fail())
        except KeyError:
            return "caught"
        return ""

    assert await spawned(work) == "caught"
    with pytest.raises(KeyError):
        await spawned(lambda: awaited(fail()))
    with pytest.raises(ZeroDivisionError):
        await spawned(lambda: 1 // 0)


async def test_work_is_cancelled_where_it_waits() -> None:
    undone = []

    def work() -> None:
        try:
            awaited(asyncio.Event().wait())
        finally:
            undone.append(True)

    task = asyncio.create_task(spawned(work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == [True]


async def test_work_sees_the_context_of_whoever_asked_for_it() -> None:
    async def asked(name: str) -> str:
        WHO.set(name)
        return await spawned(lambda: awaited(asyncio.sleep(0)) or WHO.get())

    assert await asyncio.gather(asked("a"), asked("b")) == ["a", "b"]
