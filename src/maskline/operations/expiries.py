"""Sessions whose window has passed: their ends noted by the upkeep, or by who must know before."""

from collections import Counter
from collections.abc import Iterable

from maskline.domain.session import ProxySession
from maskline.operations.context import Context
from maskline.operations.proxy_sessions import hang_up_calls, proxy_numbers
from maskline.operations.routes import rules_of
from maskline.store import Row, rows


def open_sessions(context: Context, number: Row) -> int:
    """How many open sessions use a phone number, whose row counts until their end is noted."""
    if not number["open_sessions"]:
        return 0
    over = context.tx.all(
        "list_expired_sessions_of_number",
        phone_number=number["phone_number"],
        now=context.now,
    )
    counted: int = number["open_sessions"]
    return counted - settle(context, over)


def settle(context: Context, listed: Iterable[Row]) -> int:
    """Notes the end of these sessions, and hangs up where that is the rule; how many were left.

    Rows change in the order in which all keep to: sessions, then phone numbers, then calls.
    """
    expired = [
        session for session in map(rows.proxy_session, listed) if note_expiry(context, session)
    ]
    uses = Counter(number for session in expired for number in proxy_numbers(session))
    for number, count in sorted(uses.items()):
        context.tx.run("remove_open_sessions", phone_number=number, sessions=count)
    for session in expired:
        if rules_of(context, session.voice_connector_id).hang_up_on_expiry:
            hang_up_calls(context, session)
    return len(expired)


def note_expiry(context: Context, session: ProxySession) -> bool:
    """Whether it was for us to note. The claims of the session end at that moment already."""
    noted = context.tx.run(
        "end_expired_proxy_session", proxy_session_id=session.proxy_session_id, now=context.now
    )
    return noted == 1
