"""The link to a carrier, against an SMSC that behaves well, badly and in between."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from certificates import self_signed
from relays import Relay
from smsc import DATA_SM, Manners, Smsc, Text
from waiting import beside

from maskline.domain.message import Encoding, Reported
from maskline.settings import CarrierSmpp, Secret
from maskline.sms import text as sms
from maskline.sms.port import (
    Accepted,
    Arrival,
    Outgoing,
    Refused,
    TryLater,
    Unknown,
    Verdict,
)
from maskline.sms.smpp import codes, link, pace, submission
from maskline.sms.smpp.link import SmppLink

ANN, PROXY = "12065550100", "19135550199"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "FIRST_RETRY", 0.02)
    monkeypatch.setattr(link, "LONGEST_RETRY", 0.2)
    monkeypatch.setattr(link, "FAREWELL_SECONDS", 1.0)
    monkeypatch.setattr(pace, "FIRST_PAUSE", 0.02)


@asynccontextmanager
async def linked(
    manners: Manners | None = None, served_by: ssl.SSLContext | None = None, **settings: object
) -> AsyncIterator[tuple[Relay, SmppLink, Smsc]]:
    """A link to an SMSC of its own, running."""
    smsc, relay = Smsc(manners), Relay()
    await smsc.start(tls=served_by)
    given = {"host": "127.0.0.1", "port": smsc.port, "system_id": "maskline"}
    one = SmppLink("acme", CarrierSmpp(**{**given, "password": Secret("secret"), **settings}))
    try:
        async with beside(one.run(relay)):
            yield relay, one, smsc
    finally:
        await smsc.stop()


# --- out


async def test_a_text_goes_out_and_its_receipt_comes_in() -> None:
    async with linked(source_ton=1, dest_npi=1) as (relay, one, smsc):
        text = relay.outgoing("Grüße € 5")
        outcome = await relay.outcome(one, text)
        assert outcome == Accepted(message_ids=("1",), segments=1, encoding=Encoding.GSM)
        [taken] = smsc.taken
        assert (taken.source, taken.destination, taken.numbers) == (PROXY, ANN, b"\1\1\1\1")
        assert sms.read(taken.octets, "gsm") == "Grüße € 5"
        assert (taken.registered, taken.data_coding, taken.esm_class) == (1, 0, 0)
        assert taken.tlvs == {codes.USER_MESSAGE_REFERENCE: struct.pack(">H", text.reference)}
        assert taken.validity.startswith("0000000")
        assert taken.validity.endswith("000R")
        await relay.until(lambda: relay.receipts)
        [receipt] = relay.receipts
        assert (receipt.message_id, receipt.state) == ("1", Reported.DELIVERED)
        assert (receipt.source, receipt.destination) == (text.source, text.destination)
        assert receipt.reference == text.reference
        assert one.health.up


@pytest.mark.parametrize(
    ("long_texts", "esm_class", "count"), [("udh", 0x40, 3), ("udh16", 0x40, 3), ("sar", 0, 3)]
)
async def test_a_long_text_goes_in_parts(long_texts: str, esm_class: int, count: int) -> None:
    async with linked(long_texts=long_texts) as (relay, one, smsc):
        text = relay.outgoing("abcdefghi " * 40, reference=0x1234)
        outcome = await relay.outcome(one, text)
        assert outcome == Accepted(
            message_ids=("1", "2", "3"), segments=count, encoding=Encoding.GSM
        )
        assert [taken.esm_class for taken in smsc.taken] == [esm_class] * count
        for taken in smsc.taken:
            smsc.send(
                Text(
                    taken.source, taken.destination, taken.octets, taken.esm_class,
                    tlvs=b"".join(struct.pack(">HH", t, len(v)) + v for t, v in taken.tlvs.items()),
                )
            )  # fmt: skip
        await relay.until(lambda: len(relay.texts) == count)
        parts = [one.part for one in relay.texts]
        assert [part and (part.number, part.total) for part in parts] == [(1, 3), (2, 3), (3, 3)]
        assert {part and part.reference for part in parts} == {
            0x34 if long_texts == "udh" else 0x1234
        }
        assert sms.join([one.text for one in relay.texts]) == text.text


@pytest.mark.parametrize(
    ("registered_delivery", "ids"), [(0, ()), (16, ()), (1, ("1",)), (2, ("1",)), (17, ("1",))]
)
async def test_what_will_have_no_receipt_has_no_id_to_know_it_by(
    registered_delivery: int, ids: tuple[str, ...]
) -> None:
    async with linked(registered_delivery=registered_delivery) as (relay, one, _):
        outcome = await relay.outcome(one, relay.outgoing())
        assert isinstance(outcome, Accepted)
        assert outcome.message_ids == ids


async def test_a_long_text_goes_whole_in_a_payload() -> None:
    async with linked(long_texts="payload") as (relay, one, smsc):
        outcome = await relay.outcome(one, relay.outgoing("ж" * 200))
        assert outcome == Accepted(message_ids=("1",), segments=3, encoding=Encoding.UCS2)
        [taken] = smsc.taken
        assert (taken.octets, taken.esm_class) == (b"", 0)
        assert sms.read(taken.tlvs[codes.MESSAGE_PAYLOAD], "ucs2") == "ж" * 200


@pytest.mark.parametrize("long_texts", ["udh", "sar", "payload"])
async def test_texts_go_by_data_sm_where_the_carrier_wants_it(long_texts: str) -> None:
    async with linked(send_by="data_sm", long_texts=long_texts) as (relay, one, smsc):
        for words in ("Grüße € 5", "abcdefghi " * 40):
            outcome = await relay.outcome(one, relay.outgoing(words))
            assert isinstance(outcome, Accepted)
            said = smsc.taken[-len(outcome.message_ids) :]
            skipped = 6 if long_texts == "udh" and len(said) > 1 else 0
            assert {taken.esm_class for taken in said} == {0x40 if skipped else 0}
            assert sms.read(b"".join(each.octets[skipped:] for each in said), "gsm") == words
            assert 0 < int(said[0].validity) <= 3_600
            assert (said[0].source, said[0].destination) == (PROXY, ANN)
        await relay.until(lambda: len(relay.receipts) == len(smsc.taken))
    async with linked(send_by="data_sm", validity="none") as (relay, one, smsc):
        await relay.outcome(one, relay.outgoing())
        assert smsc.taken[0].validity == ""


async def test_a_carrier_may_have_a_status_of_its_own_for_too_much() -> None:
    manners = Manners(refuse=1.0, refuse_status=0x0404)
    async with linked(manners, busy_statuses=(0x0404,)) as (relay, one, _):
        outcome = await relay.outcome(one, relay.outgoing())
        assert isinstance(outcome, TryLater)
        assert (outcome.reason, one.room) == ("0x00000404", 0)
        manners.refuse = 0.0
        await relay.until(lambda: one.room)
        assert isinstance(await relay.outcome(one, relay.outgoing()), Accepted)
    async with linked(Manners(refuse=1.0, refuse_status=0x0404)) as (relay, one, _):
        assert isinstance(await relay.outcome(one, relay.outgoing()), Refused)


async def test_what_cannot_be_written_is_refused() -> None:
    async with linked(data_codings=("default",)) as (relay, one, smsc):
        for text, reason in [("ж", "no-alphabet"), ("a" * 40_000, "too-long")]:
            assert await relay.outcome(one, relay.outgoing(text)) == Refused(reason=reason)
        strange = relay.outgoing(destination="+1\x00")
        assert await relay.outcome(one, strange) == Refused(reason="unsendable")
        assert smsc.taken == []


async def test_a_refusal_says_why() -> None:
    async with linked(Manners(refuse=1.0)) as (relay, one, _):
        assert await relay.outcome(one, relay.outgoing()) == Refused(
            reason="rejected-by-carrier", error="ESME_RINVDSTADR"
        )


async def test_the_window_is_kept() -> None:
    async with linked(Manners(late=1.0, late_seconds=0.05), window=3) as (relay, one, smsc):
        await relay.until(lambda: one.room)
        assert one.room == 3
        most = 0
        texts = [relay.outgoing() for _ in range(20)]
        smsc.on_submit = lambda _: None
        for text in texts:
            await relay.until(lambda: one.room)
            one.submit([text])
            most = max(most, 3 - one.room)
        await relay.until(lambda: len(relay.outcomes) == 20)
        assert most == 3
        assert all(isinstance(found[0], Accepted) for found in relay.outcomes.values())


async def test_a_long_text_is_longer_than_the_window() -> None:
    async with linked(window=2) as (relay, one, _):
        outcome = await relay.outcome(one, relay.outgoing("a" * 1000))
        assert isinstance(outcome, Accepted)
        assert len(outcome.message_ids) == 7


async def test_a_throttled_text_is_for_later_and_the_carrier_is_left_alone() -> None:
    async with linked(Manners(throttle=1.0)) as (relay, one, smsc):
        outcome = await relay.outcome(one, relay.outgoing())
        assert isinstance(outcome, TryLater)
        assert outcome.reason == "ESME_RTHROTTLED"
        assert outcome.after is not None
        assert one.room == 0
        smsc.manners.throttle = 0.0
        before = relay.readies
        await relay.until(lambda: one.room)
        assert relay.readies > before
        assert isinstance(await relay.outcome(one, relay.outgoing()), Accepted)


async def test_a_long_text_goes_on_where_it_was_throttled() -> None:
    """What the carrier has is not sent twice."""
    async with linked(Manners(throttle=0.5), window=3) as (relay, one, smsc):
        for seed in range(3):
            smsc.chance.seed(seed)
            text = relay.outgoing(f"{seed}" * 1000)
            while isinstance(outcome := await relay.outcome(one, text), TryLater):
                relay.outcomes.clear()
            assert isinstance(outcome, Accepted)
        assert len(smsc.taken) == 21
        assert smsc.counts["throttled"]


async def test_a_queue_that_is_full_may_be_one_phones() -> None:
    """Its text is to wait longer each time, and not to stop the others each time."""
    async with linked(Manners(full=1.0)) as (relay, one, _):
        outcome = await relay.outcome(one, relay.outgoing())
        assert outcome == TryLater(after=None, reason="ESME_RMSGQFUL")
        await relay.until(lambda: one.room)


@pytest.mark.parametrize("trouble", ["nack", "full"])
async def test_what_the_carrier_has_trouble_with_midway_waits_and_lets_others_pass(
    monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(submission, "FIRST_REST", 60.0)
    async with linked(window=1) as (relay, one, smsc):
        smsc.on_submit = lambda _: setattr(smsc.manners, trouble, 1.0)
        await relay.until(lambda: one.room)
        text = relay.outgoing("long " * 80)
        one.submit([text])
        await relay.until(lambda: smsc.counts[trouble])
        smsc.on_submit = None
        setattr(smsc.manners, trouble, 0.0)
        await relay.until(lambda: one.room)
        for _ in range(20):
            assert isinstance(await relay.outcome(one, relay.outgoing()), Accepted)
        assert (len(smsc.taken), smsc.counts[trouble]) == (21, 1)
        assert text.message_id not in relay.outcomes
    assert relay.outcomes[text.message_id] == [Unknown(reason="stopped")]


@pytest.mark.parametrize(("trouble", "counted"), [("nack", "nack"), ("throttle", "throttled")])
async def test_of_a_text_that_is_recalled_nothing_more_is_sent(
    monkeypatch: pytest.MonkeyPatch, trouble: str, counted: str
) -> None:
    """Neither what waits after trouble of its own nor what the carrier has too much to do for."""
    monkeypatch.setattr(submission, "FIRST_REST", 0.5)
    monkeypatch.setattr(pace, "FIRST_PAUSE", 0.5)
    async with linked(window=1) as (relay, one, smsc):
        smsc.on_submit = lambda _: setattr(smsc.manners, trouble, 1.0)
        await relay.until(lambda: one.room)
        text = relay.outgoing("long " * 80)
        one.submit([text])
        await relay.until(lambda: smsc.counts[counted])
        one.recall([text.message_id, "another"])
        await relay.until(lambda: relay.outcomes)
        smsc.on_submit = None
        setattr(smsc.manners, trouble, 0.0)
        assert isinstance(await relay.outcome(one, relay.outgoing("short")), Accepted)
        await one.drain()
    assert relay.outcomes[text.message_id] == [Unknown(reason="recalled")]
    assert len(smsc.taken) == 2


async def test_what_the_carrier_has_nothing_of_is_for_later_when_it_is_recalled() -> None:
    async with linked(max_per_second=1) as (relay, one, smsc):
        await relay.outcome(one, relay.outgoing())
        text = relay.outgoing()
        one.submit([text])
        one.recall([text.message_id])
        await relay.until(lambda: text.message_id in relay.outcomes)
        assert relay.outcomes[text.message_id] == [TryLater(reason="recalled")]
        await one.drain()
    assert len(smsc.taken) == 1


async def test_a_long_text_goes_on_after_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "FIRST_REST", 0.01)
    async with linked(Manners(nack=0.3), window=3) as (relay, one, smsc):
        while isinstance(
            outcome := await relay.outcome(one, text := relay.outgoing("x" * 1000)), TryLater
        ):
            relay.outcomes.clear()
        assert isinstance(outcome, Accepted)
        assert len(smsc.taken) == len(outcome.message_ids) == 7
        assert len(relay.outcomes[text.message_id]) == 1


async def test_all_of_a_long_text_is_valid_until_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submission, "FIRST_REST", 0.01)
    async with linked(window=1) as (relay, one, smsc):
        smsc.on_submit = lambda _: setattr(smsc.manners, "nack", 1.0)
        await relay.until(lambda: one.room)
        text = relay.outgoing("long " * 40)
        one.submit([text])
        await relay.until(lambda: smsc.counts["nack"])
        monkeypatch.setattr(link.clock, "now", lambda: text.expires_at - 60_000)
        smsc.on_submit = None
        smsc.manners.nack = 0.0
        await relay.until(lambda: relay.outcomes)
    assert [taken.validity for taken in smsc.taken][1:] == ["000000000100000R"]


@pytest.mark.parametrize("trouble", ["nack", "full"])
async def test_other_troubles_are_for_later(trouble: str) -> None:
    async with linked(Manners(**{trouble: 1.0})) as (relay, one, _):
        assert isinstance(await relay.outcome(one, relay.outgoing()), TryLater)


async def test_a_rate_lets_all_through_in_time() -> None:
    async with linked(max_per_second=20) as (relay, one, smsc):
        for _ in range(6):
            await relay.until(lambda: one.room)
            assert one.room <= 2  # what may go at once
            one.submit([relay.outgoing()])
        await relay.until(lambda: len(smsc.taken) == 6)


async def test_an_answer_that_never_comes_leaves_the_text_unknown() -> None:
    async with linked(Manners(silent=1.0), response_seconds=1) as (relay, one, smsc):
        assert await relay.outcome(one, relay.outgoing()) == Unknown(reason="no answer")
        assert len(smsc.taken) == 1


async def test_a_late_answer_is_told_as_a_receipt() -> None:
    manners = Manners(late=1.0, late_seconds=1.5, receipts=False)
    async with linked(manners, response_seconds=1) as (relay, one, _):
        text = relay.outgoing()
        assert await relay.outcome(one, text) == Unknown(reason="no answer")
        await relay.until(lambda: relay.receipts)
        [receipt] = relay.receipts
        assert (receipt.message_id, receipt.state) == ("1", Reported.ENROUTE)
        assert (receipt.source, receipt.reference) == (text.source, text.reference)
        assert receipt.whole_up_to  # it had one part
        assert relay.outcomes[text.message_id] == [Unknown(reason="no answer")]


async def test_a_wrong_sequence_number_is_no_answer() -> None:
    async with linked(Manners(wrong_sequence=1.0), response_seconds=1) as (relay, one, _):
        assert await relay.outcome(one, relay.outgoing()) == Unknown(reason="no answer")


@pytest.mark.parametrize("how", ["drop", "drop_mid_pdu"])
async def test_a_lost_link_leaves_the_text_unknown_and_comes_back(how: str) -> None:
    async with linked() as (relay, one, smsc):
        await relay.until(lambda: one.room)
        setattr(smsc.manners, how, 1.0)
        assert await relay.outcome(one, relay.outgoing()) == Unknown(reason="connection lost")
        setattr(smsc.manners, how, 0.0)
        assert isinstance(await relay.outcome(one, relay.outgoing()), Accepted)
        assert smsc.counts["binds"] >= 2


async def test_a_receipt_may_come_before_the_answer() -> None:
    async with linked(Manners(receipt_first=1.0, late=1.0)) as (relay, one, _):
        outcome = await relay.outcome(one, relay.outgoing())
        assert isinstance(outcome, Accepted)
        [receipt] = relay.receipts
        assert (receipt.message_id,) == outcome.message_ids


async def test_ids_are_brought_into_one_form() -> None:
    manners = Manners(receipt_id="{:010}".format, receipt_form="text")
    async with linked(manners, receipt_ids="hex_decimal") as (relay, one, smsc):
        smsc._number = 0xABC
        outcome = await relay.outcome(one, relay.outgoing())
        assert isinstance(outcome, Accepted)
        await relay.until(lambda: relay.receipts)
        assert outcome.message_ids == (relay.receipts[0].message_id,) == (str(0xABD),)


# --- in


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


async def choke(one: SmppLink, smsc: Smsc) -> None:
    """Has the carrier ask until we wait for it to read the answers."""
    session, [connection] = smsc.sessions[0], one._connections
    session.transport.pause_reading()
    for _ in range(2_000):
        session.send(struct.pack(">IIII", 16, codes.ENQUIRE_LINK, 0, 1) * 500)
        await asyncio.sleep(0)
        if not connection._reading:
            break
    assert not connection._reading


async def test_a_carrier_that_never_reads_again_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the texts under way wait for ever, and with them all that follow between two people."""
    monkeypatch.setattr("maskline.sms.smpp.connection.CLOSING_SECONDS", 0.1)
    async with linked(inactivity_seconds=1) as (relay, one, smsc):
        await relay.until(lambda: one.room)
        await choke(one, smsc)
        one.submit([relay.outgoing()])
        await relay.until(lambda: relay.outcomes)
        assert relay.outcomes["m1"] == [Unknown(reason="connection lost")]
        await relay.until(lambda: one.room)
        assert smsc.counts["binds"] == 2


