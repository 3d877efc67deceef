"""The role `sms`: texts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from maskline.daemon.house import House


class Sms:
    """Carries no texts yet, and says so where the process says what it does."""

    def __init__(self, house: House) -> None:
        pass

    @property
    def place(self) -> str:
        return "sms (nothing to do: texts are not carried yet)"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield

    async def up(self) -> None:
        pass

    def health(self) -> dict[str, str]:
        return {}
