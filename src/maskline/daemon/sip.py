"""The role `sip`: Kamailio and rtpengine, what answers their questions, and who hangs up."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from maskline import clock
from maskline.daemon.house import House, at_work
from maskline.domain.health import State, of_carrier
from maskline.domain.trunk import Target
from maskline.engines.ground import Runner, machine, run_directory
from maskline.engines.journal import Journal
from maskline.engines.keeper import Keeper
from maskline.engines.nodes import ASK_SECONDS, Nodes, keys_of
from maskline.engines.overload import Overload
from maskline.engines.recording.recorder import Recorder
from maskline.engines.registration import REGISTERED, keep_registered
from maskline.engines.resolver import Resolver
from maskline.engines.sources import Sources
from maskline.engines.switchboard import Switchboard
from maskline.engines.text_trunks import TextTrunk, read
from maskline.engines.trunks import Trunks
from maskline.engines.voice import Voice
from maskline.guard import DRAIN
from maskline.operations import put_carrier_reports
from maskline.operations.nodes import Node
from maskline.operations.policy import policy_of
from maskline.sms.sip import SipLink, accept

DRAIN_SECONDS = 1.0
IDLE_LOOKS = 3  # what was decided a moment ago is not written down yet

log = structlog.get_logger()


class Sip:
    """Carries calls. Those that another process ended in the store, it hangs up."""

    def __init__(self, house: House) -> None:
        self._settings = house.settings
        self._relay = house.relay
        self._house = house
        self._ways = policy_of(house.settings).ways
        sip, trunks = house.settings.sip, house.settings.trunks
        ways = {(one.transport, 6 if ":" in one.address.host else 4) for one in sip.listen}
        resolver = Resolver(sip.name_servers, ways)
        self._trunks = Trunks(trunks, resolver, house.carriers_down, clock.now)
        self._sources = Sources(trunks, resolver, self._admit)
        self._switchboard = self._made_switchboard()
        run = run_directory(house.settings.data_dir)
        self._voice = Voice(
            house.settings, run, house.node, self._switchboard.ask, self._carries_again
        )
        house.announcements.update(self._voice.announcements)
        self._keys = keys_of(self._voice.mask_keys())
        self._draining = False
        self._nodes = self._made_nodes()
        self._keeper = self._made_keeper()
        self._recorder = self._made_recorder()
        self._links = list(self._links_of_trunks())

    def _made_switchboard(self) -> Switchboard:
        house = self._house
        return Switchboard(
            house.store,
            house.context,
            Journal(house.settings.data_dir),
            lambda request: accept(house.relay, read(request, self._ways)),
            self._trunks,
            lambda leg, number: self._voice.line.dismiss(leg, number),
        )

    def _made_nodes(self) -> Nodes:
        return Nodes(
            self._house.store,
            self._house.context,
            self._node,
            self._voice.others,
            Runner.named(self._settings.sip.user, "sip.user"),
        )

    def _made_keeper(self) -> Keeper:
        return Keeper(
            self._house.store,
            self._voice.line,
            self._voice.rtpengine,
            self._house.context,
            self._house.node,
            self._nodes,
            self._switchboard.live,
        )

    def _made_recorder(self) -> Recorder:
        return Recorder(
            self._house.store,
            self._voice.rtpengine,
            self._house.context,
            self._house.node,
            spool=self._voice.spool,
            home=self._settings.data_dir / "recordings",
            announcement=self._voice.announcement,
            days=self._settings.recording.retention_days,
        )

    def _links_of_trunks(self) -> Iterator[SipLink]:
        """A link for each trunk that carries texts, through our own Kamailio."""
        trunks = {name: one for name, one in self._settings.trunks.items() if one.messages}
        for name, trunk in trunks.items():
            names = [name, *(other for other in trunk.failover_carriers if other in trunks)]
            carried_by = TextTrunk(names, self._voice.line, self._trunks, self._ways)
            packets = any(trunks[one].packets for one in names)
            yield SipLink(name, carried_by.send, self._up_for(carried_by), packets=packets)

    def _up_for(self, trunk: TextTrunk) -> Callable[[], bool]:
        return lambda: self._voice.health()["kamailio"] == State.UP and trunk.usable

    @property
    def place(self) -> str:
        sip = " ".join(str(listener) for listener in self._settings.sip.listen)
        return f"sip {sip} media {self._settings.media.address}:{self._settings.media.ports}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self._nodes.join()
        await self._switchboard.recover()
        trunks = self._trunks.keep(self._probe, self._tell)
        overload = Overload(self._routed, self._answers, self._nodes.refuse)
        work = (self._keeper.keep(), self._recorder.keep(), self._nodes.keep(), overload.keep())
        async with (
            self._voice.running(),
            at_work(*work, trunks, self._sources.keep(), self._drain(), *self._registrations()),
        ):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(DRAIN, self._nodes.drain)
            async with self._relay.carrying(self._links):
                yield
            await self._keeper.farewell()
        await self._nodes.leave()
        await self._switchboard.drain()

    async def up(self) -> None:
        await self._voice.up()
        await self._trunks.ready.wait()
        await self._sources.ready.wait()

    def _carries_again(self) -> None:
        """Kamailio was started."""
        self._trunks.look_again()
        self._keeper.carry(clock.now())

    def _node(self) -> Node:
        """This node, as the others are told of it."""
        return Node(
            name=self._house.node,
            keys=self._keys,
            listen=tuple(map(str, self._settings.sip.listen)),
            media_control=self._voice.media_control,
            media_addresses=tuple(map(str, self._settings.media.addresses)),
            machine=machine(self._settings.data_dir),
            draining=self._draining,
        )

    async def _drain(self) -> None:
        """Stops the service when it was told to take no more calls, and has none."""
        await self._nodes.draining.wait()
        self._draining = True
        await asyncio.sleep(ASK_SECONDS)
        idle = 0
        while idle < IDLE_LOOKS:
            await asyncio.sleep(DRAIN_SECONDS)
            idle = idle + 1 if await self._is_idle() else 0
        log.info("drained")
        os.kill(os.getpid(), signal.SIGTERM)

    def renew(self) -> None:
        """Reads keys, certificates and passwords anew; calls that were answered go on."""
        self._voice.renew()
        self._keys = keys_of(self._voice.mask_keys())

    async def _is_idle(self) -> bool:
        try:
            return not await self._keeper.carries() and await self._voice.rtpengine.idle()
        except Exception as error:
            log.warning("not known whether calls are left", error=type(error).__name__)
            return False

    def _registrations(self) -> list[Coroutine[Any, Any, None]]:
        return [
            self._keep_registered(name, trunk.register_seconds)
            for name, trunk in self._settings.trunks.items()
            if trunk.register
        ]

    async def _keep_registered(self, name: str, seconds: int) -> None:
        """Until this node takes no more calls: the carrier would bring them in vain."""
        await self._voice.carrying()
        await self._trunks.ready.wait()
        registered = keep_registered(
            name,
            seconds,
            lambda: [target for _, target in self._trunks.order([name])],
            self._voice.line.register,
            self._trunks.registered,
            self._trunks.renewal(name),
        )
        async with at_work(registered):
            await self._nodes.draining.wait()
        self._trunks.unregistered(name)

    def _routed(self) -> int:
        return self._switchboard.routed

    async def _answers(self, seconds: float) -> bool:
        await self._voice.carrying()  # while nothing is carried, nothing can be late
        return await self._voice.line.all_answer(seconds)

    async def _probe(self, carrier: str, target: Target) -> bool:
        await self._voice.carrying()  # while nothing is carried, it says nothing about carriers
        return await self._voice.line.probe(carrier, target)

    async def _admit(self, carrier: str, addresses: Sequence[str]) -> None:
        await self._voice.carrying()
        await self._voice.line.admit(carrier, addresses)

    async def _tell(self, reports: dict[str, dict[str, Any]]) -> None:
        house = self._house
        await house.store.write(
            lambda tx: put_carrier_reports(house.context(tx), house.node, reports), beside=True
        )

    def health(self) -> dict[str, str]:
        texts = {f"sms:{link.carrier}": link.health.state for link in self._links}
        registrations = {
            f"registration:{name}": of_carrier(state == REGISTERED, state)
            for name, state in self._trunks.registrations().items()
        }
        return self._voice.health() | texts | registrations
