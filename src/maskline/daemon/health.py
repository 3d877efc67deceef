"""A door of its own for questions after a process's health, whatever its role."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from maskline.daemon.api import serving
from maskline.daemon.house import House
from maskline.engines.ground import bound
from maskline.settings import Address
from maskline.web import health


class Health:
    """Answers `GET /health` where `health.listen` says."""

    def __init__(self, house: House, listen: Address) -> None:
        self._house = house
        self._url = f"http://{listen}"
        self._door = bound(socket.SOCK_STREAM, listen.host, listen.port, "health.listen")

    @property
    def place(self) -> str:
        return f"health {self._url}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with serving(health.door(self._house.health), self._door):
            yield

    async def up(self) -> None:
        """It is, as soon as it runs."""

    def renew(self) -> None:
        """It has nothing to read."""

    def health(self) -> dict[str, str]:
        return {}
