"""The relay itself: its turns, what it does when the store fails, and how it stops."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from text_ground import PROXY, furnish, people, relaying

from maskline.domain.message import Encoding
from maskline.sms import relay as relay_module
from maskline.sms.port import (
    Accepted,
    InboundText,
    Inbox,
    LinkHealth,
    Outgoing,
    TryLater,
)
from maskline.sms.relay import Relay
from maskline.store import StoreFailed

[(ANN, BEN)] = people(1)


class StubLink:
    """A link that takes what it is told to."""

    carrier = "acme"
    connections: ClassVar[dict[str, int]] = {"c1": 0}
    health = LinkHealth(up=True)

    def __init__(self) -> None:
        self.room = 10
        self.sent: list[Outgoing] = []
        self.runs = 0
        self.drained = False
        self.fails = False

    async def run(self, inbox: Inbox) -> None:
        self.runs += 1
        if self.fails:
            self.fails = False
            raise RuntimeError("a fault of the link's")
        await asyncio.get_running_loop().create_future()

    def submit(self, texts: Sequence[Outgoing]) -> None:
        self.sent += texts

    async def drain(self) -> None:
        self.drained = True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(relay_module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(relay_module, "STOP_SECONDS", 0.3)


@pytest.fixture
def link() -> StubLink:
    return StubLink()


@pytest.fixture
async def relay(tmp_path: Path, link: StubLink) -> AsyncIterator[Relay]:
    url, key = f"sqlite:{tmp_path}/texts.db", tmp_path / "texts.db.key"
    await furnish(url, key, 1)
    async with relaying(url, key, link) as relay:
        yield relay


def text(words: str, source: str = ANN) -> InboundText:
    return InboundText(
        carrier="acme",
        source=source,
        destination=PROXY,
        text=words,
        encoding=Encoding.GSM,
        received_at=relay_module.time.time_ns() // 1_000_000,
        connection="c1",
    )


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def test_verdicts_stand_in_the_order_of_arrivals(relay: Relay, link: StubLink) -> None:
    batches = [[text("a"), text("b", BEN)], [text("c"), text("d", BEN)]]
    first, second = await asyncio.gather(*map(relay.take, batches))
    ids = [each.message_ids[0] for each in (*first, *second) if isinstance(each, Accepted)]
    await until(lambda: len(link.sent) == 2)
    sent = {each.text: each.message_id for each in link.sent}
    assert [sent["a"], sent["b"]] == ids[:2]
    assert len(ids) == 4


async def test_texts_of_a_pair_go_out_one_after_the_other(relay: Relay, link: StubLink) -> None:
    await relay.take([text(words) for words in "abc"])
    for number, words in enumerate("abc"):
        await until(lambda number=number: len(link.sent) == number + 1)
        assert link.sent[-1].text == words
        relay.settle([(link.sent[-1].message_id, Accepted(message_ids=(words,)))])


async def test_what_could_not_be_kept_is_not_acknowledged_and_no_outcome_is_lost(
    relay: Relay, link: StubLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await relay.take([text("first")])
    await until(lambda: link.sent)
    write = relay._store.write

    async def fail(*_: Any, **__: Any) -> None:
        raise StoreFailed("disk full")

    monkeypatch.setattr(relay._store, "write", fail)
    relay.settle([(link.sent[0].message_id, Accepted(message_ids=("x",)))])
    with pytest.raises(StoreFailed):
        await relay.take([text("second")])
    monkeypatch.setattr(relay._store, "write", write)
    await until(lambda: relay.counts["Accepted"])
    await relay.take([text("third")])
    await until(lambda: [each.text for each in link.sent] == ["first", "third"])


async def test_texts_wait_for_room(relay: Relay, link: StubLink) -> None:
    link.room = 0
    await relay.take([text("hello")])
    assert link.sent == []
    link.room = 1
    relay.ready()
    await until(lambda: link.sent)


async def test_a_link_that_fails_is_run_again(tmp_path: Path, link: StubLink) -> None:
    url, key = f"sqlite:{tmp_path}/texts.db", tmp_path / "texts.db.key"
    await furnish(url, key, 1)
    link.fails = True
    async with relaying(url, key, link):
        await until(lambda: link.runs == 2)


async def test_a_stop_drains_links_and_writes_down_what_came(
    tmp_path: Path, link: StubLink
) -> None:
    url, key = f"sqlite:{tmp_path}/texts.db", tmp_path / "texts.db.key"
    await furnish(url, key, 1)

    async def drain() -> None:
        link.drained = True
        relay.settle([(each.message_id, Accepted(message_ids=("x",))) for each in link.sent])

    link.drain = drain  # type: ignore[method-assign]
    async with relaying(url, key, link) as relay:
        await relay.take([text("hello")])
        await until(lambda: link.sent)
    assert link.drained
    assert relay.counts["Accepted"] == 1
    assert relay._under_way["acme"] == 0


async def test_what_comes_after_the_stop_is_sent_away(tmp_path: Path, link: StubLink) -> None:
    url, key = f"sqlite:{tmp_path}/texts.db", tmp_path / "texts.db.key"
    await furnish(url, key, 1)
    async with relaying(url, key, link) as relay:
        pass
    relay._arrivals.append(([text("late")], future := asyncio.Future()))
    relay._refuse_arrivals()
    assert future.result() == [TryLater(reason="stopping")]
