"""How much is accepted, on each database."""

import pytest
from carrier import Carrier
from desk import ANN, BEN, CAT

from maskline.sms import intake
from maskline.sms.limits import Limits
from maskline.sms.port import Accepted, Refused, TryLater
from maskline.sms.turn import Work
from maskline.sms.works import take_turn


def test_a_sender_may_send_so_many_a_minute(carrier: Carrier, number: str) -> None:
    carrier.limits = Limits(per_sender_minute=3)
    verdicts = [carrier.bring(f"{n}", number) for n in range(5)]
    assert [isinstance(each, Accepted) for each in verdicts] == [True, True, True, False, False]
    assert isinstance(carrier.bring("other", number, BEN), Accepted)
    carrier.desk.now += 20_000
    assert isinstance(carrier.bring("later", number), Accepted)


def test_a_sender_may_send_on_when_the_clock_was_set_back(carrier: Carrier, number: str) -> None:
    carrier.limits = Limits(per_sender_minute=1)
    assert isinstance(carrier.bring("one", number), Accepted)
    carrier.desk.now -= 3_600_000
    assert isinstance(carrier.bring("two", number), Accepted)
    assert isinstance(carrier.bring("three", number), Refused)


def test_what_is_put_off_is_not_counted(carrier: Carrier, number: str) -> None:
    carrier.limits = Limits(per_sender_minute=1)
    carrier.full = ("acme",)
    for _ in range(5):
        assert carrier.bring("hello", number) == TryLater(reason="queue-full")
    carrier.full = ()
    assert isinstance(carrier.bring("hello", number), Accepted)


def test_a_turn_that_is_done_again_counts_once(carrier: Carrier, number: str) -> None:
    carrier.limits = Limits(per_sender_minute=2)
    work = Work(
        holder="node.1", node="node.", arrivals=[carrier.text("x", number)], limits=carrier.limits
    )
    for _ in range(5):
        carrier.desk.ground.begin()
        assert isinstance(take_turn(carrier.desk.context(""), work).verdicts[0], Accepted)
        carrier.desk.ground.undo()
    assert isinstance(carrier.bring("one", number), Accepted)
    assert isinstance(carrier.bring("two", number), Accepted)
    assert isinstance(carrier.bring("three", number), Refused)


def test_so_many_texts_may_wait_for_one_reader(
    carrier: Carrier, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two people could fill a carrier's queue for all others."""
    monkeypatch.setattr(intake, "MOST_WAITING", 2)
    carrier.room = 0
    verdicts = [carrier.bring(f"{n}", number) for n in range(4)]
    assert [isinstance(each, Accepted) for each in verdicts] == [True, True, True, False]
    assert verdicts[3] == Refused(reason="too-many-waiting", sip_status=480)
    assert isinstance(carrier.bring("back", number, BEN), Accepted)
    assert isinstance(carrier.bring("STOP", number), Accepted)
    carrier.room = 1
    carrier.turn()
    carrier.accept()
    assert isinstance(carrier.bring("later", number), Accepted)


def test_long_texts_are_put_off_before_they_begin(carrier: Carrier, number: str) -> None:
    carrier.bring_part("a", number, 1, 2)
    carrier.full = ("acme",)
    full = TryLater(reason="queue-full")
    carrier.limits = Limits(per_sender_minute=2)
    for part in (1, 2, 2):
        assert carrier.bring_part("x", number, part, 2, reference=8) == full
    # What is begun is taken to its end, and what goes nowhere is taken and refused.
    assert isinstance(carrier.bring_part("b", number, 2, 2), Accepted)
    assert carrier.bring_part("x", number, 1, 2, source=CAT) == Accepted(message_ids=())
    carrier.full = ()
    for part in (1, 2):
        verdict = carrier.bring_part("x", number, part, 2, reference=8)
    assert isinstance(verdict, Accepted)


def test_a_carrier_may_bring_so_many_parts_that_wait_for_others(
    carrier: Carrier, number: str
) -> None:
    carrier.bring_part("a", number, 1, 2)
    carrier.crowded = ("acme",)
    assert carrier.bring_part("x", number, 1, 2, reference=8) == TryLater(reason="queue-full")
    assert isinstance(carrier.bring_part("b", number, 2, 2), Accepted)
    assert carrier.sent[0].text == "ab"


def test_a_sender_may_begin_so_many_long_texts(
    carrier: Carrier, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MOST_OPEN_PARTS", 2)
    for reference in (1, 2):
        carrier.bring_part("a", number, 1, 3, reference=reference)
    verdict = carrier.bring_part("a", number, 1, 3, reference=3)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "too-many-parts"
    assert carrier.states() == ["Refused"]
    assert carrier.bring_part("b", number, 2, 3, reference=1) == Accepted(message_ids=())
    assert carrier.bring_part("a", number, 1, 3, source=BEN) == Accepted(message_ids=())
    verdict = carrier.bring_part("c", number, 3, 3, reference=1)
    assert carrier.sent[0].text == "abc"
    assert carrier.bring_part("a", number, 1, 3, reference=3) == Accepted(message_ids=())


def test_a_connectors_texts_beyond_its_rate_wait(
    carrier: Carrier, connector: str, number: str
) -> None:
    carrier.limits = Limits(per_sender_minute=0)
    carrier.desk.rule(connector, MaxTextsPerMinute=60)
    for source in (ANN, BEN):
        carrier.bring("x", number, source)
    assert len(carrier.sent) == 1
    carrier.accept()
    carrier.wait(1_000)
    assert len(carrier.sent) == 2
