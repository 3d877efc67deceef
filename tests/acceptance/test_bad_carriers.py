"""Carriers that say nothing, answer what was not asked, or send what is no SMPP: what people get,
and what the records say. The link, the relay and the store are the real ones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from acceptance.conversations import Conversation, conversation
from acceptance.test_text_soak import records
from databases import DATABASES, new_store_url
from smsc import Manners, Smsc
from text_ground import furnish, relaying
from waiting import until

from maskline.settings import CarrierSmpp, Secret
from maskline.sms.smpp import link as smpp_link
from maskline.sms.smpp.link import SmppLink

TEXTS, PAIRS, LONG_EVERY = 120, 12, 15
DOUBT = 700  # milliseconds


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_store_url(request, request.param, tmp_path)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_link, "FIRST_RETRY", 0.02)


@asynccontextmanager
async def relayed(folder: Path, url: str, manners: Manners) -> AsyncIterator[Smsc]:
    """A carrier, bound to by a relay with a store."""
    await furnish(url, folder / "store.key", PAIRS)
    smsc = Smsc(manners, seed=5)
    await smsc.start()
    settings = CarrierSmpp(
        host="127.0.0.1",
        port=smsc.port,
        system_id="maskline",
        password=Secret("secret"),
        response_seconds=1,
        window=20,
    )
    try:
        link = SmppLink("acme", settings)
        async with relaying(url, folder / "store.key", link, doubt_milliseconds=DOUBT):
            yield smsc
    finally:
        await smsc.stop()


def begin(smsc: Smsc) -> Conversation:
    spoken = conversation(TEXTS, PAIRS, LONG_EVERY)
    smsc.on_submit = spoken.hear
    for text in spoken.texts:
        for part in text:
            smsc.send(part)
    return spoken


async def until_all(spoken: Conversation, smsc: Smsc, url: str) -> None:
    """Until all was heard, and the records say so; nothing is invented, and the order kept."""
    await until(lambda: spoken.count == TEXTS and smsc.delivered)
    await until(lambda: records(url)["Delivered"] == TEXTS)
    assert set(records(url)) <= {"Delivered", "repeated"}
    assert spoken.invented == []
    assert spoken.in_order


@pytest.mark.parametrize("manner", ["silent", "wrong_sequence"])
async def test_an_answer_that_never_comes(tmp_path: Path, url: str, manner: str) -> None:
    """Of short texts the receipt tells that the carrier has them, so nothing comes twice."""
    manners: dict[str, Any] = {manner: 0.1}
    async with relayed(tmp_path, url, Manners(**manners)) as smsc:
        spoken = begin(smsc)
        await until_all(spoken, smsc, url)
    assert spoken.twice == 0
    assert smsc.counts["taken"] == TEXTS + TEXTS // LONG_EVERY + spoken.parts_again


async def test_neither_answer_nor_receipt(tmp_path: Path, url: str) -> None:
    """Then nobody can know, and the text is sent again, as at-least-once wants it."""
    async with relayed(tmp_path, url, Manners(silent=1.0, receipt_lost=1.0)) as smsc:
        spoken = begin(smsc)
        await until(lambda: smsc.counts["silent"] >= 20)
        smsc.manners.silent = smsc.manners.receipt_lost = 0.0
        await until_all(spoken, smsc, url)
    assert 0 < spoken.twice + spoken.parts_again <= 2 * smsc.counts["silent"]


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, bytes(40), b"\0\0\0\x11\x80\0\0\4" + b"\1" * 8],
    ids=["http", "ones", "zeros", "half an answer"],
)
async def test_what_is_no_smpp(tmp_path: Path, url: str, garbage: bytes) -> None:
    async with relayed(tmp_path, url, Manners()) as smsc:
        spoken = begin(smsc)
        for share in (1, 2, 3):
            await until(lambda share=share: spoken.count >= share * TEXTS // 4)
            await until(lambda: smsc.sessions)
            connections = smsc.counts["connections"]
            smsc.sessions[0].send(garbage)
            if garbage[0] == 0 and any(garbage):
                smsc.drop_links()
            await until(lambda many=connections: smsc.counts["connections"] > many)
        await until_all(spoken, smsc, url)
