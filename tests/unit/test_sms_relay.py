"""The relay itself: its turns, what it does when the store fails, and how it stops."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import structlog
from text_ground import PROXY, furnish, people, relaying
from waiting import until

from maskline.domain.message import Encoding, Reported
from maskline.operations import Context
from maskline.sms import gathering, intake
from maskline.sms import relay as relay_module
from maskline.sms.border import digest
from maskline.sms.port import (
    Accepted,
    InboundText,
    Inbox,
    LinkHealth,
    Outgoing,
    Part,
    Receipt,
    Refused,
    TryLater,
)
from maskline.sms.relay import Relay
from maskline.sms.turn import Done, Work
from maskline.store import Row, StoreFailed

[(ANN, BEN), (CAT, DAN)] = people(2)


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
        self.recalled: set[str] = set()

    async def run(self, inbox: Inbox) -> None:
        self.runs += 1
        if self.fails:
            self.fails = False
            raise RuntimeError("a fault of the link's")
        await asyncio.get_running_loop().create_future()

    def submit(self, texts: Sequence[Outgoing]) -> None:
        self.sent += texts

    def recall(self, message_ids: Collection[str]) -> None:
        self.recalled.update(message_ids)

    async def drain(self) -> None:
        self.drained = True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(relay_module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(relay_module, "TEND_SECONDS", 0.05)
    monkeypatch.setattr(relay_module, "STOP_SECONDS", 0.3)


@pytest.fixture
def link() -> StubLink:
    return StubLink()


@pytest.fixture
async def relay(store_url: str, tmp_path: Path, link: StubLink) -> AsyncIterator[Relay]:
    key = tmp_path / "maskline.db.key"
    await furnish(store_url, key, 2)
    async with relaying(store_url, key, link, parts_milliseconds=0) as relay:
        yield relay


def text(words: str, source: str = ANN, **more: Any) -> InboundText:
    return InboundText(
        carrier="acme",
        source=source,
        destination=PROXY,
        text=words,
        encoding=Encoding.GSM,
        received_at=relay_module.time.time_ns() // 1_000_000,
        connection="c1",
        **more,
    )


def receipt(message_id: str, **more: Any) -> Receipt:
    return Receipt(carrier="acme", message_id=message_id, state=Reported.DELIVERED, at=0, **more)


async def record_of(relay: Relay, message_id: str) -> Row:
    row = await relay._store.read(lambda tx: tx.one("get_message", message_id=message_id))
    assert row is not None
    return row


async def refused(relay: Relay) -> list[Row]:
    """What was refused, in the list of the operator's account."""
    where = {"state": "Refused", "received_from": 0, "received_until": 2**62}
    return await relay._store.read(
        lambda tx: tx.all(
            "list_messages",
            **where,
            account_id=tx.one("get_operator_account")["account_id"],
            before=2**62,
            limit=10,
        )
    )


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


