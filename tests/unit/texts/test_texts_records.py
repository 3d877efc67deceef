"""What is listed, and what is deleted, on each database."""

import base64
from functools import partial

import pytest
from carrier import Carrier
from desk import ANN, BEN, CAT, Desk, proxy

from maskline.clock import DAY, HOUR
from maskline.domain.message import Reported
from maskline.domain.refusals import Conflict
from maskline.operations import messages, purge_messages
from maskline.operations.messages import PIECE
from maskline.sms.port import Accepted, Receipt
from maskline.sms.works import tend


def test_texts_are_listed_by_session_and_state(carrier: Carrier, connector: str) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    carrier.bring("one", proxy(session))
    carrier.bring("two", proxy(session), BEN)
    carrier.bring("three", proxy(session), CAT)
    carrier.accept("a", carrier.sent[0])
    session_id = session["ProxySessionId"]
    told = {(one["VoiceConnectorId"], one["Encoding"]) for one in carrier.messages(State="Sending")}
    assert told == {(connector, "GSM")}
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


def test_a_text_whose_last_part_came_late_hides_no_other(carrier: Carrier, number: str) -> None:
    """Where parts are waited for that long (`parts_timeout_seconds`)."""
    carrier.set_texts(parts_milliseconds=DAY)
    carrier.bring_part("a", number, 1, 2, source=CAT)
    carrier.desk.now += 2 * HOUR
    meanwhile = carrier.desk.now
    carrier.bring("meanwhile", number, CAT)
    carrier.desk.now += HOUR
    carrier.bring_part("b", number, 2, 2, source=CAT)
    for filters in ({}, {"State": "Refused"}):
        found = carrier.messages(ReceivedFrom=meanwhile - HOUR // 2, **filters)
        assert meanwhile in [record["ReceivedTimestamp"] for record in found]


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


@pytest.mark.parametrize("sealed", [base64.b64encode(b"x" * 40).decode(), "AAAA", "", "é"])
def test_a_text_whose_key_is_gone_fails_and_it_is_told_why_nobody_can_read_it(
    carrier: Carrier, number: str, sealed: str
) -> None:
    carrier.room = 0
    carrier.bring("hello", number)
    carrier.desk.ground.sql(f"UPDATE messages SET sealed_body = '{sealed}'")
    carrier.room = 100
    carrier.turn()
    assert carrier.sent == []
    (message,) = carrier.messages()
    assert (message["State"], message["Reason"]) == ("Failed", "unreadable")
    for operation in ("GetMessage", "RetryMessage"):
        with pytest.raises(Conflict, match="cannot be read"):
            carrier.desk.maskline(operation, MessageId=message["MessageId"])


def test_an_id_that_is_given_again_keeps_no_others(desk: Desk) -> None:
    """A carrier that begins to count anew renews the oldest row: it is young then."""
    segment = partial(desk.tx.run, "insert_segment", message_id="m")
    segment(carrier="acme", sent_id="0001", sent_at=desk.now)
    for _ in range(PIECE):
        segment(carrier="other", sent_id=desk.context().new_id(), sent_at=desk.now)
    desk.now += 100 * DAY
    segment(carrier="acme", sent_id="0001", sent_at=desk.now)
    while purge_messages(desk.context("")):
        pass
    left = desk.ground.sql("SELECT sent_id FROM message_segments")
    assert [row["sent_id"] for row in left] == ["0001"]


OLD = {
    "early_receipts": "carrier, sent_id, reported, reported_at, kept_at, whole) VALUES"
    " ('acme', ?, 'Delivered', 1, 1, 0",
    "unanswered_submits": "shown, recipient, message_id, doubted_at) VALUES ('a', 'b', ?, 1",
    "text_connections": "connection, opened_at, seen_at) VALUES (?, 1, 1",
    "text_replies": "participant, proxy_number, replied_at) VALUES (?, 'b', 1",
    "message_parts": "carrier, source, destination, reference, total, number, encoding, repeat_key,"
    " message_id, received_at) VALUES ('acme', ?, 'b', 1, 2, 1, 'GSM', 'k', 'm', 1",
}


@pytest.mark.parametrize("table", OLD)
def test_what_is_remembered_of_texts_is_deleted_in_pieces(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """After some days for which the service was stopped, calls would wait until all is gone."""
    monkeypatch.setattr(messages, "PIECE", 2)
    for number in range(5):
        desk.ground.sql(f"INSERT INTO {table} ({OLD[table]})", f"{number}")
    left = []
    while purge_messages(desk.context("")):
        (row,) = desk.ground.sql(f"SELECT count(*) AS many FROM {table}")
        left.append(row["many"])
    assert left == [3, 1, 0]


def test_events_of_a_clock_that_was_ahead_keep_no_others(desk: Desk) -> None:
    """They come first, and are young for years."""
    event = partial(desk.tx.run, "insert_event", account_id=desk.account_id, name="MessageQueued")
    for _ in range(PIECE):
        event(subject="ahead", happened_at=desk.now + 10 * 365 * DAY)
    event(subject="old", happened_at=desk.now)
    desk.now += 29 * DAY
    event(subject="young", happened_at=desk.now)
    event(subject="a moment ahead", happened_at=desk.now + 1000)
    desk.now += DAY
    while purge_messages(desk.context("")):
        pass
    left = desk.ground.sql("SELECT subject FROM events ORDER BY sequence")
    assert [row["subject"] for row in left] == ["young", "a moment ahead"]


def test_receipts_are_answered_like_texts(carrier: Carrier, number: str) -> None:
    receipt = Receipt(carrier="acme", message_id="?", state=Reported.DELIVERED, at=0)
    done = carrier.turn(receipt, carrier.text("hello", number), receipt)
    assert done.verdicts[0] == done.verdicts[2] == Accepted(message_ids=())
    assert done.verdicts[1] == Accepted(message_ids=(carrier.sent[0].message_id,))
