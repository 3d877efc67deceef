"""The role `sip`: Kamailio and rtpengine, what answers their questions, and who hangs up."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from maskline.daemon.house import House, at_work
from maskline.engines.control import Reply, SipText
from maskline.engines.ground import run_directory
from maskline.engines.keeper import Keeper
from maskline.engines.recording.recorder import Recorder
from maskline.engines.supervision import State
from maskline.engines.switchboard import Switchboard
from maskline.engines.voice import Voice
from maskline.sms.sip import SipLink, accept

UP = State.UP.value


class Sip:
    """Carries calls. Those that another process ended in the store, it hangs up."""

    def __init__(self, house: House) -> None:
        self._settings = house.settings
        self._relay = house.relay
        self._switchboard = Switchboard(
            house.store, house.context, lambda request: accept(house.relay, request)
        )
        self._voice = Voice(
            house.settings, run_directory(house.settings.data_dir), self._switchboard.ask
        )
        self._keeper = Keeper(
            house.store, self._voice.line, self._voice.rtpengine, house.context, house.node
        )
        self._recorder = Recorder(
            house.store,
            self._voice.rtpengine,
            house.context,
            house.node,
            spool=self._voice.spool,
            home=house.settings.data_dir / "recordings",
            announcement=self._voice.announcement,
            days=house.settings.recording.retention_days,
        )
        self._links = list(self._links_of_trunks())

    def _links_of_trunks(self) -> Iterator[SipLink]:
        """A link for each trunk that carries texts, through our own Kamailio."""

        async def send(*text: Any) -> Reply | None:
            return await self._voice.line.send_text(SipText(*text))

        def up() -> bool:
            return self._voice.health()["kamailio"] == UP

        for name, trunk in self._settings.trunks.items():
            if trunk.messages:
                yield SipLink(name, send, up, packets=trunk.transport == "udp")

    @property
    def place(self) -> str:
        sip = " ".join(str(listener) for listener in self._settings.sip.listen)
        return f"sip {sip} media {self._settings.media.address}:{self._settings.media.ports}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._voice.running(), at_work(self._keeper.keep(), self._recorder.keep()):
            async with self._relay.carrying(self._links):
                yield
            await self._keeper.farewell()
        await self._switchboard.drain()

    async def up(self) -> None:
        await self._voice.up()

    def health(self) -> dict[str, str]:
        links = {f"sms:{link.carrier}": link.health.up for link in self._links}
        return self._voice.health() | {name: UP if up else "away" for name, up in links.items()}
