"""What would become of a text, told before the work of fetching what came with it."""

from typing import NamedTuple

from maskline.domain.keywords import WORDS, keyword_of
from maskline.operations import Context
from maskline.sms.body import repeat_key
from maskline.sms.intake import MOST_WAITING, began_at, number_of
from maskline.sms.port import Accepted, InboundText, TryLater, Verdict
from maskline.sms.repetition import since
from maskline.sms.turn import rows
from maskline.store import Row


class Foreseen(NamedTuple):
    """`verdict` is about a text that was taken before, or for whose carrier too many wait; None
    where only taking it will tell. Then `has_reader` is whether somebody may get it."""

    verdict: Verdict | None
    has_reader: bool = False


def foreseen(context: Context, text: InboundText, most_queued: int) -> Foreseen:
    """What is known of a text before it is taken, and before its pictures are fetched."""
    if text.message_id is not None and came_before(context, text):
        return Foreseen(Accepted(message_ids=()))
    facts = facts_about(context, text)
    is_word = keyword_of(text.text, tuple(WORDS)) is not None
    if not is_word and waiting(context, facts, most_queued) >= most_queued:
        return Foreseen(TryLater(reason="queue-full"))
    return Foreseen(None, not text.to_group and has_reader(context, facts))


def came_before(context: Context, text: InboundText) -> bool:
    key = repeat_key(context.tx.cipher, text)
    asked = rows([[0, text.carrier, key, since(text, context.now)]])
    return bool(context.tx.all("repeated_texts", keys=asked))


def facts_about(context: Context, text: InboundText) -> Row:
    asked = rows([[0, number_of(text.source), number_of(text.destination), began_at(text)]])
    (found,) = context.tx.all("text_facts", texts=asked, most=MOST_WAITING)
    return found


def waiting(context: Context, facts: Row, most: int) -> int:
    """How many texts wait for the carrier that this one would go by; as far as `most`."""
    if facts["proxy_session_id"] is None:
        return 0
    row = context.tx.one("count_pending_of", carrier=facts["shown_carrier"], most=most)
    return row["texts"] if row else 0


def has_reader(context: Context, facts: Row) -> bool:
    """Whether a session is open in which somebody may get the text, and has not said STOP."""
    if facts["proxy_session_id"] is None or facts["ended_at"] is not None or facts["unwanted"]:
        return False
    return bool(facts["expires_at"] > context.now)
