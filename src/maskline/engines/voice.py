"""The voice of the service: Kamailio, rtpengine and the lines to them, as one thing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from maskline.domain.health import State
from maskline.engines import kamailio, prompts, rtpengine, secrets, tls
from maskline.engines.control import ControlLine
from maskline.engines.ground import (
    GroundError,
    Runner,
    bound,
    find,
    free_udp_port,
    spool_directory,
)
from maskline.engines.kamailio import Surroundings
from maskline.engines.ng import NgClient
from maskline.engines.supervision import Engine, Program, end_leftovers
from maskline.engines.switch import Ask, SwitchServer
from maskline.settings import Address, Settings

LOOPBACK = "127.0.0.1"
LONGEST_SOCKET_PATH = 107  # bytes; unix(7)
UNQUOTABLE = frozenset('"\\')  # Kamailio's configuration holds paths between quotes


class Voice:
    """Everything that carries calls. `ask` answers what Kamailio asks; `came_up` is called each
    time that Kamailio was started, and answers.

    Made only where it can run: raises GroundError for a port that is taken, a program or a user
    that is missing.
    """

    def __init__(
        self, settings: Settings, run: Path, node: str, ask: Ask, came_up: Callable[[], None]
    ) -> None:
        end_leftovers(run)
        check_ground(settings, run)
        secrets.check_passwords(settings)
        self._settings = settings
        self._run, self._node = run, node
        runner = Runner.named(settings.media.user, "media.user")
        self.spool = spool_directory(settings.data_dir, runner)
        copies = prompts.folder(run, runner)
        self.announcement = prompts.of_recordings(settings, copies, runner)
        self.announcements = prompts.refusals(settings, copies, runner)
        self._ng = settings.media.control or Address(
            LOOPBACK, free_udp_port(LOOPBACK, settings.media.ports)
        )
        assert settings.sip.mask_keys is not None
        self._mask_keys = settings.sip.mask_keys
        self.others = run / "nodes.json"
        self.rtpengine = NgClient(self._ng)
        self.line = ControlLine(*udp_listeners(settings))
        self._switch = SwitchServer(socket_path(run), ask)
        self._media = Engine(run / "rtpengine", self._rtpengine_program)
        self._sip = Engine(run / "kamailio", self._kamailio_program, came_up)
        self._engines = (self._media, self._sip)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs everything inside the block; nothing of it is left when the block is done."""
        await self.rtpengine.open()
        await self.line.open()
        await self._switch.open(Runner.named(self._settings.sip.user, "sip.user"))
        keeping = [asyncio.create_task(engine.keep()) for engine in self._engines]
        try:
            yield
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)
            await self._switch.close()
            self.line.close()
            self.rtpengine.close()

    async def up(self) -> None:
        """Returns when every engine answers."""
        for engine in self._engines:
            await engine.up.wait()

    async def carrying(self) -> None:
        """Returns when SIP is carried; at once while it is."""
        await self._sip.up.wait()

    def health(self) -> dict[str, str]:
        """The state of each engine: `up`, `starting` or `down`."""
        return {engine.name: engine.state for engine in self._engines}

    def renew(self) -> None:
        """Starts Kamailio again, which reads the keys of the mask, certificates and passwords anew;
        raises GroundError, and leaves it as it is, where it could not start with them."""
        tls.check(self._settings)
        secrets.check_passwords(self._settings)
        secrets.check_mask_keys(self._mask_keys)
        self._sip.renew()

    def mask_keys(self) -> dict[str, Any]:
        """What seals masked identifiers, made if it is not there yet."""
        return secrets.mask_keys(self._mask_keys)

    @property
    def media_control(self) -> str | None:
        """Where other nodes reach our rtpengine, while it is up; None when they cannot."""
        control = self._settings.media.control
        return str(control) if control and self._media.state is State.UP else None

    def _rtpengine_program(self) -> Program:
        directory = self._run / "rtpengine"
        return rtpengine.program(self._settings, directory, self.spool, self._ng, self.rtpengine)

    def _kamailio_program(self) -> Program:
        around = Surroundings(
            directory=self._run / "kamailio",
            switch_socket=socket_path(self._run),
            control=self.line.address,
            rtpengine=self._ng,
            mask_keys=self.mask_keys(),
            node=self._node,
            others=self.others,
        )
        return kamailio.program(self._settings, around, self.line)


def udp_listeners(settings: Settings) -> list[Address]:
    """First the one over which we talk to Kamailio ourselves; the settings promise it."""
    return [one.address for one in settings.sip.listen if one.transport == "udp"]


def socket_path(run: Path) -> Path:
    return run / "switch.sock"


def check_ground(settings: Settings, run: Path) -> None:
    """Raises GroundError unless the engines can run here."""
    if len(bytes(socket_path(run))) > LONGEST_SOCKET_PATH:
        raise GroundError(f"data_dir: {run} is too long a path for a socket; choose a shorter one")
    text = str(run)  # rtpengine reads its options as ASCII, and says nothing where they are not
    if not text.isascii() or not text.isprintable() or UNQUOTABLE & set(text):
        raise GroundError(
            f"data_dir: {run} is a path that the engines cannot take; choose one of ASCII"
            ' characters, without " and \\'
        )
    for program in ("setpriv", "kamailio", "rtpengine"):
        find(program)
    Runner.named(settings.sip.user, "sip.user")
    Runner.named(settings.media.user, "media.user")
    tls.check(settings)
    for listener in settings.sip.listen:
        address = listener.address
        kind = socket.SOCK_DGRAM if listener.transport == "udp" else socket.SOCK_STREAM
        bound(kind, address.host, address.port, "sip.listen").close()
    bound(socket.SOCK_DGRAM, settings.media.address.text, 0, "media.address").close()
    if settings.media.control:
        control = settings.media.control
        bound(socket.SOCK_DGRAM, control.host, control.port, "media.control").close()
    if settings.media.second_address:
        second = settings.media.second_address.text
        bound(socket.SOCK_DGRAM, second, 0, "media.second_address").close()
