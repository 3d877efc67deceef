"""The role `sip`: Kamailio and rtpengine, what answers their questions, and who hangs up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from maskline.daemon.house import House, at_work
from maskline.engines.ground import run_directory
from maskline.engines.keeper import Keeper
from maskline.engines.switchboard import Switchboard
from maskline.engines.voice import Voice


class Sip:
    """Carries calls. Those that another process ended in the store, it hangs up."""

    def __init__(self, house: House) -> None:
        self._settings = house.settings
        self._switchboard = Switchboard(house.store, house.context)
        self._voice = Voice(
            house.settings, run_directory(house.settings.data_dir), self._switchboard.ask
        )
        self._keeper = Keeper(
            house.store, self._voice.line, self._voice.rtpengine, house.context, house.node
        )

    @property
    def place(self) -> str:
        sip = " ".join(str(listener) for listener in self._settings.sip.listen)
        return f"sip {sip} media {self._settings.media.address}:{self._settings.media.ports}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._voice.running(), at_work(self._keeper.keep()):
            yield
            await self._keeper.farewell()
        await self._switchboard.drain()

    async def up(self) -> None:
        await self._voice.up()

    def health(self) -> dict[str, str]:
        return self._voice.health()
