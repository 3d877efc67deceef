"""Texts that go to a carrier, which behaves well, badly and in between."""

import struct

import pytest
from smpp_linked import ANN, PROXY, linked
from smsc import Manners, Text

from maskline.domain.message import Encoding, Reported
from maskline.sms import text as sms
from maskline.sms.port import Accepted, Refused, TryLater, Unknown
from maskline.sms.smpp import codes, link, pace, submission


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
        await relay.until(lambda: relay.readies > before)
        assert one.room
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
