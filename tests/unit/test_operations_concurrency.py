"""Operations through a real store, many at once."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

from desk import START

from maskline.domain.refusals import NoNumberFree
from maskline.operations import TABLE, Context, Policy, bootstrap_account
from maskline.store import Store, Transaction, open_store

NUMBERS = [f"+1913555010{digit}" for digit in range(5)]
PEOPLE = [f"+1206555010{digit}" for digit in range(8)]


class Service:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.account_id = ""

    def context(self, tx: Transaction) -> Context:
        return Context(
            tx=tx,
            account_id=self.account_id,
            now=START,
            new_id=lambda: str(uuid4()),
            settings=Policy(carriers=("acme",)),
        )

    async def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        handler = TABLE[service, operation]
        carry_out = self.store.write if handler.mutates else self.store.read
        return await carry_out(lambda tx: handler.function(self.context(tx), request))

    async def prepare(self) -> str:
        credentials = await self.store.write(lambda tx: bootstrap_account(self.context(tx)))
        assert credentials is not None
        self.account_id = credentials.account_id
        await self.call(
            "maskline",
            "ImportPhoneNumbers",
            CarrierName="acme",
            E164PhoneNumbers=NUMBERS,
            Shared=True,
        )
        made = await self.call(
            "chime-sdk-voice", "CreateVoiceConnector", Name="c", RequireEncryption=False
        )
        connector: str = made["VoiceConnector"]["VoiceConnectorId"]
        await self.call(
            "chime-sdk-voice",
            "PutVoiceConnectorProxy",
            VoiceConnectorId=connector,
            DefaultSessionExpiryMinutes=60,
            PhoneNumberPoolCountries=["US"],
        )
        return connector


async def test_two_open_sessions_never_share_a_participant_and_a_number(
    store_url: str, tmp_path: Path
) -> None:
    store = open_store(store_url, tmp_path / "key")
    service = Service(store)
    connector = await service.prepare()
    outcomes: Counter[str] = Counter()

    async def client(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(30):
            try:
                made = await service.call(
                    "chime-sdk-voice",
                    "CreateProxySession",
                    VoiceConnectorId=connector,
                    ParticipantPhoneNumbers=draw.sample(PEOPLE, 2),
                    Capabilities=["Voice"],
                )
            except NoNumberFree:
                outcomes["refused"] += 1
                continue
            outcomes["made"] += 1
            if draw.random() < 0.5:
                session_id = made["ProxySession"]["ProxySessionId"]
                await service.call(
                    "chime-sdk-voice",
                    "DeleteProxySession",
                    VoiceConnectorId=connector,
                    ProxySessionId=session_id,
                )

    await asyncio.gather(*(client(seed) for seed in range(16)))
    held = await open_pairs(store, connector)
    store.close()
    assert outcomes["made"] + outcomes["refused"] == 16 * 30
    assert min(outcomes.values()) > 20
    assert len(held) == len(set(held)) > 0


async def open_pairs(store: Store, connector: str) -> list[tuple[str, str]]:
    """Every (participant, proxy number) of the open sessions."""
    rows = await store.read(
        lambda tx: tx.all(
            "list_open_proxy_sessions",
            voice_connector_id=connector,
            now=START,
            before=2**62,
            limit=10**6,
        )
    )
    return [
        (row[f"{side}_number"], row[f"{side}_proxy_number"])
        for row in rows
        for side in ("first", "second")
    ]
