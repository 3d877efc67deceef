"""What the carrier's receipts change, on each database."""

import pytest
from carrier import Carrier
from desk import BEN, CAT

from maskline.clock import HOUR, MINUTE
from maskline.domain.message import Reported
from maskline.sms.port import Accepted, Receipt


def test_a_receipt_may_come_before_the_answer(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    carrier.report("id-1")
    assert carrier.states() == ["Sending"]
    carrier.accept("id-1")
    assert carrier.states() == ["Delivered"]


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ((Reported.DELIVERED, Reported.ENROUTE), "Delivered"),
        ((Reported.ENROUTE, Reported.DELIVERED), "Delivered"),
        ((Reported.UNDELIVERABLE, Reported.ACCEPTED), "Failed"),
        ((Reported.DELIVERED, Reported.UNDELIVERABLE), "Delivered"),
        ((Reported.EXPIRED, Reported.DELIVERED), "Delivered"),
    ],
)
def test_of_several_early_receipts_the_truest_holds(
    carrier: Carrier, number: str, reports: tuple[Reported, ...], state: str
) -> None:
    carrier.bring("hello", number)
    for reported in reports:
        carrier.report("id-1", reported)
    carrier.accept("id-1")
    assert carrier.states() == [state]


@pytest.mark.parametrize("after", [0, 1])
def test_an_early_receipt_of_another_text_with_the_same_id_is_overwritten(
    carrier: Carrier, number: str, after: int
) -> None:
    """The carrier counts anew, so it soon gives ids again: to another pair, or to the same."""
    carrier.desk.now -= after * HOUR
    carrier.report("id-1", source=number, destination=BEN if after else CAT)
    carrier.desk.now += after * HOUR
    carrier.bring("hello", number)
    carrier.report("id-1", Reported.UNDELIVERABLE, source=number, destination=BEN)
    carrier.accept("id-1")
    assert carrier.states() == ["Failed"]


def test_what_came_long_before_a_text_is_no_receipt_of_it(carrier: Carrier, number: str) -> None:
    """Of another program's text, or of one from before its carrier counted anew."""
    carrier.report("id-1", source=CAT, destination=BEN)
    carrier.desk.now += 10 * MINUTE
    carrier.bring("hello", number)
    carrier.accept("id-1")
    assert carrier.states() == ["Accepted"]
    carrier.report("id-1", Reported.UNDELIVERABLE)
    assert carrier.states() == ["Failed"]


def test_a_receipt_by_another_process_may_seem_older_than_its_text(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("hello", number)
    carrier.desk.now -= MINUTE - 1
    carrier.report("id-1")
    carrier.desk.now += MINUTE
    carrier.accept("id-1")
    assert carrier.states() == ["Delivered"]


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ([Reported.ENROUTE], "Accepted"),
        ([Reported.UNKNOWN, Reported.ACCEPTED], "Accepted"),
        ([Reported.UNDELIVERABLE], "Failed"),
        ([Reported.EXPIRED], "Expired"),
        ([Reported.DELIVERED, Reported.UNDELIVERABLE], "Delivered"),
        ([Reported.UNDELIVERABLE, Reported.DELIVERED], "Delivered"),
        ([Reported.UNDELIVERABLE, Reported.EXPIRED], "Expired"),
        ([Reported.EXPIRED, Reported.UNDELIVERABLE], "Failed"),
        ([Reported.DELIVERED, Reported.DELIVERED], "Delivered"),
    ],
)
def test_the_state_is_what_the_carrier_said(
    carrier: Carrier, number: str, reports: list[Reported], state: str
) -> None:
    carrier.bring("hello", number)
    carrier.accept()
    for reported in reports:
        carrier.report(state=reported, error="001")
    assert carrier.states() == [state]


def together(carrier: Carrier, sent_id: str, *states: Reported) -> None:
    """Receipts that come in one turn."""
    now = carrier.desk.now
    carrier.turn(
        *(Receipt(carrier="acme", message_id=sent_id, state=each, at=now) for each in states)
    )