async def test_what_its_carrier_has_taken_does_not_wait(
    tmp_path: Path, link: StubLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before what waits is counted anew, too: many texts may pass in that time."""
    url, key = f"sqlite:{tmp_path}/texts.db", tmp_path / "texts.db.key"
    await furnish(url, key, 1)

    async def count_never(_: Relay) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(Relay, "_tend", count_never)
    async with relaying(url, key, link) as relay:
        monkeypatch.setattr(relay, "_most_queued", 2)
        taken, refused = Accepted(message_ids=("x",)), Refused(reason="rejected-by-carrier")
        for number, outcome in enumerate((taken, taken, refused)):
            (verdict,) = await relay.take([text(f"{number}")])
            assert isinstance(verdict, Accepted)
            await until(lambda number=number: len(link.sent) > number)
            relay.settle([(link.sent[-1].message_id, outcome)])
        verdicts = await relay.take([text("one"), text("two")])
        assert all(isinstance(each, Accepted) for each in verdicts)
        assert await relay.take([text("three")]) == [TryLater(reason="queue-full")]


async def test_what_becomes_due_is_sent_however_much_news_there_is(
    relay: Relay, link: StubLink
) -> None:
    async def make_news() -> None:
        for number in itertools.count():
            await relay.take([receipt(f"nobody-{number}")])

    await relay.take([text("hello")])
    await until(lambda: link.sent)
    news = asyncio.create_task(make_news())
    relay.settle([(link.sent[0].message_id, TryLater(after=0.1, reason="busy"))])
    await until(lambda: len(link.sent) == 2)
    news.cancel()


async def test_what_there_is_of_a_long_text_is_sent_in_time_and_its_rest_later(
    relay: Relay, link: StubLink
) -> None:
    await relay.take([text("one ", part=Part(7, 1, 2))])
    await until(lambda: link.sent)
    assert link.sent[0].text == "one [...]"
    relay.settle([(link.sent[0].message_id, Accepted(message_ids=("x",)))])
    await relay.take([text("two", part=Part(7, 2, 2)), text("well", CAT)])
    await until(lambda: len(link.sent) == 3)
    assert {each.text for each in link.sent[1:]} == {"well", "[...]two"}
    record = await record_of(relay, link.sent[0].message_id)
    assert (record["state"], record["partial"], record["segments"]) == ("Accepted", 1, 1)


@pytest.mark.parametrize("poison", ["7\0A", "\ud83d", "7" * 5000])
async def test_what_no_store_takes_costs_nobody_else_a_turn(
    relay: Relay, link: StubLink, poison: str
) -> None:
    verdicts = await relay.take(
        [
            receipt(poison, error=poison, source=poison, destination=poison),
            text("hello"),
            text("well", CAT, message_id=poison),
        ]
    )
    assert all(isinstance(verdict, Accepted) for verdict in verdicts)
    await until(lambda: len(link.sent) == 2)
    relay.settle([(link.sent[0].message_id, Accepted(message_ids=(poison,)))])
    # A long id is known again in its receipt.
    await relay.take([receipt(poison)])
    await until(lambda: relay.counts["Delivered"])


async def test_nobody_has_a_name_that_tells_a_terminal_what_to_do(relay: Relay) -> None:
    await relay.take([text("hello", "\x1b[2JBank\u202e")])
    assert [row["source"] for row in await refused(relay)] == ["\ufffd[2JBank\ufffd"]


@pytest.fixture
def poisonous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns fail by whatever says "poison", for a reason that is not the store's."""
    work = relay_module.take_turn

    def fail(context: Context, what: Work) -> Done:
        if "poison" in repr(what):
            raise ValueError("poison")
        return work(context, what)

    monkeypatch.setattr(relay_module, "take_turn", fail)


@pytest.mark.usefixtures("poisonous")
async def test_what_makes_turns_fail_is_set_aside(relay: Relay, link: StubLink) -> None:
    verdicts = []
    for number in range(gathering.TIMES):
        taken, other = await relay.take([text("poison"), text(f"{number}", CAT)])
        assert isinstance(other, Accepted)
        verdicts.append(taken)
    again = TryLater(reason="not-kept")
    assert verdicts == [again] * (gathering.TIMES - 1) + [Refused(reason="unusable")]
    relay.settle([(link.sent[0].message_id, Accepted(message_ids=("poison",)))])
    relay.settle([(link.sent[0].message_id, Accepted(message_ids=("x",)))])
    await until(lambda: len(link.sent) == 2)


async def test_an_outcome_that_could_not_be_kept_is_kept_later(
    relay: Relay, link: StubLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await relay.take([text("hello")])
    await until(lambda: bool(link.sent))
    work, faults = relay_module.take_turn, iter([ValueError("with others"), ValueError("alone")])

    def fail(context: Context, what: Work) -> Done:
        if what.outcomes and (fault := next(faults, None)):
            raise fault
        return work(context, what)

    monkeypatch.setattr(relay_module, "take_turn", fail)
    relay.settle([(link.sent[0].message_id, Accepted(message_ids=("x",)))])
    await until(lambda: relay.counts["Accepted"] > 0)
    assert (await record_of(relay, link.sent[0].message_id))["state"] == "Accepted"


@pytest.mark.usefixtures("poisonous")
@pytest.mark.parametrize("recorded", [True, False])
async def test_of_a_text_that_is_given_up_something_remains(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("no record of it either")

    if not recorded:
        monkeypatch.setattr(intake, "take_unusable", fail)
    with structlog.testing.capture_logs() as lines:
        for number in range(gathering.TIMES):
            poison = text("poison", message_id="their id")
            verdict, _ = await relay.take([poison, text(f"{number}", CAT)])
    assert verdict == Refused(reason="unusable")
    found = await refused(relay)
    told = [line for line in lines if line["event"] == "given up without a record"]
    assert (len(found), len(told)) == ((1, 0) if recorded else (0, 1))
    for row in found:
        assert (row["reason"], row["source"], row["dialled"]) == ("unusable", ANN, PROXY)
        assert row["sealed_body"] is None
    for line in told:
        assert line["known_by"] == digest("their id")


@pytest.mark.usefixtures("poisonous")
async def test_nothing_is_set_aside_while_all_of_its_kind_fail(relay: Relay) -> None:
    for _ in range(2 * gathering.TIMES):
        assert await relay.take([text("poison")]) == [TryLater(reason="not-kept")]
        await relay.take([receipt("nobody")])


@pytest.mark.usefixtures("poisonous")
async def test_where_all_fail_not_each_is_tried(
    relay: Relay, link: StubLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with structlog.testing.capture_logs() as lines:
        verdicts = await relay.take([text(f"poison {number}") for number in range(100)])
        relay.settle([(f"{n}", Accepted(message_ids=("poison",))) for n in range(100)])
        await until(lambda: [each for each in lines if each["event"] == "outcome not kept"])
    assert verdicts == [TryLater(reason="not-kept")] * 100
    assert len([each for each in lines if each["event"] == "not kept"]) == relay_module.ENOUGH
    # What is not at fault is not held up by what is.
    await relay.take([text("hello")])
    await until(lambda: link.sent)


async def test_a_fault_of_a_links_leaves_nobody_without_an_answer(
    relay: Relay, link: StubLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise RuntimeError("a fault of the link's")

    with monkeypatch.context() as patch:
        patch.setattr(StubLink, "room", property(fail), raising=False)
        link.__dict__.pop("room")
        assert await relay.take([text("hello")]) == [TryLater(reason="not-kept")]
    link.room = 10
    with monkeypatch.context() as patch:
        patch.setattr(link, "submit", fail)
        (verdict,) = await relay.take([text("hello")])
        assert isinstance(verdict, Accepted)
        await until(lambda: relay.counts["InDoubt"])


async def test_no_log_line_quotes_what_a_store_says(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise StoreFailed("row (MARKER) is bad")

    with monkeypatch.context() as patch, structlog.testing.capture_logs() as lines:
        patch.setattr(relay._store, "write", fail)
        with pytest.raises(StoreFailed) as raised:
            await relay.take([text("hello")])
        await until(lambda: len({line["event"] for line in lines}) == 2)
    assert {line["event"] for line in lines} == {"texts not kept", "texts not tended"}
    assert "MARKER" not in f"{lines}{raised.value}"
    assert all(line["errors"] == ["StoreFailed"] for line in lines)


async def test_what_a_link_has_for_long_stays_claimed(
    relay: Relay, link: StubLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "RENEW_SECONDS", 0.0)
    await relay.take([text("hello")])
    await until(lambda: link.sent)
    message_id = link.sent[0].message_id
    before = (await record_of(relay, message_id))["due_at"]
    async with asyncio.timeout(30):
        while (await record_of(relay, message_id))["due_at"] == before:
            await asyncio.sleep(0.01)


async def test_what_a_link_has_for_long_is_recalled_when_its_reader_says_stop(
    relay: Relay, link: StubLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "RENEW_SECONDS", 0.0)
    await relay.take([text("to Ben"), text("to Dan", CAT)])
    await until(lambda: len(link.sent) == 2)
    await relay.take([text("STOP", BEN)])
    await until(lambda: link.recalled)
    assert link.recalled == {each.message_id for each in link.sent if each.destination == BEN}


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
    relay._gathered.waiting.append(([text("late")], future := asyncio.Future()))
    relay._refuse_arrivals()
    assert future.result() == [TryLater(reason="stopping")]
