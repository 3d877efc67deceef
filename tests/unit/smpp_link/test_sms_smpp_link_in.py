"""Texts that come from a carrier, and what it is answered."""

import asyncio
from collections.abc import Sequence

import pytest
from smpp_linked import ANN, PROXY, linked
from smsc import DATA_SM, Manners, Text

from maskline.sms.port import Accepted, Arrival, Refused, TryLater, Verdict
from maskline.sms.smpp import codes


async def test_texts_come_in_and_are_answered_after_they_are_kept() -> None:
    async with linked() as (relay, one, smsc):
        may = asyncio.Event()
        relay.gate = may.wait
        texts = [Text(ANN, PROXY, f"text {n}".encode()) for n in range(5)]
        texts.append(Text("Bank", PROXY, b"x", ton=5, command=DATA_SM))
        for text in texts:
            smsc.send(text)
        await relay.until(lambda: texts[-1].deliveries)
        assert not any(text.answers for text in texts)
        may.set()
        await relay.until(lambda: smsc.delivered)
        assert [text.answers for text in texts] == [[0]] * 6
        found = {(one.source, one.destination, one.text) for one in relay.texts}
        assert found == {(f"+{ANN}", f"+{PROXY}", f"text {n}") for n in range(5)} | {
            ("Bank", PROXY, "x")
        }
        assert {text.connection for text in relay.texts} == set(one.connections)


async def test_an_answer_to_us_tells_which_of_our_answers_were_read() -> None:
    async with linked() as (relay, one, smsc):
        may = asyncio.Event()
        relay.gate = may.wait
        smsc.send(Text(ANN, PROXY, b"ok"))
        await relay.until(lambda: smsc.sessions and smsc.sessions[0].waiting)
        await relay.outcome(one, relay.outgoing())
        assert list(one.connections.values()) == [0]  # what was not yet answered was not read
        may.set()
        await relay.until(lambda: smsc.delivered)
        assert list(one.connections.values()) == [0]
        await relay.outcome(one, relay.outgoing())
        [kept] = relay.texts
        [until] = one.connections.values()
        assert kept.received_at - until in (0, 1)  # 1: when it was answered within a millisecond


async def test_what_arrives_during_a_commit_is_kept_in_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with linked() as (relay, one, smsc):
        may, first, keep = asyncio.Event(), list[Arrival](), relay.take
        relay.gate = may.wait

        async def take(arrivals: Sequence[Arrival]) -> list[Verdict]:
            first.extend([] if may.is_set() else arrivals)
            return await keep(arrivals)

        monkeypatch.setattr(relay, "take", take)
        for n in range(40):
            smsc.send(Text(f"120655501{n:02}", PROXY, b"x"))
        await relay.until(lambda: first and len(first) + len(one._connections[0]._waiting) == 40)
        may.set()
        await relay.until(lambda: smsc.delivered)
        assert len(relay.texts) == 40
        assert len(relay.batches) <= 3


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        (TryLater(reason="queue-full"), codes.ESME_RMSGQFUL),
        (Refused(reason="no-session"), codes.ESME_ROK),
    ],
)
async def test_verdicts_become_answers(verdict: TryLater | Refused, answer: int) -> None:
    async with linked() as (relay, _, smsc):
        text = Text(ANN, PROXY, b"x")
        relay.judge = lambda _: verdict if not text.answers else Accepted(message_ids=("ours",))
        smsc.send(text)
        await relay.until(lambda: smsc.delivered)
        assert text.answers[0] == answer


async def test_what_cannot_be_kept_is_put_off() -> None:
    async with linked() as (relay, _, smsc):
        failures = iter([True, False])

        async def fail() -> None:
            if next(failures):
                raise OSError("the disk is full")

        relay.gate = fail
        text = Text(ANN, PROXY, b"x")
        smsc.send(text)
        await relay.until(lambda: smsc.delivered)
        assert text.answers == [codes.ESME_RX_T_APPN, 0]


async def test_a_relay_that_does_not_keep_up_stops_the_carrier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("maskline.sms.smpp.connection.MOST_WAITING", 20)
    async with linked(Manners(window=100_000)) as (relay, one, smsc):
        may = asyncio.Event()
        relay.gate = may.wait
        for n in range(20_000):
            smsc.send(Text(f"1206{n:07}", PROXY, b"x" * 150))
        await relay.until(lambda: one._connections and not one._connections[0]._reading)
        await asyncio.sleep(0.3)
        [connection] = one._connections
        assert not connection._reading
        assert len(connection._waiting) < 10_000
        may.set()
        await relay.until(lambda: smsc.delivered)
        assert len(relay.texts) == 20_000


async def test_a_slow_store_is_not_the_carriers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """While we do not read, nothing is overdue: its answers may be waiting for us."""
    monkeypatch.setattr("maskline.sms.smpp.connection.MOST_WAITING", 2)
    times = {"enquire_link_seconds": 1, "response_seconds": 1, "inactivity_seconds": 2}
    async with linked(**times) as (relay, one, smsc):
        may = asyncio.Event()
        relay.gate = may.wait
        for n in range(10):
            smsc.send(Text(f"1206555010{n}", PROXY, b"x"))
        await relay.until(lambda: one.room and not one._connections[0]._reading)
        one.submit([relay.outgoing()])
        await asyncio.sleep(3.0)
        may.set()
        await relay.until(lambda: smsc.delivered and relay.outcomes)
        assert isinstance(relay.outcomes["m1"][0], Accepted)
        assert smsc.counts["binds"] == 1
