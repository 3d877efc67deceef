"""Operations through a real store, many at once."""

import asyncio
import random
from collections import Counter
from pathlib import Path

from desk import START
from installation import NUMBERS, Installation

from maskline.domain.refusals import NoNumberFree
from maskline.store import Store, open_store

PEOPLE = [f"+1206555010{digit}" for digit in range(8)]


async def test_two_open_sessions_never_share_a_participant_and_a_number(
    store_url: str, tmp_path: Path
) -> None:
    store = open_store(store_url, tmp_path / "key")
    installation = Installation(store, now=START)
    connector = await installation.prepare(*NUMBERS)
    outcomes: Counter[str] = Counter()

    async def client(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(30):
            try:
                session = await installation.open(connector, *draw.sample(PEOPLE, 2))
            except NoNumberFree:
                outcomes["refused"] += 1
                continue
            outcomes["made"] += 1
            if draw.random() < 0.5:
                await installation.close(connector, session["ProxySessionId"])

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
