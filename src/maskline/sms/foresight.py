"""What would become of a text, told before the work of fetching what came with it."""

from maskline.domain.keywords import WORDS, keyword_of
from maskline.operations import Context
from maskline.sms.body import repeat_key
from maskline.sms.intake import number_of
from maskline.sms.port import Accepted, InboundText, TryLater, Verdict
from maskline.sms.repetition import REMEMBERED
from maskline.sms.turn import rows
from maskline.store import Row


def foreseen(context: Context, text: InboundText, most_queued: int) -> Verdict | None:
    """The verdict about a text that was taken before, or for whose carrier too many wait.

    None means that only taking it will tell.
    """
    if text.message_id is not None and came_before(context, text):
        return Accepted(message_ids=())
    is_word = keyword_of(text.text, tuple(WORDS)) is not None
    if not is_word and waiting(context, text, most_queued) >= most_queued:
        return TryLater(reason="queue-full")
    return None


def has_reader(context: Context, text: InboundText) -> bool:
    """Whether a session is open in which somebody may get the text, and has not said STOP."""
    found = facts_about(context, text)
    if found["proxy_session_id"] is None or found["ended_at"] is not None or found["unwanted"]:
        return False
    return bool(found["expires_at"] > context.now)


def came_before(context: Context, text: InboundText) -> bool:
    asked = rows([[0, text.carrier, repeat_key(context.tx.cipher, text)]])
    since = context.now - REMEMBERED
    return bool(context.tx.all("repeated_texts", keys=asked, since=since))


def waiting(context: Context, text: InboundText, most: int) -> int:
    """How many texts wait for the carrier that this one would go by; as far as `most`."""
    found = facts_about(context, text)
    if found["proxy_session_id"] is None:
        return 0
    row = context.tx.one("count_pending_of", carrier=found["shown_carrier"], most=most)
    return row["texts"] if row else 0


def facts_about(context: Context, text: InboundText) -> Row:
    asked = rows([[0, number_of(text.source), number_of(text.destination)]])
    (found,) = context.tx.all("text_facts", texts=asked)
    return found
