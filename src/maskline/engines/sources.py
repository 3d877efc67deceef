"""From where carriers call that are known by name: the addresses of those names, looked up again
and again, and told to Kamailio.

Kamailio forgets an address an hour after it was last told of it. Large carriers' name servers give
a part of their addresses at a time, and a call that is up goes on when they change.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from maskline.engines.resolver import Resolver, Unresolved
from maskline.settings import CarrierSip

UNRESOLVED_SECONDS = 5.0
TELL_SECONDS = 1.0  # Kamailio may have been started again

log = structlog.get_logger()

Tell = Callable[[str, Sequence[str]], Awaitable[object]]


class Sources:
    """The named sources of all trunks. `tell` gives Kamailio a carrier's addresses; it may fail."""

    def __init__(self, trunks: Mapping[str, CarrierSip], resolver: Resolver, tell: Tell) -> None:
        self._named = [
            (name, source.text)
            for name, trunk in trunks.items()
            for source in trunk.sources
            if source.named
        ]
        self._resolver, self._tell = resolver, tell
        self._known: dict[tuple[str, str], list[str]] = {}
        self.ready = asyncio.Event()
        if not self._named:
            self.ready.set()

    async def keep(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            for one in self._named:
                group.create_task(self._look_up(*one))
            if self._named:
                group.create_task(self._go_on_telling())

    @property
    def addresses(self) -> dict[str, list[str]]:
        """What is known of each carrier. An address that two of them have is the first one's."""
        found: dict[str, list[str]] = {}
        taken: set[str] = set()
        for carrier, name in self._named:
            fresh = [one for one in self._known.get((carrier, name), []) if one not in taken]
            taken.update(fresh)
            found.setdefault(carrier, []).extend(fresh)
        return found

    async def _look_up(self, carrier: str, name: str) -> None:
        """What was found last time stays when nobody answers."""
        while True:
            try:
                addresses, seconds = await self._resolver.hosts(name)
            except Unresolved as error:
                log.warning("source not found", carrier=carrier, reason=str(error))
                addresses, seconds = self._known.get((carrier, name), []), UNRESOLVED_SECONDS
            self._known[carrier, name] = addresses
            await asyncio.sleep(seconds)

    async def _go_on_telling(self) -> None:
        while True:
            try:
                for carrier, addresses in self.addresses.items():
                    if addresses:
                        await self._tell(carrier, addresses)
            except Exception:
                log.exception("addresses of carriers not told")
            if len(self._known) == len(self._named):
                self.ready.set()
            await asyncio.sleep(TELL_SECONDS)