async def test_a_carrier_that_does_not_read_is_not_read_from() -> None:
    async with linked() as (relay, one, smsc):
        await relay.until(lambda: one.room)
        session, [connection] = smsc.sessions[0], one._connections
        await choke(one, smsc)
        session.transport.resume_reading()
        await relay.until(lambda: connection._reading)
        assert isinstance(await relay.outcome(one, relay.outgoing()), Accepted)


async def test_a_text_without_answer_is_repeated_over_another_connection() -> None:
    async with linked() as (relay, one, smsc):
        may = asyncio.Event()
        relay.gate = may.wait
        text = Text(ANN, PROXY, b"x")
        smsc.send(text)
        await relay.until(lambda: text.deliveries)
        smsc.drop_links()
        await relay.until(lambda: text.deliveries == 2)
        may.set()
        await relay.until(lambda: smsc.delivered and len(relay.texts) == 2)
        names = {arrived.connection for arrived in relay.texts}
        assert len(names) == 2
        assert set(one.connections) < names


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, struct.pack(">IIII", 1 << 31, 5, 0, 1)]
)
async def test_garbage_ends_the_link_and_a_new_one_works(garbage: bytes) -> None:
    async with linked() as (relay, one, smsc):
        await relay.until(lambda: one.room)
        smsc.sessions[0].send(garbage)
        await relay.until(lambda: smsc.counts["binds"] == 2 and one.room)
        assert isinstance(await relay.outcome(one, relay.outgoing()), Accepted)


