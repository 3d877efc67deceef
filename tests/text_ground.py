"""A Maskline whose carrier for texts is an SMSC of the test's, with people who have sessions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from acceptance.service import Service
from installation import Installation

from maskline.daemon.house import contexts
from maskline.operations import Policy
from maskline.operations.context import TextPolicy
from maskline.sms.port import Link
from maskline.sms.relay import Relay
from maskline.store import open_store

PROXY = "+19135550100"
SMPP = """
[carriers.smpp]
host = "127.0.0.1"
port = {port}
system_id = "maskline"
password = "secret"
binds = {binds}
window = {window}
"""
TEXTS = """\
[texts]
max_per_sender_minute = 0
doubt_seconds = {doubt}
"""


def people(pairs: int) -> list[tuple[str, str]]:
    """Couples who have a session with each other."""
    numbers = range(2_000_000, 2_000_000 + pairs)
    return [(f"+1206{number}", f"+1401{number}") for number in numbers]


async def furnish(url: str, key: Path, pairs: int) -> None:
    """An account, one proxy number, and a session on it for each couple."""
    store = open_store(url, key)
    try:
        installation = Installation(store)
        connector = await installation.prepare(PROXY)
        for first, second in people(pairs):
            await installation.open(connector, first, second, Capabilities=["SMS"])
    finally:
        store.close()


def text_service(
    folder: Path,
    port: int,
    *,
    store: str = "",
    binds: int = 1,
    window: int = 50,
    doubt: int = 2,
    more: str = "",
    **service: Any,
) -> Service:
    """A service that is still to be started; `store` are settings of its store."""
    made = Service(folder, more_settings=store, **service)
    smpp = SMPP.format(port=port, binds=binds, window=window)
    made.config.write_text(made.config.read_text() + smpp + more + TEXTS.format(doubt=doubt))
    return made


@asynccontextmanager
async def relaying(url: str, key: Path, link: Link, **policy: Any) -> AsyncIterator[Relay]:
    """The relay in this process, with a link of its carrier `acme`."""
    store = open_store(url, key)
    settings = Policy(carriers=("acme",), text_carriers={"acme"}, texts=TextPolicy(**policy))
    relay = Relay(store, contexts(settings, "node0001"), "node0001")
    try:
        async with relay.running(), relay.carrying([link]):
            yield relay
    finally:
        store.close()
