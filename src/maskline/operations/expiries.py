"""Sessions whose window has passed: their ends noted by the upkeep, or by who must know before."""

from collections import Counter
from collections.abc import Iterable

from maskline.domain.session import ProxySession
from maskline.operations.batches import listed
from maskline.operations.context import Context
from maskline.operations.proxy_sessions import hang_up_calls, proxy_numbers
from maskline.operations.routes import rules_of
from maskline.store import Row, rows


def settle_sessions_of(context: Context, numbers: Iterable[str]) -> None:
    """Notes what ended of the sessions of phone numbers, whose rows count them until then."""
    over = context.tx.all(
        "list_expired_sessions_of_numbers", numbers=listed(numbers), now=context.now
    )
    settle(context, over)


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
