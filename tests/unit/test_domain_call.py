import itertools
from dataclasses import replace
from random import Random

import pytest
from a_call import CALL
from hypothesis import given
from hypothesis import strategies as st

from maskline.domain.call import LOST_STATUS, Call, CallEvent, Happening, Party, apply

RINGING = CallEvent(happening=Happening.RINGING, at=2000)
LEGS = tuple(
    {"CallId": one, "From": f"<sip:+1555000000{one}@example.com>;tag={one}", "Target": "sip:there"}
    for one in "12"
)
ANSWERED = CallEvent(happening=Happening.ANSWERED, at=3000, legs=LEGS)
# By whoever was called, so the legs stand the other way about.
MOVED = CallEvent(
    happening=Happening.MOVED,
    at=3500,
    legs=tuple(leg | {"Target": "sip:elsewhere"} for leg in reversed(LEGS)),
)
FORK = replace(MOVED, legs=(LEGS[0], LEGS[1] | {"From": "<sip:1@example.com>;tag=another"}))
ENDED = CallEvent(
    happening=Happening.ENDED, at=4000, sip_status=200, ended_by=Party.CALLED, cause=16
)


def after(*events: CallEvent) -> Call:
    call = CALL
    for event in events:
        call = apply(call, event)
    return call


def test_a_whole_call() -> None:
    call = after(RINGING, ANSWERED, ENDED)
    assert (call.ringing_at, call.answered_at, call.ended_at) == (2000, 3000, 4000)
    assert (call.ended_by, call.sip_status, call.cause) == (Party.CALLED, 200, 16)
    assert call.legs == ANSWERED.legs
    assert call.hang_up_at == 63_000
    assert not call.live


@pytest.mark.parametrize("order", list(itertools.permutations([RINGING, ANSWERED, ENDED])))
def test_reports_may_come_in_any_order_and_twice(order: tuple[CallEvent, ...]) -> None:
    assert after(*order, *order) == after(RINGING, ANSWERED, ENDED)


@given(
    st.lists(
        st.builds(
            CallEvent,
            happening=st.sampled_from(Happening),
            at=st.integers(1000, 1005),
            ended_by=st.sampled_from(Party),
        ),
        max_size=6,
        unique_by=lambda event: (event.happening, event.at),
    ),
    st.randoms(),
)
def test_the_earliest_report_of_each_kind_is_the_truth(
    events: list[CallEvent], random: Random
) -> None:
    shuffled = random.sample(events, len(events))
    assert after(*events) == after(*shuffled)


@pytest.mark.parametrize("order", list(itertools.permutations([RINGING, ANSWERED, MOVED, ENDED])))
def test_who_moved_is_hung_up_where_they_are(order: tuple[CallEvent, ...]) -> None:
    call = after(*order)
    assert call.legs == MOVED.legs
    assert call.answered_at == ANSWERED.at
    assert apply(call, MOVED) is call
    again = replace(MOVED, legs=tuple(leg | {"Target": "sip:farther"} for leg in LEGS))
    assert apply(call, again).legs == again.legs


@pytest.mark.parametrize("order", list(itertools.permutations([FORK, RINGING, ANSWERED, ENDED])))
def test_who_answers_is_hung_up_and_not_a_fork_that_moved_before(
    order: tuple[CallEvent, ...],
) -> None:
    assert after(*order).legs == ANSWERED.legs


@pytest.mark.parametrize("at", [3999, 4000, 4001])
def test_an_end_that_is_told_counts_before_one_that_was_guessed(at: int) -> None:
    """Who looks for calls that are gone may be ahead of who reports, be it by another's clock."""
    lost = CallEvent(
        happening=Happening.ENDED, at=at, sip_status=LOST_STATUS, ended_by=Party.US, cause=None
    )
    told = after(ANSWERED, ENDED)
    for order in itertools.permutations([ENDED, lost, replace(lost, at=at + 1)]):
        assert after(ANSWERED, *order) == told
    assert after(replace(lost, at=at + 1), lost).ended_at == at


def test_a_call_that_is_answered_was_not_lost() -> None:
    """As when its node, which only could not tell the others, was taken for dead. An answer that
    was known then tells nothing new."""
    lost = CallEvent(
        happening=Happening.ENDED, at=4000, sip_status=LOST_STATUS, ended_by=Party.US, cause=41
    )
    assert after(RINGING, lost, ANSWERED) == after(RINGING, ANSWERED)
    assert after(RINGING, lost, ANSWERED, ENDED) == after(RINGING, ANSWERED, ENDED)
    assert after(ANSWERED, lost, ANSWERED, replace(ANSWERED, at=2500)).lost
    refused = replace(ENDED, sip_status=486)
    assert after(RINGING, refused, ANSWERED).ended_at == refused.at


