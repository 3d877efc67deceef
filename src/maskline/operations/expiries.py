"""Sessions whose window has passed: their ends noted by the upkeep, or by who must know before."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain

from maskline.domain.session import ProxySession
from maskline.operations.batches import listed
from maskline.operations.context import Context
from maskline.operations.proxy_sessions import proxy_numbers
from maskline.operations.routes import rules_of
from maskline.store import Row, rows


def settle_sessions_of(context: Context, numbers: Iterable[str]) -> None:
    """Notes what ended of the sessions of phone numbers, whose rows count them until then. For work
    that nobody else is beside: it holds no names, of which there may be any number."""
    over = context.tx.all(
        "list_expired_sessions_of_numbers", numbers=listed(numbers), now=context.now
    )
    settle(context, [*map(rows.proxy_session, over)])


def settle_free(context: Context, found: Iterable[Row]) -> int:
    """Notes the end of those of the sessions that nobody else works on; how many were left. The
    others are left for the next time: somebody may be recording a call of theirs."""
    sessions = held(context, map(rows.proxy_session, found))
    busy = busy_of(context, sessions)
    return settle(
        context, [session for session in sessions if session.proxy_session_id not in busy]
    )


def settle(context: Context, sessions: list[ProxySession]) -> int:
    """Notes the end of these sessions, and hangs up where that is the rule; how many were left.

    Rows change in the order in which all keep to: sessions, then phone numbers, then calls.
    """
    if not sessions:
        return 0
    expired = note_expiries(context, sessions)
    uses = Counter(number for session in expired for number in proxy_numbers(session))
    context.tx.run_each(
        "remove_open_sessions",
        [{"phone_number": number, "sessions": count} for number, count in sorted(uses.items())],
    )
    hang_up_calls(context, expired)
    return len(expired)


def held(context: Context, sessions: Iterable[ProxySession]) -> list[ProxySession]:
    """Those of whose participants nobody else holds one; they are held to the end."""
    people = {session: [each.phone_number for each in session.participants] for session in sessions}
    free = set(context.tx.lock_free(*chain.from_iterable(people.values())))
    return [session for session, numbers in people.items() if free.issuperset(numbers)]


def busy_of(context: Context, sessions: list[ProxySession]) -> set[str]:
    """The ids of those of whose live calls somebody else holds one; the others are held to the
    end."""
    live = context.tx.all("list_live_calls_of_sessions", ids=ids_of(sessions))
    free = context.tx.lock_free(*(row["call_id"] for row in live)) if live else ()
    return {row["proxy_session_id"] for row in live if row["call_id"] not in free}


def note_expiries(context: Context, sessions: list[ProxySession]) -> list[ProxySession]:
    """Those of the sessions that were for us to note. Their claims end at that moment already."""
    noted = context.tx.all("end_expired_proxy_sessions", ids=ids_of(sessions), now=context.now)
    ours = {row["proxy_session_id"] for row in noted}
    return [session for session in sessions if session.proxy_session_id in ours]


def hang_up_calls(context: Context, sessions: list[ProxySession]) -> None:
    """Marks live calls to be hung up now of those sessions whose expiry does that."""
    connectors = {session.voice_connector_id for session in sessions}
    strict = {each for each in connectors if rules_of(context, each).hang_up_on_expiry}
    ids = ids_of(session for session in sessions if session.voice_connector_id in strict)
    if strict:
        context.tx.run("hang_up_calls_of_sessions", ids=ids, now=context.now)


def ids_of(sessions: Iterable[ProxySession]) -> str:
    return listed(session.proxy_session_id for session in sessions)
