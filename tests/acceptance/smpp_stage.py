"""A service whose carrier speaks SMPP, with a session between two people."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from acceptance.service import Service
from connectors import open_connector

ANN, BEN, PROXY = "+12065550100", "+14015550101", "+19135550199"
SMPP = """
[carriers.smpp]
host = "127.0.0.1"
port = {port}
system_id = "maskline"
password = "secret"
data_coding_1 = "gsm"
"""


@asynccontextmanager
async def served(
    folder: Path, port: int, store: str = "", more: str = ""
) -> AsyncIterator[Service]:
    """A service whose carrier is an SMSC, with a session between Ann and Ben. `more` are further
    settings of the carrier."""
    service = Service(
        folder, role="api,sms", more_settings=store, carrier_settings=SMPP.format(port=port) + more
    )
    await asyncio.to_thread(service.start)
    try:
        await asyncio.to_thread(furnish, service)
        yield service
    finally:
        assert await asyncio.to_thread(service.stop) == 0


def furnish(service: Service) -> None:
    service.import_numbers("acme", PROXY)
    client = service.client()
    connector = open_connector(client)
    client.create_proxy_session(
        VoiceConnectorId=connector, ParticipantPhoneNumbers=[ANN, BEN], Capabilities=["SMS"]
    )


async def states(service: Service) -> list[str]:
    listed = await asyncio.to_thread(service.messages)
    return sorted(each["State"] for each in listed)


async def until_states(service: Service, *wanted: str) -> None:
    async with asyncio.timeout(60):
        while await states(service) != sorted(wanted):
            await asyncio.sleep(0.1)
