"""What a turn of the relay does with texts, on each database."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from carrier import Carrier
from desk import ANN, BEN, CAT, HOUR, Desk, proxies, proxy

from maskline.domain.keywords import WORDS, Keyword
from maskline.domain.message import Encoding, Reported
from maskline.domain.refusals import Conflict, NotFound
from maskline.operations import Policy, erase_messages, purge_messages
from maskline.sms import intake
from maskline.sms.limits import Limits
from maskline.sms.port import Accepted, Part, Receipt, Refused, TryLater, Unknown
from maskline.sms.turn import Work
from maskline.sms.works import take_turn, tend

PROXY, SECOND = "+19135550199", "+19135550198"
PREMIUM = "+3531520123456"  # by Ireland's numbering plan
DAY = 24 * HOUR


@pytest.fixture
def desk() -> Desk:
    desk = Desk(Policy(carriers=("acme",), text_carriers={"acme"}))
    desk.import_numbers(PROXY, SECOND)
    return desk


@pytest.fixture
def carrier(desk: Desk) -> Carrier:
    return Carrier(desk)


@pytest.fixture
def connector(desk: Desk) -> str:
    return desk.connector()


@pytest.fixture
def number(desk: Desk, connector: str) -> str:
    """The proxy number between Ann and Ben."""
    return proxy(desk.open(connector, ANN, BEN))


def test_a_text_is_relayed_from_the_proxy_number(carrier: Carrier, number: str) -> None:
    verdict = carrier.bring("hello", number)
    (sent,) = carrier.sent
    assert isinstance(verdict, Accepted)
    assert verdict.message_ids == (sent.message_id,)
    assert (sent.source, sent.destination, sent.text) == (number, BEN, "hello")
    carrier.accept()
    carrier.desk.now += 1000
    carrier.report()
    (record,) = carrier.messages()
    assert record["State"] == "Delivered"
    assert (record["SourcePhoneNumber"], record["DialledPhoneNumber"]) == (ANN, number)
    assert (record["RecipientPhoneNumber"], record["ShownPhoneNumber"]) == (BEN, number)
    assert record["EndedTimestamp"] == record["AcceptedTimestamp"] + 1000
    assert (record["Attempts"], record["OutboundSegments"]) == (1, 1)


def test_a_record_says_which_way_a_text_went(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    carrier.bring("and back", number, source=BEN)
    carrier.bring("me, too", number, source=CAT)
    assert [each.get("Direction") for each in carrier.messages()] == [
        "FirstToSecond", "SecondToFirst", None
    ]  # fmt: skip


def test_what_came_to_nobodys_number_is_shown_to_the_operator(carrier: Carrier) -> None:
    carrier.bring("hello", "+12065550199")
    (record,) = carrier.messages()
    assert (record["State"], record["Reason"]) == ("Refused", "not-our-number")
    assert carrier.messages(State="Refused") == [record]
    carrier.desk.account_id = carrier.desk.maskline("CreateAccount", Name="o")["Account"][
        "AccountId"
    ]
    assert carrier.messages() == []


def test_every_change_of_state_is_an_event(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    carrier.accept()
    carrier.report()
    events = carrier.desk.ground.sql(
        "SELECT name, subject, account_id FROM events ORDER BY sequence"
    )
    assert [row["name"] for row in events] == [
        "MessageQueued",
        "MessageAccepted",
        "MessageDelivered",
    ]
    assert {row["subject"] for row in events} == {carrier.sent[0].message_id}


def test_what_a_text_says_is_sealed_and_erased_when_it_is_delivered(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("MARKER hello", number)
    message_id = carrier.sent[0].message_id
    assert "MARKER" not in carrier.desk.ground.dump()
    read = carrier.desk.maskline("GetMessage", MessageId=message_id)["Message"]
    assert read["Text"] == "MARKER hello"
    carrier.accept()
    carrier.report()
    assert "Text" not in carrier.desk.maskline("GetMessage", MessageId=message_id)["Message"]


def test_a_connector_may_keep_what_texts_say_for_some_days(
    carrier: Carrier, connector: str, number: str
) -> None:
    carrier.desk.rule(connector, KeepTextDays=2)
    carrier.bring("hello", number)
    carrier.accept()
    carrier.report()
    message_id = carrier.sent[0].message_id
    for days, kept in ((1.9, True), (0.2, False)):
        carrier.desk.now += int(days * DAY)
        erase_messages(carrier.desk.context(""))
        record = carrier.desk.maskline("GetMessage", MessageId=message_id)["Message"]
        assert ("Text" in record) is kept


def test_what_a_text_says_is_erased_when_nothing_more_will_be_heard(
    carrier: Carrier, connector: str, number: str
) -> None:
    """Over SIP, and where a carrier is not asked for receipts."""
    for days in (0, 2):
        carrier.desk.rule(connector, KeepTextDays=days)
        carrier.bring("hello", number)
        carrier.answer(Accepted(message_ids=()))
        message_id = carrier.sent[-1].message_id
        record = carrier.desk.maskline("GetMessage", MessageId=message_id)["Message"]
        assert (record["State"], "Text" in record) == ("Accepted", days > 0)
    carrier.desk.now += 2 * DAY
    erase_messages(carrier.desk.context(""))
    record = carrier.desk.maskline("GetMessage", MessageId=message_id)["Message"]
    assert "Text" not in record


@pytest.mark.parametrize(
    ("source", "change", "reason"),
    [
        (CAT, {}, "unknown-caller"),
        ("12345", {}, "sender-not-a-number"),
        ("+112", {}, "short-code"),
        ("MyBank", {}, "sender-not-a-number"),
        (SECOND, {}, "loop"),
        (ANN, {"text": ""}, "empty"),
        (ANN, {"text": "", "encoding": Encoding.BINARY}, "not-a-text"),
        (ANN, {"text": "x" * 1531}, "too-long"),
        (ANN, {"destination": "+19135550000"}, "not-our-number"),
        (ANN, {"destination": "12345"}, "not-our-number"),
    ],
)
def test_what_is_not_forwarded_is_recorded(
    carrier: Carrier, number: str, source: str, change: dict[str, Any], reason: str
) -> None:
    asked = {"words": change.get("text", "hello"), "to": number, "source": source}
    more = {name: value for name, value in change.items() if name != "text"}
    verdict = carrier.bring(**asked, **more)
    assert isinstance(verdict, Refused)
    assert verdict.reason == reason
    assert carrier.sent == []
    rows = carrier.desk.ground.sql("SELECT state, reason, sealed_body FROM messages")
    assert [(row["state"], row["reason"], row["sealed_body"]) for row in rows] == [
        ("Refused", reason, None)
    ]


def test_a_closed_session_gets_the_connectors_answer_once_an_hour(
    carrier: Carrier, connector: str
) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    carrier.desk.rule(connector, ClosedReply="This number is no longer in use.")
    carrier.desk.close(session)
    for _ in range(3):
        verdict = carrier.bring("are you there", proxy(session))
        assert isinstance(verdict, Refused)
        assert verdict.reason == "session-closed"
    (reply,) = carrier.sent
    assert (reply.source, reply.destination) == (proxy(session), ANN)
    assert reply.text == "This number is no longer in use."
    carrier.accept()
    carrier.desk.now += HOUR
    carrier.bring("hello?", proxy(session))
    assert len(carrier.sent) == 2
    assert [each["Kind"] for each in carrier.messages()].count("Reply") == 2


def test_no_text_goes_where_the_session_allows_calls_alone(
    carrier: Carrier, connector: str
) -> None:
    session = carrier.desk.open(connector, ANN, BEN, Capabilities=["Voice"])
    verdict = carrier.bring("hello", proxy(session))
    assert isinstance(verdict, Refused)
    assert verdict.reason == "sms-not-allowed"


def test_a_service_number_is_never_answered(carrier: Carrier, connector: str) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    carrier.desk.rule(connector, HelpReply="Ask us.")
    carrier.desk.ground.sql("UPDATE claims SET participant = ? WHERE participant = ?", PREMIUM, ANN)
    carrier.desk.ground.sql("UPDATE proxy_sessions SET first_number = ?", PREMIUM)
    for source in ("MyBank", "+112", "12345", PREMIUM):
        carrier.bring("help", proxy(session), source)
    assert carrier.sent == []


def test_each_participant_has_a_proxy_number(carrier: Carrier, connector: str) -> None:
    carrier.desk.rule(connector, NumberAssignment="per_participant")
    session = carrier.desk.open(connector, ANN, BEN)
    other = carrier.desk.open(connector, ANN, CAT)
    apart = carrier.desk.open(connector, CAT, BEN)
    for one in (session, other, apart):
        shown = proxies(one)
        for source in shown:
            (recipient,) = set(shown) - {source}
            carrier.sent.clear()
            carrier.bring("hello", shown[source], source)
            (sent,) = carrier.sent
            assert (sent.source, sent.destination) == (shown[recipient], recipient)
            carrier.accept(f"{source}{recipient}")


@pytest.mark.parametrize(
    ("caller", "stop", "decision", "reason"),
    [
        (ANN, None, "Connect", "session"),
        (CAT, None, "Reject", "unknown-caller"),
        (SECOND, None, "Reject", "loop"),
        ("+112", None, "Reject", "short-code"),
        (ANN, BEN, "Reject", "opted-out"),
        (BEN, BEN, "Connect", "session"),
    ],
)
def test_what_would_become_of_a_text_can_be_asked(
    carrier: Carrier, number: str, caller: str, stop: str | None, decision: str, reason: str
) -> None:
    if stop:
        carrier.bring("STOP", number, stop)
    answer = carrier.desk.maskline("EvaluateRoute", Caller=caller, Called=number, Capability="SMS")
    assert (answer["Decision"], answer["Reason"]) == (decision, reason)
    # What is told beforehand is what is done.
    verdict = carrier.bring("hello", number, caller)
    assert isinstance(verdict, Accepted) is (decision == "Connect")


def test_no_text_goes_to_a_barred_number(carrier: Carrier, number: str) -> None:
    carrier.desk.policy = replace(carrier.desk.policy, barred_prefixes=("+1401",))
    answer = carrier.desk.maskline("EvaluateRoute", Caller=ANN, Called=number, Capability="SMS")
    verdict = carrier.bring("hello", number)
    assert isinstance(verdict, Refused)
    assert verdict.reason == answer["Reason"] == "barred-number"


def test_no_text_goes_to_a_premium_number(carrier: Carrier, number: str) -> None:
    carrier.desk.ground.sql("UPDATE proxy_sessions SET second_number = ?", PREMIUM)
    answer = carrier.desk.maskline("EvaluateRoute", Caller=ANN, Called=number, Capability="SMS")
    verdict = carrier.bring("hello", number)
    assert isinstance(verdict, Refused)
    assert verdict.reason == answer["Reason"] == "barred-number"


# --- order, room, claims


def test_a_pairs_second_text_waits_for_the_first(carrier: Carrier, number: str) -> None:
    carrier.turn(carrier.text("one", number), carrier.text("two", number))
    carrier.bring("back", number, BEN)
    assert [text.text for text in carrier.sent] == ["one", "back"]
    carrier.turn()
    assert len(carrier.sent) == 2
    carrier.accept("a", carrier.sent[0])
    assert [text.text for text in carrier.sent] == ["one", "back", "two"]


def test_a_text_that_is_to_be_tried_again_holds_up_its_pair(carrier: Carrier, number: str) -> None:
    carrier.bring("one", number)
    carrier.bring("two", number)
    carrier.answer(TryLater(after=60, reason="throttled"))
    carrier.turn()
    assert [text.text for text in carrier.sent] == ["one"]
    carrier.wait(80_000)
    assert [text.text for text in carrier.sent] == ["one", "one"]
    carrier.accept()
    assert [text.text for text in carrier.sent] == ["one", "one", "two"]
    assert carrier.messages()[0]["Attempts"] == 2


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
    carrier.room = 5
    carrier.wait(10)
    assert (len(carrier.sent), carrier.states()) == (1, ["Sending"])


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


def test_a_text_that_was_refused_while_it_waited_holds_nobody_up(
    carrier: Carrier, connector: str, number: str
) -> None:
    session = carrier.desk.open(connector, CAT, BEN)
    carrier.room = 0
    carrier.bring("one", proxy(session), CAT)
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
    session = carrier.desk.open(connector, CAT, BEN)
    carrier.room = 0
    carrier.bring("one", proxy(session), CAT)
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


# --- receipts


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


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ([Reported.ENROUTE], "Accepted"),
        ([Reported.UNKNOWN, Reported.ACCEPTED], "Accepted"),
        ([Reported.UNDELIVERABLE], "Failed"),
        ([Reported.EXPIRED], "Expired"),
        ([Reported.DELIVERED, Reported.UNDELIVERABLE], "Delivered"),
        ([Reported.UNDELIVERABLE, Reported.DELIVERED], "Delivered"),
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


# --- doubt


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


# --- repetitions


def test_an_id_makes_a_repetition_known(carrier: Carrier, number: str) -> None:
    first = carrier.bring("hello", number, message_id="m1")
    again = carrier.bring("hello", number, message_id="m1", connection="c9")
    other = carrier.bring("hello", number, message_id="m2")
    assert first == again != other
    assert len(carrier.states()) == 2
    twice = carrier.text("hello", number, message_id="m3")
    carrier.turn(twice, twice)
    assert len(carrier.states()) == 3


def test_a_person_may_say_the_same_twice(carrier: Carrier, number: str) -> None:
    for _ in range(2):
        carrier.bring("ok", number)
    carrier.turn(carrier.text("ok", number), carrier.text("ok", number))
    assert len(carrier.states()) == 4


def test_what_comes_again_within_one_turn_is_a_repetition_if_the_connection_broke(
    carrier: Carrier, number: str
) -> None:
    carrier.connections = ("c2", "c3")
    first, again = (carrier.text("hello", number, connection=name) for name in ("c1", "c2"))
    done = carrier.turn(first, again)
    assert done.verdicts[0] == done.verdicts[1]
    assert [text.text for text in carrier.sent] == ["hello"]
    assert [(each["State"], each["Reason"]) for each in carrier.messages()] == [
        ("Sending", None),
        ("Refused", "repeated"),
    ]
    # A person may say the same over two binds that stand.
    carrier.turn(*(carrier.text("ok", number, connection=name) for name in ("c2", "c3")))
    assert len(carrier.states()) == 4


def test_what_comes_again_after_the_connection_broke_is_a_repetition(
    carrier: Carrier, number: str
) -> None:
    first = carrier.bring("hello", number)
    carrier.connections = ("c2",)
    carrier.desk.now += HOUR
    assert carrier.bring("hello", number, connection="c2") == first
    assert len(carrier.sent) == 1
    # Who can say that it was no person who said the same twice? So there is a record.
    relayed, repeated = carrier.messages()
    assert (repeated["State"], repeated["Reason"]) == ("Refused", "repeated")
    same = ("SourcePhoneNumber", "DialledPhoneNumber", "ProxySessionId", "VoiceConnectorId")
    assert [repeated[name] for name in same] == [relayed[name] for name in same]
    assert repeated["ReceivedTimestamp"] == relayed["ReceivedTimestamp"] + HOUR


def test_a_repetition_of_what_was_said_twice_is_one_all_the_same(
    carrier: Carrier, number: str
) -> None:
    first = carrier.bring("ok", number)
    carrier.bring("ok", number)
    carrier.connections = ("c2",)
    assert carrier.bring("ok", number, connection="c2") == first
    assert carrier.states() == ["Sending", "Queued", "Refused"]
    events = carrier.desk.ground.sql("SELECT name FROM events WHERE name = 'MessageRefused'")
    assert len(events) == 1


def test_nothing_is_recorded_of_what_is_to_come_again(carrier: Carrier, number: str) -> None:
    carrier.bring("ok", number)
    carrier.desk.now += 20_000
    carrier.turn(what=tend)  # it is seen alive
    carrier.life, carrier.connections = "another.1", ("c3",)
    carrier.bring("ok", number, connection="c3")
    carrier.life, carrier.connections = "node.1", ("c2",)
    verdict = carrier.bring("ok", number, connection="c2")
    assert verdict == TryLater(after=5.0, reason="maybe-repeated")
    assert carrier.states() == ["Sending", "Queued"]


def test_so_is_what_comes_again_after_we_were_killed(carrier: Carrier, number: str) -> None:
    first = carrier.bring("hello", number)
    carrier.restart()
    assert carrier.bring("hello", number, connection="c2") == first


def test_so_is_what_comes_by_another_bind_that_stood_before(carrier: Carrier, number: str) -> None:
    carrier.connections = ("c1", "c2")
    carrier.bring("well", number, connection="c2")
    carrier.desk.now += HOUR // 2
    first = carrier.bring("hello", number, connection="c1")
    carrier.connections = ("c2",)
    assert carrier.bring("hello", number, connection="c2") == first


def test_what_comes_again_by_another_process_is_decided_when_the_first_is_gone(
    carrier: Carrier, number: str
) -> None:
    carrier.life = "another.1"
    first = carrier.bring("hello", number)
    carrier.life, carrier.connections = "node.1", ("c2",)
    for _ in range(2):
        verdict = carrier.bring("hello", number, connection="c2")
        assert verdict == TryLater(after=5.0, reason="maybe-repeated")
        carrier.desk.now += 8_000
    assert carrier.bring("hello", number, connection="c2") == first
    assert (len(carrier.sent), carrier.states()) == (1, ["Sending", "Refused"])


def test_a_person_may_say_the_same_twice_by_two_processes(carrier: Carrier, number: str) -> None:
    carrier.life = "another.1"
    carrier.bring("ok", number)
    for _ in range(4):
        carrier.desk.now += 5_000
        carrier.turn(what=tend)  # it is seen alive
    carrier.life, carrier.connections = "node.1", ("c2",)
    carrier.bring("ok", number, connection="c2")
    assert len(carrier.states()) == 2


def test_no_repetition_is_what_was_surely_answered(carrier: Carrier, number: str) -> None:
    carrier.bring("ok", number)
    carrier.desk.now += 120_000
    carrier.turn(what=tend)  # the connection is seen alive
    carrier.connections = ("c2",)
    carrier.bring("ok", number, connection="c2")
    assert len(carrier.states()) == 2


def test_nor_is_it_if_the_carrier_answered_a_later_request_of_ours(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("yes", number)
    carrier.has_answers_until = carrier.desk.now
    carrier.desk.now += 1
    carrier.bring("ok", number)
    carrier.turn(what=tend)
    carrier.connections, carrier.has_answers_until = ("c2",), 0
    for words in ("yes", "ok"):
        carrier.bring(words, number, connection="c2")
    assert [each["Reason"] for each in carrier.messages()] == [None, None, None, "repeated"]


def test_what_was_refused_is_refused_again(carrier: Carrier, connector: str) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    closed = carrier.desk.open(connector, CAT, "+16025550103")
    carrier.desk.close(closed)
    for text, status in [
        (carrier.text("hello", "+12065550199"), 404),
        (carrier.text("hello", proxy(session), source="+17025550104"), 404),
        (carrier.text("hello", proxy(closed), source=CAT), 404),
        (carrier.text("", proxy(session)), 403),
        (carrier.text("hello", proxy(session), source="ACME"), 403),
        (carrier.text("hello", proxy(session), source=ANN), 429),
    ]:
        if status == 429:
            carrier.limits = Limits(per_sender_minute=1)
            carrier.turn(text)
        named = msgspec.structs.replace(
            text, message_id=f"{text.source} {text.destination} {status}"
        )
        (first,) = carrier.turn(named).verdicts
        assert isinstance(first, Refused)
        assert first.sip_status == status
        assert carrier.turn(named).verdicts == [first]


def test_what_was_refused_only_later_was_accepted(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    first = carrier.bring("more", number, message_id="m1")
    carrier.bring("STOP", number, BEN)
    assert carrier.states() == ["Sending", "Refused", "Handled"]
    assert carrier.bring("more", number, message_id="m1") == first
    assert isinstance(first, Accepted)


def test_of_two_that_come_together_both_are_told_the_same(carrier: Carrier, number: str) -> None:
    twin = carrier.text("hello", number, message_id="m1")
    carrier.full = ("acme",)
    assert carrier.turn(twin, twin).verdicts == [TryLater(reason="queue-full")] * 2
    carrier.full = ()
    first, second = carrier.turn(twin, twin).verdicts
    assert first == second
    assert isinstance(first, Accepted)
    assert first.message_ids
    assert len(carrier.sent) == 1


def test_no_repetition_is_what_comes_long_after_the_carrier_is_back(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("ok", number)
    carrier.connections = ("c2",)
    carrier.bring("well", number, connection="c2")
    carrier.desk.now += 700_000
    carrier.bring("ok", number, connection="c2")
    assert len(carrier.states()) == 3


# --- parts


def test_parts_are_joined_in_their_order(carrier: Carrier, number: str) -> None:
    assert carrier.bring_part("c", number, 3, 3) == Accepted(message_ids=())
    carrier.bring_part("a", number, 1, 3)
    assert carrier.sent == []
    verdict = carrier.bring_part("b", number, 2, 3)
    assert carrier.sent[0].text == "abc"
    assert verdict == Accepted(message_ids=(carrier.sent[0].message_id,))
    (record,) = carrier.messages()
    assert (record["Segments"], record["Partial"]) == (3, False)
    # A repetition of a part changes nothing, even now.
    assert carrier.bring_part("b", number, 2, 3) == verdict
    carrier.wait(DAY // 2)
    assert len(carrier.states()) == 1


def test_the_parts_of_one_turn_are_joined(carrier: Carrier, number: str) -> None:
    carrier.turn(
        *(carrier.text(words, number, part=Part(9, n, 2)) for n, words in ((2, "b"), (1, "a")))
    )
    assert carrier.sent[0].text == "ab"


def test_what_parts_say_is_sealed(carrier: Carrier, number: str) -> None:
    carrier.bring_part("MARKER", number, 1, 2)
    assert "MARKER" not in carrier.desk.ground.dump()


def test_a_part_that_never_comes_is_marked(carrier: Carrier, number: str) -> None:
    carrier.bring_part("b", number, 2, 4)
    carrier.bring_part("c", number, 3, 4)
    carrier.wait(599_000)
    assert carrier.sent == []
    carrier.wait(1_000)
    assert carrier.sent[0].text == "[...]bc[...]"
    (record,) = carrier.messages()
    assert (record["Segments"], record["Partial"]) == (2, True)


def test_parts_that_come_after_all_are_a_text_of_their_own(carrier: Carrier, number: str) -> None:
    carrier.bring_part("b", number, 2, 4)
    carrier.wait(600_000)
    carrier.accept()
    first = carrier.sent[0]
    assert carrier.bring_part("a", number, 1, 4) == Accepted(message_ids=())
    carrier.bring_part("d", number, 4, 4)
    verdict = carrier.bring_part("c", number, 3, 4)
    assert [text.text for text in carrier.sent] == ["[...]b[...]", "a[...]cd"]
    assert verdict == Accepted(message_ids=(carrier.sent[1].message_id,))
    records = [(each["Segments"], each["Partial"]) for each in carrier.messages()]
    assert records == [(1, True), (3, True)]
    # Each part knows the text that it went into.
    assert carrier.bring_part("b", number, 2, 4) == Accepted(message_ids=(first.message_id,))
    assert carrier.bring_part("d", number, 4, 4) == verdict


def test_the_rest_of_a_partial_text_may_be_partial_too(carrier: Carrier, number: str) -> None:
    for part, words in ((1, "a"), (2, "b")):
        carrier.bring_part(words, number, part, 3)
        carrier.wait(600_000)
        carrier.accept(words)
    carrier.bring_part("c", number, 3, 3)
    assert [text.text for text in carrier.sent] == ["a[...]", "[...]b[...]", "[...]c"]


def test_a_reference_may_be_used_again(carrier: Carrier, number: str) -> None:
    carrier.bring_part("a", number, 1, 2)
    carrier.bring_part("b", number, 2, 2)
    carrier.accept()
    carrier.bring_part("c", number, 1, 2)
    carrier.bring_part("d", number, 2, 2)
    assert [text.text for text in carrier.sent] == ["ab", "cd"]
    carrier.accept("id-2")
    carrier.bring_part("x", number, 1, 2, reference=8)
    carrier.bring_part("y", number, 1, 2, reference=8)
    carrier.bring_part("z", number, 2, 2, reference=8)
    carrier.accept("id-3")
    carrier.turn()
    assert [text.text for text in carrier.sent] == ["ab", "cd", "x[...]", "yz"]


# --- STOP, START, HELP


def test_stop_ends_texts_to_whoever_said_it(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    carrier.bring("more", number)
    assert isinstance(carrier.bring("Stop.", number, BEN), Accepted)
    carrier.accept()
    verdict = carrier.bring("and more", number)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "opted-out"
    assert [text.text for text in carrier.sent] == ["hello"]
    assert carrier.states() == ["Accepted", "Refused", "Handled", "Refused"]
    (opt_out,) = carrier.desk.maskline("ListOptOuts")["OptOuts"]
    assert opt_out["ParticipantPhoneNumber"] == BEN
    # The other way it still goes, and START takes it back.
    carrier.bring("well", number, BEN)
    assert carrier.sent[-1].text == "well"
    carrier.bring("START", number, BEN)
    carrier.bring("hi", number)
    assert carrier.sent[-1].text == "hi"


def test_stop_holds_for_what_would_be_sent_again(
    carrier: Carrier, connector: str, number: str
) -> None:
    """What waits, what is in doubt, and what is under way and comes back."""
    session = carrier.desk.open(connector, CAT, BEN)
    carrier.bring("one", number)
    carrier.bring("two", number)
    carrier.answer(Unknown(reason="link-lost"))
    carrier.bring("STOP", number, BEN)
    assert carrier.states() == ["InDoubt", "Refused", "Handled"]
    carrier.wait(61_000)
    assert carrier.states() == ["Refused", "Refused", "Handled"]
    carrier.bring("three", proxy(session), CAT)
    carrier.bring("STOP", proxy(session), BEN)
    carrier.answer(TryLater(after=1, reason="busy"))
    carrier.wait(60_000)
    assert [text.text for text in carrier.sent] == ["one", "three"]
    assert carrier.states()[3] == "Refused"
    # Their words are of no use to anybody.
    bodies = carrier.desk.ground.sql("SELECT sealed_body FROM messages")
    assert [row["sealed_body"] for row in bodies] == [None] * 5


def test_what_was_in_doubt_when_somebody_said_stop_may_have_been_delivered(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("hello", number)
    carrier.answer(Unknown(reason="link-lost"))
    carrier.bring("STOP", number, BEN)
    carrier.report("id-1", source=number, destination=BEN)
    assert carrier.states() == ["Delivered", "Handled"]


def test_stop_is_heeded_beyond_the_senders_limit(carrier: Carrier, number: str) -> None:
    carrier.limits = Limits(per_sender_minute=1)
    carrier.bring("one", number, BEN)
    verdict = carrier.bring("two", number, BEN)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "rate-limited"
    carrier.bring("STOP", number, BEN)
    assert carrier.states()[-1] == "Handled"


def test_who_said_stop_is_told_nothing_about_a_session(carrier: Carrier, connector: str) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    carrier.desk.rule(connector, ClosedReply="This number is no longer in use.")
    carrier.bring("STOP", proxy(session))
    carrier.desk.close(session)
    carrier.bring("are you there", proxy(session))
    assert carrier.sent == []


@pytest.mark.parametrize(
    ("language", "keyword", "word"),
    [
        (language, keyword, word)
        for language, words in WORDS.items()
        for keyword, some in words.items()
        for word in sorted(some)
    ],
)
def test_the_keywords_of_each_language(
    carrier: Carrier, connector: str, number: str, language: str, keyword: Keyword, word: str
) -> None:
    languages = [language] if language != "en" else []
    carrier.desk.rule(connector, KeywordLanguages=languages, HelpReply="Ask us.")
    if keyword is Keyword.START:
        carrier.bring("stop", number)
    carrier.bring(f" {word.upper()}! ", number)
    record = [each for each in carrier.messages() if each["Kind"] == "Relayed"][-1]
    assert (record["State"], record["Reason"]) == ("Handled", keyword.value)
    opted_out = carrier.desk.maskline("ListOptOuts")["OptOuts"]
    assert len(opted_out) == (keyword is Keyword.STOP)


def test_stop_holds_within_one_turn(carrier: Carrier, number: str) -> None:
    carrier.turn(
        carrier.text("one", number),
        carrier.text("STOP", number, BEN),
        carrier.text("two", number),
    )
    assert carrier.sent == []
    assert carrier.states() == ["Refused", "Handled", "Refused"]


def test_the_operator_may_take_a_stop_back(carrier: Carrier, number: str) -> None:
    carrier.bring("unsubscribe", number, BEN)
    with pytest.raises(NotFound):
        carrier.desk.maskline("RemoveOptOut", ParticipantPhoneNumber=ANN, ProxyPhoneNumber=number)
    carrier.desk.maskline("RemoveOptOut", ParticipantPhoneNumber=BEN, ProxyPhoneNumber=number)
    assert carrier.desk.maskline("ListOptOuts") == {"OptOuts": []}
    carrier.bring("hello", number)
    assert carrier.sent[-1].destination == BEN


def test_yes_is_a_word_like_any_other_to_those_who_never_said_stop(
    carrier: Carrier, number: str
) -> None:
    for words in ("yes", "help", "arrêt"):
        carrier.bring(words, number)
        carrier.accept(words)
    assert [text.text for text in carrier.sent] == ["yes", "help", "arrêt"]


def test_keywords_of_other_languages_and_replies_are_the_connectors_choice(
    carrier: Carrier, connector: str, number: str
) -> None:
    carrier.desk.rule(
        connector, KeywordLanguages=["fr"], StopReply="Fini.", HelpReply="Aide : 0 800."
    )
    carrier.bring("Arrêt", number)
    assert [(text.text, text.destination) for text in carrier.sent] == [("Fini.", ANN)]
    carrier.accept()
    carrier.bring("aide", number, BEN)
    assert carrier.sent[-1].text == "Aide : 0 800."
    assert carrier.states() == ["Handled", "Accepted", "Handled", "Sending"]


# --- limits


def test_a_sender_may_send_so_many_a_minute(carrier: Carrier, number: str) -> None:
    carrier.limits = Limits(per_sender_minute=3)
    verdicts = [carrier.bring(f"{n}", number) for n in range(5)]
    assert [isinstance(each, Accepted) for each in verdicts] == [True, True, True, False, False]
    assert isinstance(carrier.bring("other", number, BEN), Accepted)
    carrier.desk.now += 20_000
    assert isinstance(carrier.bring("later", number), Accepted)


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


# --- records


def test_texts_are_listed_by_session_and_state(carrier: Carrier, connector: str) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    carrier.bring("one", proxy(session))
    carrier.bring("two", proxy(session), BEN)
    carrier.bring("three", proxy(session), CAT)
    carrier.accept("a", carrier.sent[0])
    session_id = session["ProxySessionId"]
    assert len(carrier.messages(ProxySessionId=session_id)) == 2
    assert len(carrier.messages(ProxySessionId=session_id, State="Accepted")) == 1
    assert len(carrier.messages(State="Sending")) == 1
    assert len(carrier.messages(State="Refused")) == 1
    page = carrier.desk.maskline("ListMessages", MaxResults=2)
    rest = carrier.desk.maskline("ListMessages", NextToken=page["NextToken"])
    assert len(page["Messages"]) + len(rest["Messages"]) == 3


def test_texts_are_listed_by_time(carrier: Carrier, number: str) -> None:
    moments = []
    for words in ("one", "two", "three"):
        moments.append(carrier.desk.now)
        carrier.bring(words, number, CAT)
        carrier.desk.now += 5 * HOUR
    for filters in ({}, {"State": "Refused"}):
        found = carrier.messages(ReceivedFrom=moments[1], ReceivedUntil=moments[2], **filters)
        assert [record["ReceivedTimestamp"] for record in found] == [moments[1]]
    assert len(carrier.messages(ReceivedFrom=moments[1])) == 2
    assert len(carrier.messages(ReceivedUntil=moments[1])) == 1


def test_old_records_are_deleted_with_all_that_was_remembered(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("hello", number)
    carrier.accept()
    carrier.report()
    carrier.report("stray")
    carrier.bring_part("a", number, 1, 1)
    carrier.desk.now += 100 * DAY
    carrier.turn(what=tend)
    purge_messages(carrier.desk.context(""))
    for table in ("messages", "message_segments", "early_receipts", "events"):
        (row,) = carrier.desk.ground.sql(f"SELECT count(*) AS many FROM {table}")
        assert (table, row["many"]) == (table, 2 if table == "events" else 0)


def test_receipts_are_answered_like_texts(carrier: Carrier, number: str) -> None:
    receipt = Receipt(carrier="acme", message_id="?", state=Reported.DELIVERED, at=0)
    done = carrier.turn(receipt, carrier.text("hello", number), receipt)
    assert done.verdicts[0] == done.verdicts[2] == Accepted(message_ids=())
    assert done.verdicts[1] == Accepted(message_ids=(carrier.sent[0].message_id,))
