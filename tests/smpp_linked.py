"""A link to an SMSC that tests play."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relays import Relay
from smsc import Manners, Smsc
from waiting import beside

from maskline.settings import CarrierSmpp, Secret
from maskline.sms.smpp.link import SmppLink

ANN, PROXY = "12065550100", "19135550199"


@asynccontextmanager
async def linked(
    manners: Manners | None = None, served_by: ssl.SSLContext | None = None, **settings: object
) -> AsyncIterator[tuple[Relay, SmppLink, Smsc]]:
    """A link to an SMSC of its own, running."""
    smsc, relay = Smsc(manners), Relay()
    await smsc.start(tls=served_by)
    given = {"host": "127.0.0.1", "port": smsc.port, "system_id": "maskline"}
    one = SmppLink("acme", CarrierSmpp(**{**given, "password": Secret("secret"), **settings}))
    try:
        async with beside(one.run(relay)):
            yield relay, one, smsc
    finally:
        await smsc.stop()
