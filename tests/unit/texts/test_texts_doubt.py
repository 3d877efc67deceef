"""Texts of which nobody knows whether the carrier has them, on each database."""

import pytest
from carrier import Carrier
from desk import ANN, BEN, proxy

from maskline.clock import HOUR
from maskline.sms.port import ALL, Unknown


def test_a_text_without_an_answer_is_sent_again_after_a_while(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("hello", number)
    carrier.answer(Unknown(reason="link-lost"))
    assert carrier.states() == ["InDoubt"]
    carrier.turn()
    assert len(carrier.sent) == 1
    carrier.wait(30_000)
    assert [text.message_id for text in carrier.sent] == [carrier.sent[0].message_id] * 2


def test_a_carrier_that_never_says_what_became_of_a_text_gets_it_ever_more_rarely(
    carrier: Carrier, connector: str
) -> None:
    session = carrier.desk.open(connector, ANN, BEN, ExpiryMinutes=720)
    carrier.bring("hello", proxy(session))
    pauses = []
    for _ in range(10):
        carrier.answer(Unknown(reason="answer-without-id"))
        (row,) = carrier.desk.ground.sql("SELECT due_at FROM messages")
        pauses.append(row["due_at"] - carrier.desk.now)
        carrier.wait(pauses[-1])
    assert len(carrier.sent) == 11
    assert pauses == [30_000, *(30_000 * 2**times for times in range(7)), HOUR, HOUR]


def test_a_receipt_tells_that_the_carrier_has_a_text_in_doubt(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("hello", number)
    carrier.answer(Unknown(reason="link-lost"))
    carrier.report("id-9", source=number, destination=BEN)
    assert carrier.states() == ["Delivered"]
    carrier.wait(60_000)
    assert len(carrier.sent) == 1


def test_a_killed_process_takes_up_its_texts_and_their_early_receipts(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("hello", number)
    carrier.bring("back", number, BEN)
    carrier.report("id-9", source=number, destination=BEN)
    carrier.restart()
    assert carrier.states() == ["Delivered", "InDoubt"]
    carrier.wait(30_000)
    assert [text.text for text in carrier.sent] == ["hello", "back", "back"]


def test_what_waited_for_a_text_that_a_killed_process_had_goes_after_it(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("one", number)
    carrier.bring("two", number)
    carrier.report("id-9", source=number, destination=BEN)
    carrier.restart()
    carrier.turn()
    assert [text.text for text in carrier.sent] == ["one", "two"]


def test_a_receipt_of_another_text_settles_no_doubt(carrier: Carrier, number: str) -> None:
    carrier.bring("one", number)
    carrier.answer(Unknown(reason="link-lost"))
    carrier.wait(30_000)  # sent again: the carrier may have it twice
    carrier.accept("second")
    carrier.bring("two", number)
    carrier.answer(Unknown(reason="link-lost"))
    carrier.report("first", source=number, destination=BEN)
    assert carrier.states() == ["Accepted", "InDoubt"]
    reference = carrier.sent[-1].reference
    carrier.report("x", source=number, destination=BEN, reference=reference ^ 1)
    assert carrier.states() == ["Accepted", "InDoubt"]
    carrier.report("y", source=number, destination=BEN, reference=reference)
    assert carrier.states() == ["Accepted", "Delivered"]


def test_a_receipt_that_came_before_the_submit_settles_no_doubt(
    carrier: Carrier, number: str
) -> None:
    carrier.report("stray", source=number, destination=BEN)
    carrier.desk.now += 1
    carrier.bring("hello", number)
    carrier.answer(Unknown(reason="link-lost"))
    assert carrier.states() == ["InDoubt"]


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("hello " * 40, "InDoubt"),
        ("\N{THUMBS UP SIGN}" * 36, "InDoubt"),  # each takes two units of UTF-16
        ("\N{THUMBS UP SIGN}" * 35, "Delivered"),
        ("x" * 70, "Delivered"),
    ],
)
def test_a_text_of_several_segments_stays_in_doubt(
    carrier: Carrier, number: str, words: str, state: str
) -> None:
    carrier.bring(words, number)
    carrier.answer(Unknown(reason="link-lost"))
    carrier.report("id-9", source=number, destination=BEN)
    assert carrier.states() == [state]


def report_of_lost_answer(carrier: Carrier, number: str, *, early: bool, whole_up_to: int) -> None:
    """Reports the text at hand, whose answer never comes: before that is known, or after."""
    told = {"source": number, "destination": BEN, "reference": carrier.sent[0].reference}
    if early:
        carrier.report("id-9", whole_up_to=whole_up_to, **told)
    carrier.answer(Unknown(reason="no-answer"))
    if not early:
        carrier.report("id-9", whole_up_to=whole_up_to, **told)


@pytest.mark.parametrize("early", [True, False])
def test_a_receipt_for_all_of_a_long_text_tells_that_the_carrier_has_it(
    carrier: Carrier, number: str, early: bool
) -> None:
    """Over HTTP a text goes in one request: it is taken as a whole, or not at all."""
    carrier.bring("hello " * 40, number)
    report_of_lost_answer(carrier, number, early=early, whole_up_to=ALL)
    assert carrier.states() == ["Delivered"]
    carrier.wait(HOUR)
    assert len(carrier.sent) == 1


@pytest.mark.parametrize("early", [True, False])
def test_a_receipt_for_a_piece_does_not_tell_that_the_carrier_has_the_whole_text(
    carrier: Carrier, number: str, early: bool
) -> None:
    """A provider takes only so much at once: of such a text it may have the beginning alone."""
    carrier.bring("x" * 200, number)
    report_of_lost_answer(carrier, number, early=early, whole_up_to=199)
    assert carrier.states() == ["InDoubt"]
    carrier.wait(30_000)
    assert len(carrier.sent) == 2


def test_texts_of_a_process_that_is_gone_are_taken_over(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    carrier.life = "another.1"
    carrier.wait(119_000)
    assert carrier.states() == ["Sending"]
    carrier.wait(1_000)
    assert carrier.states() == ["InDoubt"]
    carrier.wait(30_000)
    assert len(carrier.sent) == 2


def test_a_claim_holds_as_long_as_the_link_has_the_text(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    carrier.held = (carrier.sent[0].message_id,)
    for _ in range(5):
        carrier.wait(100_000)
        assert carrier.states() == ["Sending"]
    carrier.life = "another.1"  # it has nothing to say about what the first one has
    carrier.wait(120_000)
    assert carrier.states() == ["InDoubt"]


def test_an_answer_that_comes_late_still_counts(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    carrier.wait(120_000)
    assert carrier.states() == ["InDoubt"]
    carrier.accept()
    assert carrier.states() == ["Accepted"]
    carrier.accept()
    assert carrier.states() == ["Accepted"]
