"""Nothing lost, nothing invented: the relay of texts is killed again and again, and its carrier
drops the link, while texts go both ways. What the carrier saw is held against what we recorded.

`MASKLINE_SOAK` says how many texts; `make soak` sends 100,000 and kills 50 times.
"""

import asyncio
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from acceptance.service import Service
from cluster import Cluster
from smsc import Manners, Smsc, Submit, Text
from text_ground import PROXY, furnish, people, text_service

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
}

Said = tuple[str, int]  # who says it, and the how manyth of theirs it is


@dataclass
class Conversation:
    """All that is said, and what came of it at the carrier."""

    texts: list[Text]
    others: dict[str, str] = field(default_factory=dict)
    heard: dict[str, list[int]] = field(default_factory=dict)
    invented: list[Submit] = field(default_factory=list)
    at: float = 0.0

    def hear(self, submit: Submit) -> None:
        """A text comes out: it must be one that went in, for the other side, from our number."""
        self.at = time.monotonic()
        source, _, number = submit.octets.decode().partition(" ")
        other = self.others.get(f"+{source}")
        place = (f"+{submit.source.lstrip('+')}", f"+{submit.destination.lstrip('+')}")
        if place != (PROXY, other) or not number.isdigit():
            self.invented.append(submit)
        self.heard.setdefault(source, []).append(int(number))

    def count(self) -> int:
        return sum(len(set(numbers)) for numbers in self.heard.values())

    def twice(self) -> int:
        return sum(len(numbers) - len(set(numbers)) for numbers in self.heard.values())


def conversation() -> Conversation:
    couples = people(PAIRS)
    others = dict(couples) | {second: first for first, second in couples}
    said: Counter[str] = Counter()
    found = Conversation([], others)
    sources = list(others)
    for place in range(TEXTS):
        source = sources[place % len(sources)]
        said[source] += 1
        found.texts.append(Text(source[1:], PROXY[1:], f"{source[1:]} {said[source]}".encode()))
    return found


async def play(services: Sequence[Service], smsc: Smsc, spoken: Conversation) -> None:
    """Sends everything while the services are killed in turn; then lets them finish."""
    chance = random.Random(7)
    smsc.on_submit = spoken.hear
    for service in services:
        await asyncio.to_thread(service.start)
    for text in spoken.texts:
        smsc.send(text)
    for kill in range(1, KILLS + 1):
        await until_heard(spoken, kill * TEXTS // (KILLS + 1))
        await asyncio.sleep(chance.random() * 0.3)
        service = services[kill % len(services)]
        await asyncio.to_thread(service.kill)
        await asyncio.to_thread(service.start)
    await until_heard(spoken, TEXTS)
    await until(lambda: smsc.delivered, spoken)


async def until_heard(spoken: Conversation, many: int) -> None:
    await until(lambda: spoken.count() >= many, spoken)


async def until(true: Callable[[], bool], spoken: Conversation, pause: float = 0.05) -> None:
    spoken.at = time.monotonic()
    while not true():
        assert time.monotonic() - spoken.at < PATIENCE, f"stuck at {spoken.count()} texts"
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
    spoken = conversation()
    await furnish(place.url, tmp_path / "store.key", PAIRS)
    smsc = Smsc(Manners(**BAD_MANNERS), seed=3)
    smsc.remember = False
    await smsc.start()
    services = [
        text_service(tmp_path / str(number), smsc.port, store=place.settings, window=20, role="sms")
        for number in range(place.processes)
    ]
    try:
        await play(services, smsc, spoken)
        await until(lambda: set(records(place.url)) <= {"Delivered", "repeated"}, spoken, 0.5)
    finally:
        for service in services:
            await asyncio.to_thread(service.stop)
        await smsc.stop()
    print(summary(spoken, smsc, records(place.url)))
    assert spoken.invented == []
    assert spoken.count() == TEXTS
    # What was said before is never heard after what was said later, not even what is heard twice.
    assert all(a <= b for numbers in spoken.heard.values() for a, b in pairwise(numbers))
    assert records(place.url)["Delivered"] == TEXTS
    assert spoken.twice() <= max(1, MOST_TWICE * TEXTS)


def summary(spoken: Conversation, smsc: Smsc, states: Counter[str]) -> str:
    return (
        f"{spoken.count()} of {TEXTS} texts heard, {spoken.twice()} twice, {KILLS} kills;"
        f" records: {dict(states)}; carrier: {dict(smsc.counts)}"
    )