async def test_unknown_pdus_are_nacked() -> None:
    async with linked() as (relay, one, smsc):
        await relay.until(lambda: one.room)
        smsc.sessions[0].send(struct.pack(">IIII", 16, 0x77, 0, 5))
        await relay.until(lambda: smsc.counts["stray answers"])
        assert one.room


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_nothing_waits_for_a_timer(
    run: Callable[[Coroutine[None, None, None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every text of a long row is let out by the answer to the one before it."""
    monkeypatch.setattr("maskline.sms.smpp.connection.LONGEST_SLEEP", 1000.0)

    async def converse() -> None:
        async with linked(enquire_link_seconds=1000, inactivity_seconds=1000) as (relay, one, smsc):
            await relay.until(lambda: one.room)
            for number in range(300):
                smsc.send(Text(ANN, PROXY, b"%d" % number))
                one.submit([relay.outgoing()] if one.room else [])
            await relay.until(lambda: smsc.delivered)
            assert [text.text for text in relay.texts] == [str(n) for n in range(300)]
            assert len(relay.receipts) == len(relay.outcomes) == 10

    run(converse())


# --- binds


async def test_transmitters_and_receivers_share_the_work() -> None:
    async with linked(bind="transmitter_receiver", binds=2) as (relay, one, smsc):
        await relay.until(lambda: len(one.connections) == 4)
        assert one.room == 20
        assert one.health.detail == "4 of 4 binds"
        smsc.send(Text(ANN, PROXY, b"x"))
        outcomes = [await relay.outcome(one, relay.outgoing()) for _ in range(4)]
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        await relay.until(lambda: smsc.delivered and len(relay.receipts) == 4)
        modes = sorted(session.mode for session in smsc.sessions)
        assert modes == [codes.BIND_RECEIVER] * 2 + [codes.BIND_TRANSMITTER] * 2


async def test_a_receiver_sends_nothing() -> None:
    async with linked(bind="receiver") as (relay, one, _):
        await relay.until(lambda: one.connections)
        assert one.room == 0


async def test_a_refused_bind_is_tried_again() -> None:
    async with linked(Manners(refuse_bind=codes.ESME_RBINDFAIL)) as (relay, one, smsc):
        await relay.until(lambda: "ESME_RBINDFAIL" in one.health.detail)
        assert not one.health.up
        smsc.manners.refuse_bind = None
        await relay.until(lambda: one.room)


async def test_a_bind_too_many_is_tried_ever_more_rarely_however_much_others_carry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "FIRST_RETRY", 0.001)
    monkeypatch.setattr(link, "LONGEST_RETRY", 60.0)
    async with linked(Manners(most_binds=1), binds=2) as (relay, one, smsc):
        await relay.until(lambda: one.room)
        for _ in range(600):
            await relay.outcome(one, relay.outgoing())
        assert smsc.counts["binds too many"] < 20


async def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong\n")
    async with linked(password=None, password_file=wrong) as (relay, one, _):
        await relay.until(lambda: "ESME_RINVPASWD" in one.health.state)
        assert one.health.state.startswith("away: 0 of 1 binds; ")


@pytest.mark.parametrize("word", [b"ninechars", "schlüssel".encode()[:8]])
def test_a_password_that_cannot_be_sent_is_told_at_once(tmp_path: Path, word: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(word)
    with pytest.raises(OSError, match="at most 8 ASCII characters"):
        SmppLink("acme", CarrierSmpp(host="h", system_id="u", password_file=path))


async def test_a_carrier_that_is_not_there_is_tried_again() -> None:
    async with linked() as (relay, one, smsc):
        await relay.until(lambda: one.room)
        await smsc.stop()
        await relay.until(lambda: "cannot connect" in one.health.detail)
        assert (one.room, one.health.up, list(one.connections)) == (0, False, [])
        await smsc.start()
        await relay.until(lambda: one.room)


async def test_texts_for_a_link_without_binds_are_for_later() -> None:
    async with linked(Manners(refuse_bind=codes.ESME_RBINDFAIL)) as (relay, one, _):
        text = relay.outgoing()
        one.submit([text])
        await relay.until(lambda: relay.outcomes)
        assert relay.outcomes[text.message_id] == [TryLater(reason="no bind")]


async def test_a_silent_carrier_is_left() -> None:
    manners = Manners(ignore_enquiries=True)
    async with linked(manners, enquire_link_seconds=1, response_seconds=1) as (relay, _one, smsc):
        await relay.until(lambda: smsc.counts["binds"] == 2)
        assert smsc.counts["enquiries"] >= 1


# --- all at once

STORM = Manners(
    window=20, throttle=0.02, full=0.01, refuse=0.02, nack=0.01, silent=0.003, late=0.02,
    wrong_sequence=0.003, drop=0.02, drop_mid_pdu=0.001, duplicate=0.02, receipt_first=0.2,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
async def test_a_storm(seed: int) -> None:
    """All kinds of trouble at once: each text has one outcome, and none that is not true."""
    manners = replace(STORM)
    async with linked(manners, binds=2, window=8, response_seconds=1) as (relay, one, smsc):
        smsc.chance.seed(seed)
        arriving = [Text(f"1206555{n % 50:04}", PROXY, b"%d" % n) for n in range(500)]
        for text in arriving:
            smsc.send(text)
        leaving = [relay.outgoing("long " * (70 if n % 9 == 0 else 1) + str(n)) for n in range(500)]
        for text in leaving:
            await relay.until(lambda: one.room)
            one.submit([text])
            one.recall([each.message_id for each in leaving if smsc.chance.random() < 0.1])
        await relay.until(lambda: len(relay.outcomes) == len(leaving), seconds=60)
        smsc.manners.__dict__.update(Manners().__dict__)
        await relay.until(lambda: smsc.delivered, seconds=60)
    assert all(len(outcomes) == 1 for outcomes in relay.outcomes.values())
    taken: dict[int, set[str]] = {}
    for submit in smsc.taken:
        [reference] = struct.unpack(">H", submit.tlvs[codes.USER_MESSAGE_REFERENCE])
        taken.setdefault(reference, set()).add(submit.message_id)
    for text in leaving:
        [outcome] = relay.outcomes[text.message_id]
        ids = taken.get(text.reference, set())
        if isinstance(outcome, Accepted):
            assert set(outcome.message_ids) == ids
        elif isinstance(outcome, TryLater):
            assert not ids
    assert {type(outcomes[0]) for outcomes in relay.outcomes.values()} == {
        Accepted, TryLater, Refused, Unknown
    }  # fmt: skip
    assert {text.text for text in relay.texts} == {str(n) for n in range(500)}


# --- the end


async def test_stopping_unbinds_and_leaves_nothing_open() -> None:
    async with linked(Manners(silent=1.0)) as (relay, one, smsc):
        await relay.until(lambda: one.room)
        text = relay.outgoing()
        one.submit([text])
        await relay.until(lambda: smsc.taken)
    assert smsc.counts["unbinds"] == 1
    assert relay.outcomes == {text.message_id: [Unknown(reason="connection lost")]}


async def test_draining_waits_for_what_is_under_way_and_takes_nothing_in() -> None:
    async with linked(Manners(late=1.0)) as (relay, one, smsc):
        await relay.until(lambda: one.room)
        text: Outgoing = relay.outgoing()
        one.submit([text])
        draining = asyncio.create_task(one.drain())
        await asyncio.sleep(0)
        arriving = Text(ANN, PROXY, b"x")
        smsc.send(arriving)
        await draining
        await relay.until(lambda: relay.outcomes and arriving.answers)
        assert one.room == 0
        assert arriving.answers[0] == codes.ESME_RX_T_APPN
        assert isinstance(relay.outcomes[text.message_id][0], Accepted)


# --- TLS


async def test_tls_checks_the_carriers_certificate(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "smsc.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    good = {"tls": True, "tls_ca": certificate, "tls_name": "smsc.example"}
    async with linked(served_by=context, **good) as (relay, one, _):
        assert isinstance(await relay.outcome(one, relay.outgoing()), Accepted)
    for bad in ({"tls_ca": None}, {"tls_name": "other.example"}):
        async with linked(served_by=context, **{**good, **bad}) as (relay, one, smsc):
            await relay.until(lambda: "certificate verify failed" in one.health.detail)
            assert smsc.counts["binds"] == 0
