"""A text: how it is written, what can become of it, and what a carrier can say about it."""

from enum import StrEnum


class Encoding(StrEnum):
    """How the characters of a text travel. Media and ports are no text: BINARY is refused."""

    GSM = "GSM"  # GSM 03.38 with its extension and national tables, 7 bits a character
    LATIN1 = "Latin1"
    UCS2 = "UCS2"  # UTF-16 where a character needs two units
    UTF8 = "UTF8"  # what HTTP and SIP carry
    OTHER = "Other"  # an alphabet of one country (Cyrillic, Hebrew, Japanese, Korean)
    BINARY = "Binary"


class Kind(StrEnum):
    """Whose text it is."""

    RELAYED = "Relayed"  # a participant's, for the other one
    REPLY = "Reply"  # ours: a connector's answer to a text that goes no further


class Direction(StrEnum):
    """Between the participants of a session, in the order in which the session has them."""

    FIRST_TO_SECOND = "FirstToSecond"
    SECOND_TO_FIRST = "SecondToFirst"


class State(StrEnum):
    """Where a text is. Nothing here says more than somebody told us."""

    QUEUED = "Queued"  # kept, and waiting to be sent, be it again
    SENDING = "Sending"  # given to a carrier's link
    IN_DOUBT = "InDoubt"  # given to the carrier, whose answer is lost: it may have it
    ACCEPTED = "Accepted"  # the carrier has it and has not said more
    DELIVERED = "Delivered"  # the carrier says that the phone has it
    FAILED = "Failed"  # the carrier says that it will not deliver it
    EXPIRED = "Expired"  # its validity ended before anybody took or delivered it
    REFUSED = "Refused"  # not forwarded, by a rule; `reason` names it
    HANDLED = "Handled"  # a keyword for us: STOP, START, HELP


# What may follow what. A report is late, doubled or out of order as often as not, and the truth is
# what was heard last, but for one thing: what was delivered stays delivered.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SENDING, State.EXPIRED, State.REFUSED}),
    State.SENDING: frozenset(
        {State.ACCEPTED, State.QUEUED, State.IN_DOUBT, State.FAILED, State.EXPIRED}
    ),
    State.IN_DOUBT: frozenset(
        {
            State.SENDING,
            State.ACCEPTED,
            State.DELIVERED,
            State.FAILED,
            State.EXPIRED,
            State.REFUSED,  # rather than sent again
        }
    ),
    State.ACCEPTED: frozenset({State.DELIVERED, State.FAILED, State.EXPIRED}),
    State.FAILED: frozenset({State.DELIVERED, State.EXPIRED, State.QUEUED}),
    State.EXPIRED: frozenset({State.DELIVERED, State.FAILED, State.QUEUED}),
    State.DELIVERED: frozenset(),
    State.REFUSED: frozenset(),
    State.HANDLED: frozenset(),
}

# An operator may have these sent again.
DEAD = frozenset({State.FAILED, State.EXPIRED})


class Reported(StrEnum):
    """What a carrier says has become of a text that it took (SMPP 3.4 section 5.2.28)."""

    ENROUTE = "Enroute"
    DELIVERED = "Delivered"
    EXPIRED = "Expired"
    DELETED = "Deleted"
    UNDELIVERABLE = "Undeliverable"
    ACCEPTED = "Accepted"  # read by somebody on behalf of the subscriber
    UNKNOWN = "Unknown"
    REJECTED = "Rejected"

    @property
    def final(self) -> bool:
        return self not in (Reported.ENROUTE, Reported.ACCEPTED, Reported.UNKNOWN)


# What a report makes of a text; the others say that the carrier has it and no more.
OUTCOMES = {
    Reported.DELIVERED: State.DELIVERED,
    Reported.EXPIRED: State.EXPIRED,
    Reported.DELETED: State.FAILED,
    Reported.UNDELIVERABLE: State.FAILED,
    Reported.REJECTED: State.FAILED,
}


def after_report(state: State, reported: Reported, all_segments: bool) -> State | None:
    """The state that a report leads to, None where it changes nothing.

    One segment that fails makes a failure of the whole text; it is delivered when all are that
    the carrier gave an id to.
    """
    follows = OUTCOMES.get(reported)
    if follows is State.DELIVERED and not all_segments:
        return None
    return follows if follows in TRANSITIONS[state] else None


def retry_pause(attempts: int, chance: float) -> int:
    """How many milliseconds to wait after so many failed attempts; `chance` is from 0 to 1.

    Anything between nothing and a bound that doubles ("full jitter"): texts that failed together
    do not come back together.
    """
    bound = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** min(attempts, 16))
    return int(bound * chance)


SHORTEST_PAUSE = 1_000
LONGEST_PAUSE = 300_000
