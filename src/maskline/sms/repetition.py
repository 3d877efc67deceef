"""Texts that came before: the carrier repeats what it thinks we did not get.

Where it gives each text an id, the id tells. SMPP gives none to a person's text; there the same
words between the same numbers are a repetition only if the first came so shortly before the end of
its connection that our answer may have been lost with it, and the second comes soon after the
carrier is back. A person who says the same twice is not a repetition.
"""

from collections.abc import Iterator, Sequence

from maskline.sms.body import repeat_key
from maskline.sms.port import InboundText
from maskline.sms.turn import Turn, rows
from maskline.store import Row

REMEMBERED = 3 * 86_400_000
ANSWER_LOST = 60_000  # before a connection's end: how late a carrier may have got no answer
REPEATED_WITHIN = 600_000  # after the start of the next one


class Repetitions:
    """What among the arrivals of a turn was there before; `keys` is what each is known by."""

    def __init__(self, turn: Turn, arrivals: Sequence[tuple[int, InboundText]]) -> None:
        self._turn = turn
        self._texts = dict(arrivals)
        cipher = turn.context.tx.cipher
        self.keys = {place: repeat_key(cipher, text) for place, text in arrivals}

    def found(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The places of repetitions, each with our ids of the text, if there is one already."""
        self._see_connections()
        found = {}
        for row in self._stored():
            place = row["place"]
            if self._texts[place].message_id is not None or self._answer_was_lost(row):
                found[place] = (row["message_id"],)
        yield from found.items()
        seen: set[tuple[str, str | None]] = set()
        for place, text in self._texts.items():
            if text.message_id is not None and place not in found:
                if (text.carrier, text.message_id) in seen:
                    yield place, ()
                seen.add((text.carrier, text.message_id))

    def _stored(self) -> list[Row]:
        asked = [
            [place, text.carrier, self.keys[place]]
            for place, text in self._texts.items()
            if self.keys[place] is not None and (text.message_id is not None or text.part is None)
        ]
        since = self._turn.context.now - REMEMBERED
        return self._turn.context.tx.all("repeated_texts", keys=rows(asked), since=since)

    def _see_connections(self) -> None:
        for name in {text.connection for text in self._texts.values() if text.connection}:
            see(self._turn, name)

    def _answer_was_lost(self, row: Row) -> bool:
        """Whether the carrier may not have got our answer to the first text."""
        first: str | None = row["connection"]
        work = self._turn.work
        if first is None or not first.startswith(work.node):
            return False
        if first in {f"{work.holder}/{name}" for name in work.connections}:
            return False
        tx, now = self._turn.context.tx, self._turn.context.now
        then = tx.one("get_connection", connection=first)
        since = f"{work.holder}/{self._texts[row['place']].connection}"
        current = tx.one("get_connection", connection=since)
        if then is None or current is None or now - current["opened_at"] > REPEATED_WITHIN:
            return False
        lost: bool = row["received_at"] >= then["seen_at"] - ANSWER_LOST
        return lost


def see(turn: Turn, connection: str) -> None:
    """Notes that a connection is alive."""
    name = f"{turn.work.holder}/{connection}"
    turn.context.tx.run("see_connection", connection=name, now=turn.context.now)
