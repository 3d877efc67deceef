"""Waiting in a test: until something is so, however busy the machine."""

import asyncio
from collections.abc import Callable


async def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)
