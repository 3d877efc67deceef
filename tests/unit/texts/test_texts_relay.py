"""What is relayed, to whom, and what is refused, on each database."""

from dataclasses import replace
from typing import Any

import pytest
from carrier import Carrier
from desk import ANN, BEN, CAT, proxies, proxy

from maskline.clock import DAY, HOUR
from maskline.domain.message import Encoding
from maskline.domain.refusals import Conflict
from maskline.operations import erase_messages
from maskline.sms.port import Accepted, Refused

SECOND = "+19135550198"
PREMIUM = "+3531520123456"  # by Ireland's numbering plan


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
    carrier.desk.account_id = carrier.desk.tenant()
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


@pytest.mark.parametrize("sealed", ["bm90IHNlYWxlZCB1bmRlciB0aGlzIGtleQ==", "x"])
def test_what_cannot_be_read_any_more_is_told(carrier: Carrier, number: str, sealed: str) -> None:
    """The key was lost and another one made, say."""
    carrier.bring("hello", number)
    carrier.desk.ground.sql("UPDATE messages SET sealed_body = ? RETURNING message_id", sealed)
    message_id = carrier.sent[0].message_id
    with pytest.raises(Conflict, match="sealed under another key"):
        carrier.desk.maskline("GetMessage", MessageId=message_id)
    assert [each["MessageId"] for each in carrier.messages()] == [message_id]


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
        (ANN, {"to_group": True}, "group"),
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


@pytest.mark.parametrize(
    ("late", "reaches"),
    [
        (None, True),
        (0, True),
        (60_000, True),  # clocks differ
        (-HOUR, True),
        (61_000, False),
        (HOUR, False),
        (8 * DAY, True),  # that is no time
    ],
)
def test_a_text_that_its_carrier_brings_late_reaches_nobody_of_a_later_session(
    carrier: Carrier, connector: str, late: int | None, reaches: bool
) -> None:
    """The carrier could not bring it, and its reader's session ended meanwhile."""
    number = proxy(carrier.desk.open(connector, ANN, CAT))
    sent_at = None if late is None else carrier.desk.now - late
    verdict = carrier.bring("for Ben", number, sent_at=sent_at)
    assert isinstance(verdict, Accepted) is reaches
    assert [text.destination for text in carrier.sent] == [CAT] * reaches


def test_stop_is_heeded_also_when_it_is_said_to_a_group(carrier: Carrier, number: str) -> None:
    carrier.bring("STOP", number, BEN, to_group=True)
    assert carrier.states() == ["Handled"]
    verdict = carrier.bring("hello", number)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "opted-out"


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


def test_a_text_from_another_accounts_number_is_one_of_a_stranger(
    carrier: Carrier, number: str
) -> None:
    """Whoever can send texts in any name would else find out which numbers are ours."""
    desk, others = carrier.desk, "+19135550197"
    desk.import_numbers(others, AccountId=desk.tenant())
    answer = desk.maskline("EvaluateRoute", Caller=others, Called=number, Capability="SMS")
    verdict = carrier.bring("hello", number, others)
    assert isinstance(verdict, Refused)
    assert (verdict.reason, verdict.sip_status) == ("unknown-caller", 404)
    assert answer["Reason"] == verdict.reason


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
