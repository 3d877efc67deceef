"""Texts that came before: the carrier repeats what it thinks we did not get.

Where it gives each text an id, the id tells. SMPP gives none to a person's text; there the same
words between the same numbers are a repetition only if the first came so shortly before the end of
its connection that our answer may have been lost with it, and the second soon after. A person who
says the same twice is not a repetition. Since nobody can be sure, such a repetition has a record.

Whether a connection of another process has ended shows only after a while. Until then nobody can
tell, and the carrier is asked to come again.
"""

from collections.abc import Sequence

from maskline.clock import DAY, MINUTE
from maskline.domain.keywords import WORDS, Keyword, keyword_of
from maskline.domain.message import State
from maskline.domain.texting import sip_status
from maskline.sms.body import repeat_key
from maskline.sms.port import Accepted, InboundText, Refused, TryLater, Verdict
from maskline.sms.turn import Turn, rows
from maskline.store import Row

# What has no id. An id is known as long as its record is kept, for somebody may play an old
# callback back, and no carrier gives one twice.
REMEMBERED = 3 * DAY
ANSWER_LOST = MINUTE  # before a connection's end: how late a carrier may have got no answer
REPEATED_WITHIN = 10 * MINUTE  # after that end, or the start of the next one
GONE = 15_000  # after which a connection that its process does not see any more has ended
UNDECIDED = 20_000  # after which what comes by another process is no repetition
AGAIN_SECONDS = 5.0


