"""The session of a bind: every state, every hostile peer, no socket and no clock."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.sms.smpp import codes, session
from maskline.sms.smpp.pdu import HEADER, Bind, BindResp, Data, ShortMessage, pdu
from maskline.sms.smpp.session import Answered, Arrived, Bound, Ended, Session, Unanswered
from maskline.sms.smpp.states import State

TIMERS = session.Timers(bind=10, response=20, enquire_link=30, inactivity=100)
MESSAGE = ShortMessage(source_addr="1", destination_addr="2", short_message=b"hi")
MODES = [codes.BIND_TRANSMITTER, codes.BIND_RECEIVER, codes.BIND_TRANSCEIVER]
Sent = list[tuple[int, int, int, bytes]]


def sent(one: Session) -> Sent:
    """What the session sends, as (command, status, sequence, body)."""
    octets, found = one.outgoing(), []
    while octets:
        length, command_id, status, sequence = HEADER.unpack_from(octets)
        found.append((command_id, status, sequence, octets[16:length]))
        octets = octets[length:]
    return found


def started(mode: int = codes.BIND_TRANSCEIVER) -> Session:
    one = Session(mode, Bind("maskline", "secret"), TIMERS, now=0.0)
    one.start(0.0)
    assert [command for command, _, _, _ in sent(one)] == [mode]
    return one


def bound(mode: int = codes.BIND_TRANSCEIVER) -> Session:
    one = started(mode)
    answer = pdu(mode | codes.RESPONSE, 1, BindResp("carrier").write())
    assert one.receive(answer, 1.0) == [Bound("carrier")]
    return one


def test_a_bind_says_who_we_are() -> None:
    one = Session(codes.BIND_RECEIVER, Bind("maskline", "secret"), TIMERS, now=0.0)
    assert one.state is State.OPEN
    one.start(0.0)
    [(command, status, sequence, body)] = sent(one)
    assert (command, status, sequence) == (codes.BIND_RECEIVER, 0, 1)
    assert Bind.read(body) == Bind("maskline", "secret")


@pytest.mark.parametrize(
    ("mode", "state", "submitting"),
    [
        (codes.BIND_TRANSMITTER, State.BOUND_TX, True),
        (codes.BIND_RECEIVER, State.BOUND_RX, False),
        (codes.BIND_TRANSCEIVER, State.BOUND_TRX, True),
    ],
)
def test_binds(mode: int, state: State, submitting: bool) -> None:
    one = bound(mode)
    assert (one.state, one.submitting, one.bound) == (state, submitting, True)
    assert one.due() == 31.0  # then the carrier is asked whether it lives
    assert not started(mode).bound


@pytest.mark.parametrize("state", ["open", "binding", "unbinding"])
def test_before_and_after_a_bind_the_carrier_may_ask_whether_we_live(state: str) -> None:
    one = Session(codes.BIND_TRANSMITTER, Bind("maskline", "secret"), TIMERS, now=0.0)
    if state == "binding":
        one = started()
    elif state == "unbinding":
        one = bound()
        one.unbind(2.0)
    one.outgoing()
    assert one.receive(pdu(codes.ENQUIRE_LINK, 7, b"") + pdu(codes.OUTBIND, 8, b""), 3.0) == []
    assert sent(one) == [(codes.ENQUIRE_LINK_RESP, 0, 7, b"")]
    assert one.receive(pdu(codes.DELIVER_SM, 9, MESSAGE.write()), 3.0) == []
    status = codes.ESME_RINVBNDSTS if state == "open" else codes.ESME_RX_T_APPN
    assert sent(one) == [(codes.DELIVER_SM_RESP, status, 9, b"\0")]


def test_who_is_not_bound_asks_nothing() -> None:
    one = Session(codes.BIND_TRANSMITTER, Bind("maskline", "secret"), TIMERS, now=0.0)
    assert one.tick(50.0) == []
    assert sent(one) == []
    assert one.tick(100.0) == [Ended("silence")]


def test_what_else_is_overdue_is_told_with_the_end() -> None:
    one = bound()
    one.submit(codes.SUBMIT_SM, b"", "token", 2.0)
    one.unbind(3.0)
    assert one.tick(23.0) == [Unanswered("token"), Ended("no answer to unbind")]
    one = bound()
    one.submit(codes.SUBMIT_SM, b"", "token", 80.5)
    assert one.tick(101.0) == [Unanswered("token"), Ended("silence")]


@pytest.mark.parametrize("command", [codes.BIND_TRANSCEIVER_RESP, codes.GENERIC_NACK])
def test_a_refused_bind_ends_with_its_status(command: int) -> None:
    one = started()
    events = one.receive(pdu(command, 1, b"", codes.ESME_RINVPASWD), 1.0)
    assert events == [Ended("the carrier refused the bind", codes.ESME_RINVPASWD)]
    assert one.closed


def test_a_bind_without_answer_ends() -> None:
    one = started()
    assert one.due() == 10.0
    assert one.tick(9.9) == []
    assert one.tick(10.0) == [Ended("no answer to bind_transceiver")]


def test_an_answer_to_another_bind_is_none() -> None:
    one = started()
    assert one.receive(pdu(codes.BIND_RECEIVER_RESP, 1, b"x\0"), 1.0) == []
    assert one.receive(pdu(codes.BIND_TRANSCEIVER_RESP, 2, b"x\0"), 1.0) == []
    assert one.state is State.BINDING


def test_an_odd_answer_to_a_bind_binds() -> None:
    """Some carriers leave the body out, some write a longer name than there may be."""
    for body in (b"", b"a" * 40):
        one = started()
        assert one.receive(pdu(codes.BIND_TRANSCEIVER_RESP, 1, body), 1.0) == [Bound("")]


def test_submits_are_answered() -> None:
    one = bound()
    for token in "abc":
        one.submit(codes.SUBMIT_SM, MESSAGE.write(), token, 2.0)
    assert [(command, sequence) for command, _, sequence, _ in sent(one)] == [
        (codes.SUBMIT_SM, 2), (codes.SUBMIT_SM, 3), (codes.SUBMIT_SM, 4)
    ]  # fmt: skip
    assert one.under_way == 3
    answers = (
        pdu(codes.SUBMIT_SM_RESP, 4, b"id4\0")
        + pdu(codes.SUBMIT_SM_RESP, 2, b"", codes.ESME_RTHROTTLED)
        + pdu(codes.GENERIC_NACK, 3, b"", codes.ESME_RINVCMDID)
    )
    assert one.receive(answers, 3.0) == [
        Answered("c", 0, "id4"),
        Answered("a", codes.ESME_RTHROTTLED, ""),
        Answered("b", codes.ESME_RINVCMDID, ""),
    ]
    assert one.under_way == 0


def test_an_answer_tells_that_what_we_wrote_before_was_read() -> None:
    one = bound()
    at_bind = one.read_until
    one.submit(codes.SUBMIT_SM, b"a", "first", 5.0)
    one.submit(codes.SUBMIT_SM, b"b", "second", 6.0)
    assert one.read_until == at_bind < 5.0
    second = pdu(codes.SUBMIT_SM_RESP, 3, b"id\0")
    first = pdu(codes.GENERIC_NACK, 2, b"", codes.ESME_RSYSERR)
    one.receive(second, 7.0)
    assert one.read_until == 6.0
    one.receive(first, 8.0)
    assert one.read_until == 6.0
    one.tick(100.0)  # it is asked whether it lives
    one.receive(pdu(codes.ENQUIRE_LINK_RESP, 4), 101.0)
    assert one.read_until == 100.0


def test_wrong_answers_change_nothing() -> None:
    one = bound()
    one.submit(codes.SUBMIT_SM, MESSAGE.write(), "a", 2.0)
    for command, sequence in [
        (codes.SUBMIT_SM_RESP, 3), (codes.ENQUIRE_LINK_RESP, 2), (codes.DATA_SM_RESP, 2),
        (codes.BIND_TRANSCEIVER_RESP, 1), (0x80000077, 2),
    ]:  # fmt: skip
        assert one.receive(pdu(command, sequence, b"\0"), 2.0) == []
    assert one.receive(pdu(codes.GENERIC_NACK, 0, b"", codes.ESME_RSYSERR), 2.0) == []
    assert one.under_way == 1
    sent(one)
    assert one.receive(pdu(codes.SUBMIT_SM_RESP, 2, b"x\0"), 2.0) == [Answered("a", 0, "x")]
    assert one.receive(pdu(codes.SUBMIT_SM_RESP, 2, b"x\0"), 2.0) == []  # twice
    assert sent(one) == []  # nobody answers an answer


def test_a_generic_nack_is_no_success_whatever_status_it_has() -> None:
    one = bound()
    one.submit(codes.SUBMIT_SM, MESSAGE.write(), "a", 2.0)
    nack = pdu(codes.GENERIC_NACK, 2, b"", codes.ESME_ROK)
    assert one.receive(nack, 3.0) == [Answered("a", codes.ESME_RUNKNOWNERR, "")]
    other = started()
    assert other.receive(pdu(codes.GENERIC_NACK, 1, b"", codes.ESME_ROK), 1.0) == [
        Ended("the carrier refused the bind", codes.ESME_RUNKNOWNERR)
    ]


def test_a_late_answer_is_told_as_late() -> None:
    one = bound()
    one.submit(codes.SUBMIT_SM, MESSAGE.write(), "a", 2.0)
    one.submit(codes.SUBMIT_SM, MESSAGE.write(), "b", 5.0)
    assert one.due() == 22.0
    assert one.tick(22.0) == [Unanswered("a")]
    assert one.under_way == 1
    assert one.due() == 25.0
    late = pdu(codes.SUBMIT_SM_RESP, 2, b"x\0")
    assert one.receive(late, 23.0) == [Answered("a", 0, "x", late=True)]
    assert one.receive(late, 23.0) == []


def test_an_unreadable_id_is_an_answer_all_the_same() -> None:
    one = bound()
    one.submit(codes.SUBMIT_SM, MESSAGE.write(), "a", 2.0)
    assert one.receive(pdu(codes.SUBMIT_SM_RESP, 2, b"x" * 99), 3.0) == [Answered("a", 0, "")]


@pytest.mark.parametrize("body", [b"x1\0", b"x1", b"x1\0\0", b"x1\0\x04\x24\0\x09abc"])
def test_an_id_is_read_whatever_follows_it(body: bytes) -> None:
    one = bound()
    one.submit(codes.SUBMIT_SM, MESSAGE.write(), "a", 2.0)
    assert one.receive(pdu(codes.SUBMIT_SM_RESP, 2, body), 3.0) == [Answered("a", 0, "x1")]


def test_tokens_of_a_lost_session_are_given_back_once() -> None:
    one = bound()
    for token in "ab":
        one.submit(codes.DATA_SM, Data().write(), token, 2.0)
    assert one.lost("reset") == [Ended("reset")]
    assert one.lost("reset") == []
    assert one.abandoned() == ["a", "b"]
    assert one.abandoned() == []


@pytest.mark.parametrize("mode", [codes.BIND_RECEIVER, codes.BIND_TRANSCEIVER])
def test_texts_arrive_and_are_answered_when_we_say(mode: int) -> None:
    one = bound(mode)
    octets = pdu(codes.DELIVER_SM, 70, MESSAGE.write()) + pdu(codes.DATA_SM, 71, Data().write())
    assert one.receive(octets, 2.0) == [
        Arrived(codes.DELIVER_SM, 70, MESSAGE), Arrived(codes.DATA_SM, 71, Data())
    ]  # fmt: skip
    assert sent(one) == []
    one.answer(codes.DATA_SM, 71, codes.ESME_RX_T_APPN)
    one.answer(codes.DELIVER_SM, 70, 0)
    assert sent(one) == [
        (codes.DATA_SM_RESP, codes.ESME_RX_T_APPN, 71, b"\0"), (codes.DELIVER_SM_RESP, 0, 70, b"\0")
    ]  # fmt: skip


def test_what_cannot_be_read_is_refused_by_its_fault() -> None:
    one = bound()
    assert one.receive(pdu(codes.DELIVER_SM, 70, MESSAGE.write()[:-1]), 2.0) == []
    assert sent(one) == [(codes.DELIVER_SM_RESP, codes.ESME_RINVMSGLEN, 70, b"\0")]


@pytest.mark.parametrize(
    ("command", "answer", "status"),
    [
        (codes.ENQUIRE_LINK, codes.ENQUIRE_LINK_RESP, 0),
        (codes.SUBMIT_SM, codes.SUBMIT_SM_RESP, codes.ESME_RINVBNDSTS),
        (codes.BIND_TRANSCEIVER, codes.BIND_TRANSCEIVER_RESP, codes.ESME_RINVBNDSTS),
        (0x03, 0x80000003, codes.ESME_RINVBNDSTS),
        (0x77, codes.GENERIC_NACK, codes.ESME_RINVCMDID),
        (0x7FFFFFFF, codes.GENERIC_NACK, codes.ESME_RINVCMDID),
        (codes.ALERT_NOTIFICATION, None, 0),
        (codes.OUTBIND, None, 0),
    ],
)
def test_other_requests(command: int, answer: int | None, status: int) -> None:
    one = bound()
    assert one.receive(pdu(command, 5), 2.0) == []
    assert [found[:3] for found in sent(one)] == ([(answer, status, 5)] if answer else [])
    assert one.bound


def test_a_transmitter_takes_no_texts() -> None:
    one = bound(codes.BIND_TRANSMITTER)
    assert one.receive(pdu(codes.DELIVER_SM, 5, MESSAGE.write()), 2.0) == []
    assert sent(one) == [(codes.DELIVER_SM_RESP, codes.ESME_RINVBNDSTS, 5, b"\0")]


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\0\0\0\x0f" + bytes(12),
        b"\0\0\0\0",
        b"\x7f\xff\xff\xff",
        (70_001).to_bytes(4, "big"),
    ],
)
def test_what_is_no_pdu_ends_the_session(garbage: bytes) -> None:
    one = bound()
    before = pdu(codes.DELIVER_SM, 9, MESSAGE.write())
    events = one.receive(before + garbage + before, 2.0)
    assert events == [
        Arrived(codes.DELIVER_SM, 9, MESSAGE), Ended("the carrier sent what is no PDU")
    ]  # fmt: skip
    assert sent(one) == [(codes.GENERIC_NACK, codes.ESME_RINVCMDLEN, 0, b"")]
    assert one.receive(before, 3.0) == []
    one.answer(codes.DELIVER_SM, 9, 0)
    assert sent(one) == []


def test_a_silent_carrier_is_asked_and_then_left() -> None:
    one = bound()
    assert one.due() == 31.0
    assert one.tick(31.0) == []
    assert sent(one) == [(codes.ENQUIRE_LINK, 0, 2, b"")]
    assert one.tick(40.0) == []
    assert sent(one) == []  # once is enough
    assert one.receive(pdu(codes.ENQUIRE_LINK_RESP, 2), 41.0) == []
    assert one.tick(71.0) == []
    assert len(sent(one)) == 1
    assert one.due() == 91.0
    assert one.tick(91.0) == [Ended("no answer to enquire_link")]


def test_inactivity_ends_a_session_that_has_nothing_else() -> None:
    one = Session(codes.BIND_TRANSCEIVER, Bind("us"), session.Timers(inactivity=5), now=0.0)
    one.start(0.0)
    assert one.tick(5.0) == [Ended("silence")]


def test_unbinding() -> None:
    one = bound()
    one.unbind(2.0)
    assert sent(one) == [(codes.UNBIND, 0, 2, b"")]
    assert not one.submitting
    # A text that crosses it is none the worse: it is to come again.
    assert one.receive(pdu(codes.DELIVER_SM, 5, MESSAGE.write()), 2.0) == []
    assert sent(one) == [(codes.DELIVER_SM_RESP, codes.ESME_RX_T_APPN, 5, b"\0")]
    assert one.receive(pdu(codes.SUBMIT_SM, 6, MESSAGE.write()), 2.0) == []
    assert sent(one) == [(codes.SUBMIT_SM_RESP, codes.ESME_RINVBNDSTS, 6, b"")]
    assert one.receive(pdu(codes.UNBIND_RESP, 2), 3.0) == [Ended("unbound")]


def test_unbinding_what_is_not_bound_ends_it() -> None:
    one = started()
    one.unbind(2.0)
    assert one.closed


def test_an_unbind_without_answer_ends_all_the_same() -> None:
    one = bound()
    one.unbind(2.0)
    assert one.tick(22.0) == [Ended("no answer to unbind")]


def test_the_carrier_may_unbind() -> None:
    one = bound()
    assert one.receive(pdu(codes.UNBIND, 5), 2.0) == [Ended("the carrier unbound")]
    assert sent(one) == [(codes.UNBIND_RESP, 0, 5, b"")]


def test_a_carrier_that_unbinds_may_answer_what_is_under_way() -> None:
    one = bound()
    for token in "ab":
        one.submit(codes.SUBMIT_SM, MESSAGE.write(), token, 2.0)
    sent(one)
    first = pdu(codes.SUBMIT_SM_RESP, 2, b"x\0")
    assert one.receive(pdu(codes.UNBIND, 5) + first, 3.0) == [Answered("a", 0, "x")]
    assert (sent(one), one.submitting, one.closed, one.due()) == ([], False, False, 6.0)
    last = pdu(codes.SUBMIT_SM_RESP, 3, b"y\0")
    assert one.receive(last, 4.0) == [Answered("b", 0, "y"), Ended("the carrier unbound")]
    assert sent(one) == [(codes.UNBIND_RESP, 0, 5, b"")]


def test_a_carrier_that_unbinds_gets_our_answers_before() -> None:
    one = bound()
    arrived = Arrived(codes.DELIVER_SM, 5, MESSAGE)
    octets = pdu(codes.DELIVER_SM, 5, MESSAGE.write()) + pdu(codes.UNBIND, 6)
    assert one.receive(octets, 3.0) == [arrived]
    one.answer(codes.DELIVER_SM, 5, codes.ESME_ROK)
    assert one.tick(3.1) == [Ended("the carrier unbound")]
    assert sent(one) == [(codes.DELIVER_SM_RESP, 0, 5, b"\0"), (codes.UNBIND_RESP, 0, 6, b"")]


def test_a_carrier_that_unbinds_is_not_waited_for_long() -> None:
    one = bound()
    one.submit(codes.SUBMIT_SM, MESSAGE.write(), "a", 2.0)
    sent(one)
    assert one.receive(pdu(codes.UNBIND, 5), 3.0) == []
    assert one.receive(pdu(codes.UNBIND, 6), 5.0) == []
    assert one.tick(5.9) == []
    assert one.tick(6.0) == [Ended("the carrier unbound")]
    assert sent(one) == [(codes.UNBIND_RESP, 0, 5, b"")]
    assert one.abandoned() == ["a"]


def test_sequence_numbers_come_around() -> None:
    one = bound()
    one._sequence = session.LAST_SEQUENCE - 1
    for token in "ab":
        one.submit(codes.SUBMIT_SM, MESSAGE.write(), token, 2.0)
    assert [sequence for _, _, sequence, _ in sent(one)] == [session.LAST_SEQUENCE, 1]


def test_late_answers_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LATE_ANSWERS_KNOWN", 2)
    one = bound()
    for token in "abc":
        one.submit(codes.SUBMIT_SM, MESSAGE.write(), token, 2.0)
    assert len(one.tick(30.0)) == 3
    assert one.receive(pdu(codes.SUBMIT_SM_RESP, 2, b"x\0"), 31.0) == []
    assert len(one.receive(pdu(codes.SUBMIT_SM_RESP, 3, b"x\0"), 31.0)) == 1


# --- any peer at all

COMMANDS = st.sampled_from(
    [*range(10), 0x0B, 0x15, 0x21, 0x102, 0x103, 0x77]
).flatmap(lambda one: st.sampled_from([one, one | codes.RESPONSE]))  # fmt: skip
PDUS = st.builds(
    pdu,
    COMMANDS,
    st.integers(0, 9),
    st.binary(max_size=60) | st.just(MESSAGE.write()) | st.just(b"id\0"),
    st.sampled_from([0, 0, 0, 0x58, 0xFFFFFFFF]),
)
STEPS = st.lists(
    st.tuples(st.just("receive"), PDUS | st.binary(max_size=40))
    | st.tuples(st.just("wait"), st.floats(0, 50))
    | st.tuples(st.just("submit"), st.just(MESSAGE.write()))
    | st.tuples(st.just("unbind"), st.none()),
    max_size=30,
)


def play(mode: int, steps: list, chunk: int) -> tuple[list, Sent, list, Session]:
    """Events, what was sent, the tokens submitted; the peer's octets come in pieces."""
    one, now, tokens = Session(mode, Bind("us"), TIMERS, 0.0), 0.0, count()
    events: list = []
    submitted = []
    one.start(now)
    octets = [one.outgoing()]
    events += one.receive(pdu(mode | codes.RESPONSE, 1, b"x\0"), now)
    for action, given_ in steps:
        if action == "receive":
            for place in range(0, len(given_), chunk):
                events += one.receive(given_[place : place + chunk], now)
        elif action == "wait":
            now += given_
            events += one.tick(now)
        elif action == "submit" and one.submitting:
            submitted.append(next(tokens))
            one.submit(codes.SUBMIT_SM, given_, submitted[-1], now)
        elif action == "unbind":
            one.unbind(now)
        octets.append(one.outgoing())
    one._outgoing.extend(octets)
    return events, sent(one), submitted, one


@given(st.sampled_from(MODES), STEPS)
def test_any_peer(mode: int, steps: list) -> None:
    events, told, submitted, one = play(mode, steps, 1 << 20)
    outcomes = [event.token for event in events if isinstance(event, Unanswered)]
    outcomes += [event.token for event in events if isinstance(event, Answered) and not event.late]
    assert sorted(outcomes + one.abandoned()) == submitted  # each token exactly once
    ends = [event for event in events if isinstance(event, Ended)]
    assert len(ends) <= 1
    assert not ends or (one.closed and events[-1] == ends[0])
    for command, _, sequence, body in told:
        assert command != codes.SUBMIT_SM or ShortMessage.read(body) == MESSAGE
        assert sequence <= session.LAST_SEQUENCE
        assert len(body) < 100
    assert one.due() > 0


@given(st.sampled_from(MODES), STEPS, st.integers(1, 20))
def test_it_does_not_matter_how_octets_are_cut(mode: int, steps: list, chunk: int) -> None:
    whole, pieces = play(mode, steps, 1 << 20), play(mode, steps, chunk)
    assert whole[:3] == pieces[:3]
