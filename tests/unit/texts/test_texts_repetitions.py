"""Texts that a carrier brings again, on each database."""

import msgspec
from carrier import Carrier
from desk import ANN, BEN, CAT, proxy

from maskline.clock import DAY, HOUR
from maskline.sms.limits import Limits
from maskline.sms.port import Accepted, Refused, TryLater
from maskline.sms.works import tend


def test_an_id_makes_a_repetition_known(carrier: Carrier, number: str) -> None:
    first = carrier.bring("hello", number, message_id="m1")
    again = carrier.bring("hello", number, message_id="m1", connection="c9")
    other = carrier.bring("hello", number, message_id="m2")
    assert first == again != other
    assert len(carrier.states()) == 2
    twice = carrier.text("hello", number, message_id="m3")
    carrier.turn(twice, twice)
    assert len(carrier.states()) == 3


def test_an_id_is_known_as_long_as_its_record_is_kept(carrier: Carrier, connector: str) -> None:
    """A callback that somebody has got hold of must reach nobody later, in another session."""
    text = carrier.text("hello", proxy(carrier.desk.open(connector, ANN, BEN)), message_id="m1")
    carrier.turn(text)
    carrier.desk.now += 30 * DAY
    later = {proxy(carrier.desk.open(connector, ANN, CAT)) for _ in range(2)}
    assert text.destination in later
    carrier.turn(msgspec.structs.replace(text, received_at=carrier.desk.now))
    assert [each.destination for each in carrier.sent] == [BEN]


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
        (carrier.text("hello", proxy(session), source=ANN), 480),
    ]:
        if status == 480:
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