class Repetitions:
    """What among the arrivals of a turn was there before; `keys` is what each is known by."""

    def __init__(self, turn: Turn, arrivals: Sequence[tuple[int, InboundText]]) -> None:
        self._turn = turn
        self._texts = dict(arrivals)
        self._open = {turn.work.known_as(name) for name in turn.work.connections}
        cipher = turn.context.tx.cipher
        self.keys = {place: repeat_key(cipher, text) for place, text in arrivals}
        self._twins: dict[int, int] = {}  # the place of what a text repeats, of this turn

    def verdicts(self) -> dict[int, Verdict]:
        """The places of repetitions, each with what the first was told, and of what cannot be told
        yet. Those of which the first is in this turn get their verdict by `settle_twins`."""
        self._see_connections()
        found: dict[int, Verdict] = {}
        for place, stored in self._stored().items():
            verdict = self._verdict(self._texts[place], stored)
            if verdict is not None:
                found[place] = verdict
        firsts: dict[tuple[str, str | None], int] = {}
        for place, text in self._texts.items():
            if place not in found and self._can_be_told(place):
                first = firsts.setdefault((text.carrier, self.keys[place]), place)
                if first != place and self._is_twin(self._texts[first], text):
                    self._twins[place] = first
                    found[place] = Accepted(message_ids=())
        return found

    def _can_be_told(self, place: int) -> bool:
        text = self._texts[place]
        return self.keys[place] is not None and (text.message_id is not None or text.part is None)

    def _is_twin(self, first: InboundText, text: InboundText) -> bool:
        """Of two with the same key. Without ids, if our answer to the first can not arrive."""
        if text.message_id is not None:
            return True
        gone = first.connection not in self._turn.work.connections
        return gone and first.connection != text.connection and not is_stop(text)

    def settle_twins(self, verdicts: dict[int, Verdict]) -> None:
        """What became of the first of two in one turn holds for the second."""
        for place, first in self._twins.items():
            text, verdict = self._texts[place], verdicts[first]
            verdicts[place] = verdict
            if text.message_id is None and isinstance(verdict, Accepted) and verdict.message_ids:
                row = self._turn.context.tx.one("get_message", message_id=verdict.message_ids[0])
                if row is not None:
                    self._recorded(row, text)

    def _verdict(self, text: InboundText, stored: Sequence[Row]) -> Verdict | None:
        """About a text, given those that came before with the same key: a person may have said the
        same several times before one of them is repeated."""
        if text.message_id is not None:
            return told_before(stored[0])
        if is_stop(text):
            return None
        repeats = [self._repeats(text, row) for row in stored]
        if None in repeats:
            return TryLater(after=AGAIN_SECONDS, reason="maybe-repeated")
        if True in repeats:
            return self._recorded(stored[repeats.index(True)], text)
        return None

    def _repeats(self, text: InboundText, row: Row) -> bool | None:
        """Whether a text without an id repeats that one; None while nobody can tell."""
        first = row["connection"]
        if first is None or first in self._open:
            return False
        then = self._turn.context.tx.one("get_connection", connection=first)
        if then is None:
            return False
        now, ours = self._turn.context.now, first.startswith(self._turn.work.node)
        if ours or now - then["seen_at"] > GONE:
            return self._answer_was_lost(row, then, text)
        return None if now - row["received_at"] < UNDECIDED else False

    def _recorded(self, row: Row, text: InboundText) -> Verdict:
        """Keeps a record of what may have been a person who said the same twice."""
        message_id = self._turn.context.new_id()
        self._turn.context.tx.run(
            "insert_repetition",
            message_id=message_id,
            first=row["message_id"],
            connection=self._turn.work.known_as(text.connection),
            received_at=text.received_at,
            now=self._turn.context.now,
        )
        self._turn.happened(row["account_id"], State.REFUSED, message_id)
        return told_before(row)

    def _stored(self) -> dict[int, list[Row]]:
        """What came before, by the place of what has the same key now; the oldest first."""
        asked = [
            [place, text.carrier, self.keys[place], since(text, self._turn.context.now)]
            for place, text in self._texts.items()
            if self._can_be_told(place)
        ]
        found: dict[int, list[Row]] = {}
        for row in self._turn.context.tx.all("repeated_texts", keys=rows(asked)):
            found.setdefault(row["place"], []).append(row)
        return found

    def _see_connections(self) -> None:
        for name in {text.connection for text in self._texts.values() if text.connection}:
            see(self._turn, name)

    def _answer_was_lost(self, row: Row, then: Row, text: InboundText) -> bool:
        """Whether the carrier may not have got our answer to the first text, and says so now."""
        name = self._turn.work.known_as(text.connection)
        current = self._turn.context.tx.one("get_connection", connection=name)
        began = max(then["seen_at"], current["opened_at"] if current else 0)
        soon: bool = self._turn.context.now - began <= REPEATED_WITHIN
        lost: bool = row["received_at"] > answered_until(then)
        return soon and lost


def since(text: InboundText, now: int) -> int:
    """Since when a text may have come that this one repeats."""
    return now - REMEMBERED if text.message_id is None else 0


def is_stop(text: InboundText) -> bool:
    """Whether it is a word that is heeded each time: it may have been said again after a START, and
    to heed it once too often is the lesser evil."""
    return keyword_of(text.text, tuple(WORDS)) is Keyword.STOP


def answered_until(connection: Row) -> int:
    """The carrier surely has our answers to all that came by a connection until then."""
    until: int = max(connection["has_answers_until"], connection["seen_at"] - ANSWER_LOST - 1)
    return until


def told_before(row: Row) -> Verdict:
    """What the carrier was told of a text when it was kept. What has a carrier to go by was
    accepted, and may have been refused only later: its reader said STOP, its session ended."""
    if row["state"] == State.REFUSED.value and row["outbound_carrier"] is None:
        return Refused(reason=row["reason"], sip_status=sip_status(row["reason"]))
    return Accepted(message_ids=(row["message_id"],))


def see(turn: Turn, connection: str) -> None:
    """Notes that a connection is alive, and which of our answers came through."""
    turn.context.tx.run(
        "see_connection",
        connection=turn.work.known_as(connection),
        now=turn.context.now,
        has_answers_until=turn.work.connections.get(connection, 0),
    )
