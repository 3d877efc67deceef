"""In which order texts are sent, when, and again, on each database."""

from typing import Any

import pytest
from carrier import Carrier
from desk import ANN, BEN, CAT, ids, proxy

from maskline.clock import DAY, HOUR, MINUTE
from maskline.domain.message import Reported
from maskline.domain.refusals import Conflict, NotFound
from maskline.operations import erase_messages
from maskline.sms import claims
from maskline.sms.port import Accepted, Refused, TryLater, Unknown
from maskline.sms.works import tend


def test_a_pairs_second_text_waits_for_the_first(carrier: Carrier, number: str) -> None:
    carrier.turn(carrier.text("one", number), carrier.text("two", number))
    carrier.bring("back", number, BEN)
    assert [text.text for text in carrier.sent] == ["one", "back"]
    carrier.turn()
    assert len(carrier.sent) == 2
    carrier.accept("a", carrier.sent[0])
    assert [text.text for text in carrier.sent] == ["one", "back", "two"]


def looked_at(carrier: Carrier) -> int:
    """How many texts each turn looks at that has room."""
    query = "SELECT count(*) AS texts FROM messages WHERE due_at <= ? AND state <> 'Sending'"
    (row,) = carrier.desk.ground.sql(query, carrier.desk.now)
    return int(row["texts"])


