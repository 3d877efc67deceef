"""What time does to sessions: nobody asks for it, and no answer depends on when it is done.

Each function does a bounded piece of the work and gives its size, so that a long queue of it holds
nobody up: whoever calls them goes on until less than a piece was left. Safe to run anywhere,
several times at once.
"""

from maskline.clock import DAY
from maskline.domain.session import ProxySession
from maskline.operations.batches import listed
from maskline.operations.context import Context
from maskline.operations.expiries import held, settle_free
from maskline.operations.phone_numbers import DELETION_DAYS
from maskline.operations.tenancy import operator_account
from maskline.store import rows

PIECE = 200


def settle_expired_sessions(context: Context) -> int:
    """Notes the end of sessions whose window has passed, and hangs up where that is the rule."""
    return settle_free(
        context, context.tx.all("list_expired_proxy_sessions", now=context.now, limit=PIECE)
    )


def purge_sessions(context: Context) -> int:
    """Deletes sessions that ended long ago, with all that was remembered of them, and deleted
    connectors with the last of theirs.

    Those of whose participants somebody else holds one are left for the next time.
    """
    before = context.now - context.policy.closed_session_retention_days * DAY
    found = context.tx.all("list_purgeable_proxy_sessions", before=before, limit=PIECE)
    old = held(context, map(rows.proxy_session, found))
    forget(context, old)
    for connector_id in sorted({session.voice_connector_id for session in old}):
        context.tx.run("purge_voice_connector", voice_connector_id=connector_id)
    return len(old)


def purge_calls(context: Context) -> int:
    """Deletes the records of calls that ended long ago."""
    before = context.now - context.policy.call_retention_days * DAY
    return context.tx.run("purge_calls", before=before, limit=PIECE)


def purge_phone_numbers(context: Context) -> int:
    """Ends the wait of deleted numbers: an account's are the operator's again, to be ordered.

    Those of the operator are removed for good.
    """
    released = context.now - DELETION_DAYS * DAY
    old = context.tx.all("list_released_phone_numbers", released=released, limit=PIECE)
    operator = operator_account(context)
    own = [row["phone_number"] for row in old if row["account_id"] == operator]
    others = [row["phone_number"] for row in old if row["account_id"] != operator]
    context.tx.run("remove_phone_numbers", numbers=listed(own))
    context.tx.run(
        "take_phone_numbers_back", numbers=listed(others), account_id=operator, now=context.now
    )
    return len(old)


def purge_phone_number_orders(context: Context) -> int:
    """Deletes orders as old as the audit records that say who made them; the numbers stay."""
    before = context.now - context.policy.audit_retention_days * DAY
    return context.tx.run("purge_phone_number_orders", before=before, limit=PIECE)


def purge_audit_records(context: Context) -> int:
    before = context.now - context.policy.audit_retention_days * DAY
    return context.tx.run("purge_audit_records", before=before, limit=PIECE)


def purge_pictures(context: Context) -> int:
    """Erases pictures whose links have expired."""
    return context.tx.run("purge_pictures", now=context.now, limit=PIECE)


def forget(context: Context, sessions: list[ProxySession]) -> None:
    uses = [
        {
            "participant": participant.phone_number,
            "peer": session.sides(participant.phone_number)[1].phone_number,
            "proxy_number": participant.proxy_number,
            "proxy_session_id": session.proxy_session_id,
            "used_at": session.created_at,
        }
        for session in sessions
        for participant in session.participants
    ]
    context.tx.run_each("forget_claim", uses)
    context.tx.run_each("forget_pair_number", uses)
    context.tx.run("delete_proxy_sessions", ids=listed(each.proxy_session_id for each in sessions))
