"""Nothing lost, nothing invented: the relay of texts is killed again and again, and its carrier
drops the link, while texts go both ways. What the carrier saw is held against what we recorded. One
text in twenty is long; some receipts are late, some never come; the carrier falls silent at times.

`MASKLINE_SOAK` says how many texts; `make soak` sends 100,000 and kills 50 times.
"""

import asyncio
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from acceptance.conversations import Conversation, conversation
from acceptance.service import Service
from cluster import Cluster
from smsc import Manners, Smsc
from text_ground import furnish, text_service

pytestmark = pytest.mark.long

SOAK = int(os.environ.get("MASKLINE_SOAK", "0"))
TEXTS = SOAK or 800
KILLS = 50 if SOAK else 3
PAIRS = 300 if SOAK else 40
PATIENCE = 120  # seconds without anything happening
MOST_TWICE = 0.001 if SOAK else 0.01  # of all texts; so few texts make for a coarse measure
OFTEN = 1 if SOAK else 8  # in a short run the same must happen oftener
BAD_MANNERS: dict[str, Any] = {
    "window": 50,
    "drop": 0.0002 * OFTEN,
    "drop_mid_pdu": 0.0001 * OFTEN,
    "throttle": 0.0002 * OFTEN,
    "full": 0.0002 * OFTEN,
    "nack": 0.0002 * OFTEN,
    "late": 0.001 * OFTEN,
    "receipt_first": 0.05,
    "receipt_late": 0.005,
    "receipt_lost": 0.005,
}
LONG_EVERY = 20
WINDOW = 20
SPELL_EVERY = 5  # kills, after one of which the carrier answers nothing for a while
SPELL_SECONDS = 10  # at most: near the end few pairs may have texts that go to it at once


async def play(services: Sequence[Service], smsc: Smsc, spoken: Conversation) -> None:
    """Sends everything while the services are killed in turn; then lets them finish."""
    chance = random.Random(7)
    smsc.on_submit = spoken.hear
    for service in services:
        await asyncio.to_thread(service.start)
    for text in spoken.texts:
        for part in text:
            smsc.send(part)
    for kill in range(1, KILLS + 1):
        await until_heard(spoken, kill * TEXTS // (KILLS + 1))
        await asyncio.sleep(chance.random() * 0.3)
        service = services[kill % len(services)]
        await asyncio.to_thread(service.kill)
        await asyncio.to_thread(service.start)
        if kill % SPELL_EVERY == 1:
            await silent_spell(smsc, spoken)
    await until_heard(spoken, TEXTS)
    await until(lambda: smsc.delivered, spoken)


async def silent_spell(smsc: Smsc, spoken: Conversation) -> None:
    """The carrier goes on taking texts and answers none, until the window is full of them."""
    smsc.manners.silent, full = 1.0, smsc.counts["silent"] + WINDOW
    end = time.monotonic() + SPELL_SECONDS
    await until(lambda: smsc.counts["silent"] >= full or time.monotonic() > end, spoken)
    smsc.manners.silent = 0.0
    smsc.counts["silent spells"] += 1


async def until_heard(spoken: Conversation, many: int) -> None:
    await until(lambda: spoken.count >= many, spoken)


async def until(true: Callable[[], bool], spoken: Conversation, pause: float = 0.05) -> None:
    spoken.at = time.monotonic()
    while not true():
        assert time.monotonic() - spoken.at < PATIENCE, f"stuck at {spoken.count} texts"
        await asyncio.sleep(pause)


def records(url: str) -> Counter[str]:
    """How many texts are in which state, or known as repeated, read without any of our code."""
    query = (
        "SELECT CASE WHEN reason = 'repeated' THEN reason ELSE state END AS ended, count(*)"
        " FROM messages GROUP BY ended"
    )
    if url.startswith("sqlite:"):
        connection = sqlite3.connect(url.removeprefix("sqlite:"))
        found = connection.execute(query).fetchall()
        connection.close()
    else:
        with psycopg.connect(url) as server:
            found = server.execute(query).fetchall()
    return Counter(dict(found))


@dataclass
class Place:
    """Where texts are kept, and by how many processes they are relayed."""

    url: str
    settings: str
    processes: int


# With two, what is repeated to the other process waits until the first is surely gone.
WAYS = ["sqlite", "postgresql", *(["two processes"] if SOAK else [])]


@pytest.fixture(params=WAYS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "0" / "data").mkdir(parents=True)
    if request.param == "sqlite":
        yield Place(f"sqlite:{tmp_path}/0/data/maskline.db", "", 1)
        return
    (tmp_path / "1").mkdir()
    cluster = Cluster(durable=bool(SOAK))
    try:
        url = cluster.new_database()
        settings = f'store.url = "{url}"\nstore.key = "{tmp_path}/store.key"\n'
        yield Place(url, settings, 1 if request.param == "postgresql" else 2)
    finally:
        cluster.stop()


async def test_nothing_is_lost_and_nothing_is_invented(tmp_path: Path, place: Place) -> None:
    spoken = conversation(TEXTS, PAIRS, LONG_EVERY)
    await furnish(place.url, tmp_path / "store.key", PAIRS)
    smsc = Smsc(Manners(**BAD_MANNERS), seed=3)
    smsc.remember = False
    await smsc.start()
    services = [
        text_service(
            tmp_path / str(number),
            smsc.port,
            store=place.settings,
            window=WINDOW,
            more="response_seconds = 3\n",
            role="sms",
        )
        for number in range(place.processes)
    ]
    began = time.monotonic()
    try:
        await play(services, smsc, spoken)
        await until(lambda: settled(records(place.url), smsc), spoken, 0.5)
    finally:
        for service in services:
            await asyncio.to_thread(service.stop)
        await smsc.stop()
    print(summary(spoken, smsc, records(place.url), time.monotonic() - began))
    assert spoken.invented == []
    assert spoken.count == TEXTS
    assert spoken.in_order
    assert spoken.twice <= max(1, MOST_TWICE * TEXTS)


def settled(states: Counter[str], smsc: Smsc) -> bool:
    """Whether every text has its last state: only what got no receipt is left at Accepted."""
    ended = states["Delivered"] + states["Accepted"] == states.total() - states["repeated"] == TEXTS
    return ended and states["Accepted"] <= smsc.counts["receipts lost"]


def summary(spoken: Conversation, smsc: Smsc, states: Counter[str], seconds: float) -> str:
    order = "in order" if spoken.in_order else "OUT OF ORDER"
    return (
        f"{spoken.count} of {TEXTS} texts heard {order} in {seconds:.0f} s, {spoken.twice} twice"
        f" ({spoken.twice / TEXTS:.4%}), {spoken.parts_again} parts again, {KILLS} kills;"
        f" records: {dict(states)}; carrier: {dict(smsc.counts)}"
    )