@pytest.mark.parametrize("room", [0, 1])
def test_a_pair_with_many_texts_holds_up_nobody_else(
    carrier: Carrier, connector: str, number: str, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Neither by its place in the queue, nor by the time that it takes to look over them."""
    monkeypatch.setattr(claims, "AT_ONCE", 3)
    other = proxy(carrier.desk.open(connector, CAT, BEN))
    carrier.room = room
    for words in "abcdefgh":
        carrier.bring(words, number)
    carrier.bring("other", other, CAT)
    carrier.room = 1
    for _ in range(4):
        carrier.turn()
    assert [text.text for text in carrier.sent] == ["a", "other"]
    assert looked_at(carrier) == 0
    carrier.accept("1", carrier.sent[0])
    assert (carrier.sent[-1].text, looked_at(carrier)) == ("b", 0)


@pytest.mark.parametrize("end", ["failed", "refused", "expired", "unreadable"])
def test_a_pairs_second_text_goes_however_the_first_ended(
    carrier: Carrier, connector: str, number: str, end: str
) -> None:
    carrier.bring("one", number)
    carrier.bring("two", number)
    before = carrier.sent[0]
    if end == "failed":
        carrier.answer(Refused(reason="rejected-by-carrier"))
    else:
        carrier.answer(TryLater(after=60, reason="busy"))
        where = f"WHERE message_id = '{before.message_id}'"
        change = {
            "refused": "proxy_session_id = 'another'",
            "expired": f"expires_at = {carrier.desk.now}",
            "unreadable": "sealed_body = 'AAAA'",
        }[end]
        carrier.desk.ground.sql(f"UPDATE messages SET {change} {where} RETURNING 1")
        carrier.wait(80_000)
        carrier.turn()
    assert [text.text for text in carrier.sent] == ["one", "two"]


def test_a_pairs_next_text_goes_in_the_turn_in_which_the_one_before_is_taken(
    carrier: Carrier, number: str
) -> None:
    """Also where nobody knows of it that anything waits."""
    for words in ("one", "two", "three"):
        carrier.bring(words, number)
    carrier.answer(TryLater(after=60, reason="busy"))
    carrier.wait(80_000)
    carrier.backlog = frozenset()
    carrier.accept("1")
    carrier.accept("2")
    assert [text.text for text in carrier.sent] == ["one", "one", "two", "three"]


def test_a_text_that_was_set_aside_is_looked_at_again_in_any_case(
    carrier: Carrier, number: str
) -> None:
    """Another hand than ours may have taken away what it waits for."""
    carrier.bring("one", number)
    carrier.bring("two", number)
    carrier.desk.ground.sql("DELETE FROM messages WHERE state = 'Sending' RETURNING 1")
    carrier.wait(9 * MINUTE)
    assert len(carrier.sent) == 1
    carrier.wait(MINUTE)
    assert carrier.sent[-1].text == "two"


def test_a_text_that_is_to_be_tried_again_holds_up_its_pair(carrier: Carrier, number: str) -> None:
    carrier.bring("one", number)
    carrier.bring("two", number)
    carrier.answer(TryLater(after=60, reason="throttled"))
    carrier.turn()
    assert [text.text for text in carrier.sent] == ["one"]
    carrier.wait(59_999)  # the carrier said when
    assert [text.text for text in carrier.sent] == ["one"]
    carrier.wait(15_001)
    assert [text.text for text in carrier.sent] == ["one", "one"]
    carrier.accept()
    assert [text.text for text in carrier.sent] == ["one", "one", "two"]
    assert carrier.messages()[0]["Attempts"] == 2


@pytest.mark.parametrize("after", [None, 0.0])
def test_a_carrier_that_names_no_time_is_tried_ever_more_rarely(
    carrier: Carrier, number: str, monkeypatch: pytest.MonkeyPatch, after: float | None
) -> None:
    monkeypatch.setattr("maskline.sms.outcomes.random.random", lambda: 1.0)
    carrier.bring("one", number)
    pauses = []
    for _ in range(4):
        carrier.answer(TryLater(after=after, reason="sip-480"))
        (row,) = carrier.desk.ground.sql("SELECT due_at FROM messages")
        pauses.append(row["due_at"] - carrier.desk.now)
        carrier.wait(pauses[-1])
    assert pauses == [2_000, 4_000, 8_000, 16_000]


def test_no_more_is_sent_than_there_is_room(carrier: Carrier, connector: str) -> None:
    numbers = {ANN: CAT, BEN: CAT}
    places = {
        one: proxy(carrier.desk.open(connector, one, other)) for one, other in numbers.items()
    }
    carrier.room = 1
    carrier.turn(*(carrier.text("x", places[one], one) for one in numbers))
    assert len(carrier.sent) == 1
    assert carrier.turn().outgoing.keys() == {"acme"}
    assert {text.destination for text in carrier.sent} == {CAT}


def test_texts_wait_when_no_link_is_up(carrier: Carrier, number: str) -> None:
    carrier.room = 0
    carrier.bring("hello", number)
    assert (carrier.sent, carrier.states()) == ([], ["Queued"])
    carrier.desk.now += HOUR - 10_000
    erase_messages(carrier.desk.context(""))  # nothing of what waits
    carrier.room = 5
    carrier.wait(10)
    assert ([text.text for text in carrier.sent], carrier.states()) == (["hello"], ["Sending"])


def test_a_full_queue_sends_the_carrier_away(carrier: Carrier, number: str) -> None:
    carrier.full = ("acme",)
    verdict = carrier.bring("hello", number)
    assert verdict == TryLater(reason="queue-full")
    assert carrier.states() == []
    # What concerns us alone is heeded all the same.
    assert isinstance(carrier.bring("stop", number), Accepted)


def test_a_text_whose_validity_ends_is_a_dead_letter(carrier: Carrier, number: str) -> None:
    carrier.room = 0
    carrier.set_texts(validity_milliseconds=HOUR // 2)
    carrier.bring("hello", number)
    carrier.wait(HOUR // 2)
    (record,) = carrier.messages(State="Expired")
    assert (record["State"], record["Reason"]) == ("Expired", "validity-ended")
    carrier.room = 1
    again = carrier.desk.maskline("RetryMessage", MessageId=record["MessageId"])["Message"]
    assert (again["State"], again["ExpiresTimestamp"]) == (
        "Queued",
        carrier.desk.now + HOUR // 2,
    )
    carrier.turn()
    assert carrier.sent[0].text == "hello"


def test_a_retry_is_an_event_and_no_receipt_of_before_is_about_it(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("hello", number)
    carrier.answer(Accepted(message_ids=("a", "b"), segments=2))
    carrier.report("a", Reported.UNDELIVERABLE)
    message_id = carrier.sent[0].message_id
    carrier.desk.now += 1000
    again = carrier.desk.maskline("RetryMessage", MessageId=message_id)["Message"]
    assert (again["SentTimestamp"], again["AcceptedTimestamp"]) == (None, None)
    (event,) = carrier.desk.ground.sql(
        "SELECT name, account_id FROM events WHERE happened_at = ?", carrier.desk.now
    )
    assert (event["name"], event["account_id"]) == ("MessageQueued", carrier.desk.account_id)
    carrier.room = 0
    carrier.report("b", Reported.EXPIRED)
    assert carrier.states() == ["Queued"]
    carrier.room = 1
    carrier.turn()
    carrier.report("b", Reported.UNDELIVERABLE)
    carrier.accept("c")
    carrier.report("b", Reported.DELIVERED)
    assert carrier.states() == ["Accepted"]
    carrier.report("c")
    assert carrier.states() == ["Delivered"]


@pytest.mark.parametrize("waits", [False, True])
def test_a_carrier_is_to_give_a_text_up_when_its_session_ends(
    carrier: Carrier, connector: str, number: str, waits: bool
) -> None:
    """Later its reader may know the number as somebody else's."""
    carrier.set_texts(validity_milliseconds=HOUR // 2)
    ends = {ANN: HOUR // 2, CAT: 5 * MINUTE, BEN: MINUTE}
    session = carrier.desk.open(connector, CAT, BEN, ExpiryMinutes=5)
    places = {ANN: number, CAT: proxy(session), BEN: proxy(session)}
    for sender, left in ends.items():
        carrier.desk.now += 0 if sender != BEN else 5 * MINUTE - 1_000  # of the session's time
        carrier.room = 0 if waits else 100
        carrier.bring("hello", places[sender], sender)
        carrier.room = 100
        carrier.turn()
        assert carrier.sent[-1].expires_at - carrier.desk.now == left


def test_an_answer_of_ours_is_valid_after_the_session(carrier: Carrier, connector: str) -> None:
    session = carrier.desk.open(connector, ANN, BEN, ExpiryMinutes=5)
    carrier.desk.rule(connector, HelpReply="Help.")
    carrier.bring("HELP", proxy(session))
    assert carrier.sent[-1].expires_at == carrier.desk.now + DAY


@pytest.mark.parametrize("end", ["close", "expire", "take the number"])
def test_nothing_is_sent_once_its_session_is_over(
    carrier: Carrier, connector: str, end: str
) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    carrier.bring("hello", proxy(session))
    carrier.answer(TryLater(after=60, reason="busy"))
    if end == "close":
        carrier.desk.close(session)
    if end == "expire":
        carrier.desk.now += HOUR
    if end == "take the number":
        carrier.desk.ground.sql(
            "UPDATE claims SET proxy_session_id = 'x' WHERE participant = ?", BEN
        )
    carrier.wait(80_000)
    assert len(carrier.sent) == 1
    (record,) = carrier.messages()
    assert (record["State"], record["Reason"]) == ("Refused", "session-closed")
    assert (record["Attempts"], record["EndedTimestamp"]) == (1, carrier.desk.now)
    assert "Text" not in carrier.desk.maskline("GetMessage", MessageId=record["MessageId"])


def test_nothing_is_sent_once_its_session_allows_no_texts(carrier: Carrier, connector: str) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    carrier.bring("one", proxy(session))
    carrier.bring("two", proxy(session))
    carrier.desk.call("UpdateProxySession", **ids(session), Capabilities=["Voice"])
    carrier.answer(Refused(reason="rejected-by-carrier"))
    carrier.turn()
    assert [text.text for text in carrier.sent] == ["one"]
    records = carrier.messages()
    assert [each["Reason"] for each in records] == ["rejected-by-carrier", "sms-not-allowed"]
    with pytest.raises(Conflict, match="without the capability"):
        carrier.desk.maskline("RetryMessage", MessageId=records[0]["MessageId"])
    carrier.desk.call("UpdateProxySession", **ids(session), Capabilities=["SMS"])
    carrier.desk.maskline("RetryMessage", MessageId=records[0]["MessageId"])
    carrier.turn()
    assert [text.text for text in carrier.sent] == ["one", "one"]


def without_room(carrier: Carrier, connector: str) -> dict[str, Any]:
    """A session between Cat and Ben, whose text "one" waits because nothing may be sent."""
    session = carrier.desk.open(connector, CAT, BEN)
    carrier.room = 0
    carrier.bring("one", proxy(session), CAT)
    return session


@pytest.mark.parametrize("reason", ["session-closed", "opted-out"])
def test_what_a_link_has_for_long_is_recalled_when_it_must_not_be_sent_any_more(
    carrier: Carrier, connector: str, reason: str
) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    carrier.bring("long", proxy(session))
    carrier.held = (carrier.sent[-1].message_id,)
    assert carrier.turn(what=tend).recalled == []
    if reason == "opted-out":
        carrier.bring("STOP", proxy(session), BEN)
    else:
        carrier.desk.close(session)
    assert carrier.turn(what=tend).recalled == [*carrier.held]
    # The carrier has a part of it, so it is in doubt; but not sent again.
    carrier.answer(Unknown(reason="recalled"))
    carrier.wait(61_000)
    assert [text.text for text in carrier.sent] == ["long"]
    (record, *_) = carrier.messages()
    assert (record["State"], record["Reason"]) == ("Refused", reason)


def test_an_answer_of_ours_is_not_recalled(carrier: Carrier, connector: str, number: str) -> None:
    carrier.desk.rule(connector, StopReply="As you like.")
    carrier.bring("STOP", number)
    carrier.held = (carrier.sent[-1].message_id,)
    assert carrier.turn(what=tend).recalled == []


def test_a_text_that_was_refused_while_it_waited_holds_nobody_up(
    carrier: Carrier, connector: str, number: str
) -> None:
    session = without_room(carrier, connector)
    carrier.bring("two", number)
    carrier.desk.close(session)
    carrier.room = 1
    done = carrier.turn()
    assert "acme" in done.backlog
    carrier.turn()
    assert [text.text for text in carrier.sent] == ["two"]


def test_words_that_cannot_be_read_any_more_hold_nobody_up(
    carrier: Carrier, connector: str, number: str
) -> None:
    without_room(carrier, connector)
    carrier.desk.ground.sql("UPDATE messages SET sealed_body = 'AAAA'")
    carrier.bring("two", number)
    carrier.room = 2
    carrier.turn()
    assert [text.text for text in carrier.sent] == ["two"]
    assert carrier.states() == ["Failed", "Sending"]


def test_a_part_that_cannot_be_read_any_more_is_as_good_as_missing(
    carrier: Carrier, number: str
) -> None:
    for reference in (1, 2):
        carrier.bring_part("a", number, 1, 3, reference=reference)
        carrier.desk.ground.sql("UPDATE message_parts SET sealed_text = 'AAAA'")
        carrier.bring_part("b", number, 2, 3, reference=reference)
    carrier.bring_part("c", number, 3, 3, reference=1)
    carrier.accept()
    carrier.wait(600_000)
    assert [text.text for text in carrier.sent] == ["[...]c", "[...]b[...]"]
    records = [(each["Segments"], each["Partial"]) for each in carrier.messages()]
    assert records == [(1, True), (1, True)]


def test_a_doubt_about_what_cannot_be_read_any_more_stays(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    carrier.desk.ground.sql("UPDATE messages SET sealed_body = 'AAAA'")
    carrier.answer(Unknown(reason="link-lost"))
    carrier.report("id-9", source=number, destination=BEN)
    assert carrier.states() == ["InDoubt"]


def test_only_what_may_be_sent_is_sent_again(carrier: Carrier, connector: str) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    carrier.bring("hello", proxy(session))
    carrier.answer(Refused(reason="rejected-by-carrier"))
    message_id = carrier.sent[0].message_id
    carrier.bring("STOP", proxy(session), BEN)
    with pytest.raises(Conflict, match="STOP"):
        carrier.desk.maskline("RetryMessage", MessageId=message_id)
    carrier.bring("START", proxy(session), BEN)
    carrier.desk.close(session)
    with pytest.raises(Conflict, match="session is closed"):
        carrier.desk.maskline("RetryMessage", MessageId=message_id)


def test_only_dead_letters_are_sent_again(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    message_id = carrier.sent[0].message_id
    with pytest.raises(Conflict):
        carrier.desk.maskline("RetryMessage", MessageId=message_id)
    carrier.answer(Refused(reason="rejected-by-carrier", error="0x0b"))
    (record,) = carrier.messages(State="Failed")
    assert (record["Reason"], record["Error"]) == ("rejected-by-carrier", "0x0b")
    carrier.desk.now += 2 * DAY
    erase_messages(carrier.desk.context(""))
    with pytest.raises(Conflict, match="erased"):
        carrier.desk.maskline("RetryMessage", MessageId=message_id)
    with pytest.raises(NotFound):
        carrier.desk.maskline("RetryMessage", MessageId="other")
