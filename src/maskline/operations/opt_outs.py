"""Who has said STOP to which proxy number."""

from typing import Any

from maskline.domain import e164
from maskline.domain.refusals import NotFound
from maskline.operations.context import Answer, Context, Request
from maskline.operations.pages import page_of
from maskline.store import Row


def list_opt_outs(context: Context, request: Request) -> Answer:
    page = page_of(context, request, "ListOptOuts")
    found = context.tx.all(
        "list_opt_outs", account_id=context.account_id, before=page.before, limit=page.limit
    )
    return page.answer("OptOuts", found, shown)


def remove_opt_out(context: Context, request: Request) -> Answer:
    """Takes a STOP back, as START does: only with the consent of whoever said it.

    It is for the account that has the number now, also where the STOP was said to another before.
    """
    removed = context.tx.run(
        "remove_opt_out",
        participant=e164.normalise(request["ParticipantPhoneNumber"]),
        proxy_number=e164.normalise(request["ProxyPhoneNumber"]),
        account_id=context.account_id,
    )
    if not removed:
        raise NotFound("Could not find this opt-out")
    return {}


def shown(row: Row) -> dict[str, Any]:
    return {
        "ParticipantPhoneNumber": row["participant"],
        "ProxyPhoneNumber": row["proxy_number"],
        "OptedOutTimestamp": row["opted_out_at"],
    }