def test_of_receipts_that_come_together_the_last_holds(carrier: Carrier, number: str) -> None:
    for words, states in (
        ("one", (Reported.UNDELIVERABLE, Reported.DELIVERED, Reported.DELIVERED)),
        ("two", (Reported.EXPIRED, Reported.UNDELIVERABLE)),
        ("three", (Reported.DELIVERED, Reported.EXPIRED)),
    ):
        carrier.bring(words, number)
        carrier.accept(words)
        together(carrier, words, *states)
    assert carrier.states() == ["Delivered", "Failed", "Delivered"]


def test_receipts_of_a_segment_that_come_together_count_once(carrier: Carrier, number: str) -> None:
    carrier.bring("long", number)
    carrier.answer(Accepted(message_ids=("a", "b"), segments=2))
    together(carrier, "a", Reported.UNDELIVERABLE, Reported.DELIVERED, Reported.DELIVERED)
    assert carrier.states() == ["Failed"]
    carrier.report("b")
    assert carrier.states() == ["Delivered"]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_segment_that_was_delivered_stays_delivered(
    carrier: Carrier, number: str, at_once: bool
) -> None:
    carrier.bring("long", number)
    carrier.answer(Accepted(message_ids=("a", "b"), segments=2))
    states = (Reported.DELIVERED, Reported.UNDELIVERABLE, Reported.DELIVERED)
    for some in [states] if at_once else [(each,) for each in states]:
        together(carrier, "a", *some)
        assert carrier.states() == ["Accepted"]
    carrier.report("b")
    assert carrier.states() == ["Delivered"]


def test_a_long_text_is_delivered_when_all_its_segments_are(carrier: Carrier, number: str) -> None:
    carrier.bring("hello " * 60, number)
    carrier.answer(Accepted(message_ids=("a", "b", "c"), segments=3))
    for sent_id in ("c", "a", "a"):
        carrier.report(sent_id)
        assert carrier.states() == ["Accepted"]
    carrier.report("b")
    assert carrier.states() == ["Delivered"]


@pytest.mark.parametrize(
    ("ids", "segments"),
    [
        (("a",), 3),  # Twilio, Telnyx; SMPP with long_texts = "payload"
        (("a", "a"), 2),
        (("a", "", ""), 3),
    ],
)
def test_one_id_for_several_segments_has_one_receipt(
    carrier: Carrier, number: str, ids: tuple[str, ...], segments: int
) -> None:
    carrier.bring("hello " * 60, number)
    carrier.answer(Accepted(message_ids=ids, segments=segments))
    carrier.report("a")
    (record,) = carrier.messages()
    assert (record["State"], record["OutboundSegments"]) == ("Delivered", segments)


def test_a_text_taken_by_an_earlier_version_has_a_receipt_for_each_segment(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("hello " * 60, number)
    carrier.answer(Accepted(message_ids=("a", "b"), segments=2))
    carrier.desk.ground.sql("UPDATE messages SET outbound_ids = NULL")
    carrier.report("a")
    assert carrier.states() == ["Accepted"]
    carrier.report("b")
    assert carrier.states() == ["Delivered"]


def test_an_empty_id_names_no_text(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    carrier.answer(Accepted(message_ids=("",)))
    carrier.report("")
    assert carrier.states() == ["Accepted"]
    carrier.report("", Reported.UNDELIVERABLE)
    assert carrier.states() == ["Accepted"]
    assert carrier.desk.ground.sql("SELECT * FROM early_receipts") == []


def test_a_long_text_fails_when_one_segment_does(carrier: Carrier, number: str) -> None:
    carrier.bring("hello " * 60, number)
    carrier.answer(Accepted(message_ids=("a", "b"), segments=2))
    carrier.report("a")
    carrier.report("b", Reported.UNDELIVERABLE, error="045")
    (record,) = carrier.messages()
    assert (record["State"], record["Error"]) == ("Failed", "045")
    assert record["Reason"] == "reported-undeliverable"
