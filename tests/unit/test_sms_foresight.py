"""What is told of a text before its pictures are fetched, on each database."""

import msgspec
import pytest
from carrier import Carrier
from desk import ANN, BEN, CAT, Desk, proxy

from maskline.clock import HOUR
from maskline.operations import Policy
from maskline.sms.foresight import facts_about, foreseen, waiting
from maskline.sms.port import Accepted, InboundText, Media, TryLater, Verdict

PROXY = "+19135550199"
PICTURES = (Media(url="https://api.example/1", content_type="image/png"),)


@pytest.fixture
def carrier() -> Carrier:
    desk = Desk(Policy(carriers=("acme",), text_carriers={"acme"}))
    desk.import_numbers(PROXY)
    return Carrier(desk, room=0)


@pytest.fixture
def number(carrier: Carrier) -> str:
    return proxy(carrier.desk.open(carrier.desk.connector(), ANN, BEN))


def pictured(carrier: Carrier, number: str, source: str = ANN, words: str = "See") -> InboundText:
    return carrier.text(words, number, source, message_id="MM1", connection="", media=PICTURES)


def foretold(carrier: Carrier, text: InboundText, most: int = 2) -> Verdict | None:
    return foreseen(carrier.desk.context(""), text, most).verdict


def test_a_repetition_is_known_before(carrier: Carrier, number: str) -> None:
    text = pictured(carrier, number)
    assert foretold(carrier, text) is None
    carrier.turn(text)
    assert foretold(carrier, text) == Accepted(message_ids=())


def test_a_full_queue_is_known_before(carrier: Carrier, number: str) -> None:
    carrier.bring("one", number)
    assert foretold(carrier, pictured(carrier, number)) is None
    carrier.bring("two", number)
    assert foretold(carrier, pictured(carrier, number)) == TryLater(reason="queue-full")


def test_a_queue_is_counted_no_further_than_needed(carrier: Carrier, number: str) -> None:
    for words in ("one", "two", "three"):
        carrier.bring(words, number)
    context = carrier.desk.context("")
    facts = facts_about(context, pictured(carrier, number))
    assert [waiting(context, facts, most) for most in (2, 4)] == [2, 3]


def test_a_full_queue_keeps_back_nothing_that_will_not_stand_in_it(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("one", number)
    assert foretold(carrier, pictured(carrier, number, words="STOP"), most=1) is None
    assert foretold(carrier, pictured(carrier, number, source=CAT), most=1) is None
    assert foretold(carrier, pictured(carrier, number, source="12345"), most=1) is None


def test_who_has_no_open_session_has_no_reader(carrier: Carrier) -> None:
    session = carrier.desk.open(carrier.desk.connector(), ANN, BEN)

    def reads(source: str, words: str = "See") -> bool:
        text = pictured(carrier, proxy(session), source, words)
        return foreseen(carrier.desk.context(""), text, 2).has_reader

    assert (reads(ANN), reads(BEN), reads(CAT), reads("12345")) == (True, True, False, False)
    to_all = msgspec.structs.replace(pictured(carrier, proxy(session)), to_group=True)
    assert not foreseen(carrier.desk.context(""), to_all, 2).has_reader
    carrier.bring("STOP", proxy(session), BEN)
    assert (reads(ANN), reads(BEN)) == (False, True)
    carrier.bring("START", proxy(session), BEN)
    carrier.desk.now += HOUR
    assert not reads(ANN)
    session = carrier.desk.open(carrier.desk.connector(), ANN, BEN)
    assert reads(ANN)
    carrier.desk.close(session)
    assert not reads(ANN)
