"""Long texts, which come in parts, on each database."""

from carrier import Carrier
from desk import ANN, BEN, CAT, proxy

from maskline.clock import DAY, HOUR, MINUTE
from maskline.sms.port import Accepted, Part


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


def test_a_reference_may_be_used_again_for_a_text_that_begins_alike(
    carrier: Carrier, number: str
) -> None:
    """Some senders give all their long texts the same reference."""
    for place, ending in enumerate(("one", "one", "two")):
        carrier.wait(11 * MINUTE)
        carrier.bring_part("hello ", number, 1, 2)
        carrier.bring_part(ending, number, 2, 2)
        carrier.accept(f"id-{place}")
    assert [text.text for text in carrier.sent] == ["hello one", "hello one", "hello two"]


def test_a_person_may_say_the_same_twice_at_length_under_one_reference(
    carrier: Carrier, number: str
) -> None:
    """Its carrier has our answers: the connection has stood for a minute since."""
    for place in range(2):
        carrier.bring_part("hello ", number, 1, 2)
        carrier.bring_part("again", number, 2, 2)
        carrier.accept(f"id-{place}")
        carrier.wait(3 * MINUTE)
    assert [text.text for text in carrier.sent] == ["hello again"] * 2


def test_a_part_that_a_phone_tries_again_is_none_of_a_later_text(
    carrier: Carrier, number: str
) -> None:
    carrier.bring_part("a", number, 1, 2)
    verdict = carrier.bring_part("b", number, 2, 2)
    carrier.accept()
    carrier.has_answers_until = carrier.desk.now
    carrier.wait(2 * MINUTE)
    assert carrier.bring_part("b", number, 2, 2) == verdict
    carrier.wait(HOUR)
    assert [text.text for text in carrier.sent] == ["ab"]


def test_a_part_whose_answer_was_lost_with_its_connection_comes_again_later(
    carrier: Carrier, number: str
) -> None:
    carrier.bring_part("a", number, 1, 2)
    verdict = carrier.bring_part("b", number, 2, 2)
    carrier.accept()
    carrier.connections = ("c2",)
    carrier.wait(9 * MINUTE)
    assert carrier.bring_part("b", number, 2, 2, connection="c2") == verdict
    carrier.wait(HOUR)
    assert [text.text for text in carrier.sent] == ["ab"]


def test_a_carrier_that_is_back_repeats_parts_of_long_ago(carrier: Carrier, number: str) -> None:
    carrier.bring_part("a", number, 1, 2)
    verdict = carrier.bring_part("b", number, 2, 2)
    carrier.accept()
    carrier.desk.now += HOUR
    carrier.restart()
    assert carrier.bring_part("b", number, 2, 2, connection="c2") == verdict
    carrier.wait(11 * MINUTE)
    assert [text.text for text in carrier.sent] == ["ab"]


def test_a_part_whose_numbers_mean_nothing_is_a_text_of_its_own(
    carrier: Carrier, number: str
) -> None:
    for part, total in ((1, 1), (0, 2), (3, 2), (-1, 2), (1, 0), (1, 256)):
        verdict = carrier.bring_part(f"{part} of {total}", number, part, total)
        assert carrier.sent[-1].text == f"{part} of {total}"
        assert verdict == Accepted(message_ids=(carrier.sent[-1].message_id,))
        carrier.accept()


def test_a_long_text_that_was_begun_in_another_session_reaches_nobody_else(
    carrier: Carrier, connector: str
) -> None:
    """By the time the last part comes, or does not, the number may mean somebody else."""
    session = carrier.desk.open(connector, ANN, BEN)
    number = proxy(session)
    carrier.bring_part("for Ben ", number, 1, 2)
    carrier.bring_part("and this", number, 1, 2, reference=8)
    carrier.desk.now += MINUTE
    carrier.desk.close(session)
    others = [carrier.desk.open(connector, ANN, other) for other in (CAT, "+13035550103")]
    assert number in map(proxy, others)
    carrier.bring_part("alone", number, 2, 2)
    carrier.wait(10 * MINUTE)
    assert carrier.sent == []
    assert [each["Reason"] for each in carrier.messages()] == ["unknown-caller"] * 2