def test_a_call_of_which_one_has_hung_up_in_vain_is_over() -> None:
    """Our own BYE, by which the other one is told, comes later; or the BYE itself, said again."""
    stranded = replace(ENDED, happening=Happening.STRANDED)
    ours = replace(ENDED, at=4500, ended_by=Party.US)
    for order in itertools.permutations([ANSWERED, stranded, ours]):
        assert after(*order) == after(ANSWERED, ENDED)
    at_once = replace(ours, at=ENDED.at)
    assert after(ANSWERED, at_once, stranded).ended_by is after(stranded, at_once).ended_by


def test_an_answer_never_puts_off_a_hang_up_already_due() -> None:
    assert apply(replace(CALL, hang_up_at=2500), ANSWERED).hang_up_at == 2500


def test_a_call_lives_from_its_forwarding_to_its_end() -> None:
    assert CALL.live
    assert not replace(CALL, forwarded_at=None).live
    assert CALL.attribution is None


@pytest.mark.parametrize(
    ("ended_by", "sip_status", "attribution"),
    [
        (Party.CALLER, 200, Party.CALLER), (None, 486, Party.CALLED), (None, 487, Party.CALLER),
        (None, 502, Party.CARRIER), (None, 500, Party.CARRIER), (None, 503, Party.CARRIER),
        *((None, status, Party.US) for status in (401, 403, 404, 407, None)),
        (None, 433, Party.CALLER),
        *((None, status, Party.CALLED) for status in (408, 480, 488, 600, 603)),
    ],
)  # fmt: skip
def test_to_whom_the_outcome_is_put_down(
    ended_by: Party | None, sip_status: int | None, attribution: Party
) -> None:
    assert (
        after(replace(ENDED, ended_by=ended_by, sip_status=sip_status)).attribution is attribution
    )


def test_no_time_of_a_record_is_before_one_that_came_earlier() -> None:
    """The node that sees a call end may go by another clock than the one that saw it answered."""
    assert after(RINGING, ANSWERED, ENDED).moments == (1000, 1000, 2000, 3000, 4000)
    assert after(ANSWERED, replace(ENDED, at=2990)).moments == (1000, 1000, None, 3000, 3000)
    assert after(replace(RINGING, at=900), ENDED).moments == (1000, 1000, 1000, None, 4000)
    assert after(RINGING).moments == (1000, 1000, 2000, None, None)


def test_a_call_is_with_the_carrier_that_took_it() -> None:
    assert after(RINGING).outbound_carrier == CALL.outbound_carrier
    assert after(replace(RINGING, carrier="globex")).outbound_carrier == "globex"
    late = replace(RINGING, at=9000, carrier="acme")
    assert after(replace(RINGING, carrier="globex"), late).outbound_carrier == "globex"


def test_of_two_answers_of_the_same_people_the_earlier_one_tells_where_they_are() -> None:
    later = replace(MOVED, happening=Happening.ANSWERED, at=ANSWERED.at + 1)
    assert after(later, ANSWERED).legs == after(ANSWERED, later).legs == ANSWERED.legs


@pytest.mark.parametrize(
    ("events", "clearing"),
    [
        ([ANSWERED], None), ([ENDED], 16), ([replace(ENDED, sip_status=486)], 16),
        ([replace(ENDED, sip_status=486, cause=None)], 17),
        ([replace(ENDED, sip_status=487, cause=None, ended_by=Party.CALLER)], 16),
        ([replace(ENDED, sip_status=487, cause=None, ended_by=Party.US)], 31),
        ([replace(ENDED, sip_status=486, cause=None, ended_by=Party.CALLER)], 17),
        ([replace(ENDED, sip_status=480, cause=None)], 18),
        ([RINGING, replace(ENDED, sip_status=480, cause=None)], 19),
        ([replace(ENDED, sip_status=None, cause=None)], 41),
    ],
)  # fmt: skip
def test_why_a_call_ended_in_the_words_of_telephone_networks(
    events: list[CallEvent], clearing: int | None
) -> None:
    assert after(*events).clearing == clearing
