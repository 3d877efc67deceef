"""The role `sms`: the links to carriers that texts are exchanged with."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from maskline.daemon.house import House
from maskline.engines.ground import GroundError
from maskline.sms.http.carriers import BadCarrier, by_http
from maskline.sms.http.carriers import link_of as http_link_of
from maskline.sms.port import Link
from maskline.sms.smpp.link import SmppLink


class Sms:
    """Carries texts. What it carries, it shares with other processes through the store."""

    def __init__(self, house: House) -> None:
        self._relay = house.relay
        self._links = list(links_of(house))
        trunks = house.settings.trunks.items()
        self._by_sip = [name for name, trunk in trunks if trunk.messages]

    @property
    def place(self) -> str:
        names = " ".join([*(link.carrier for link in self._links), *self._by_sip])
        return f"sms {names}" if names else "sms (no carrier for texts)"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._relay.carrying(self._links):
            yield

    async def up(self) -> None:
        """A carrier that is down keeps nothing else from working."""

    def renew(self) -> None:
        """What links have to read, they read at the start."""

    def health(self) -> dict[str, str]:
        return {f"sms:{one.carrier}": one.health.state for one in self._links}


def links_of(house: House) -> Iterator[Link]:
    """The links of the carriers in the settings; raises GroundError for one that cannot be."""
    public_url = str(house.settings.api.public_url or "")
    for carrier in house.settings.carriers:
        try:
            if carrier.smpp is not None:
                yield SmppLink(carrier.name, carrier.smpp)
            elif by_http(carrier):
                yield http_link_of(carrier, public_url)
        except (OSError, BadCarrier) as error:
            raise GroundError(f"carriers: {carrier.name}: {error}") from error
