"""Whose account a request is about, and who may say so."""

from maskline.domain.refusals import Forbidden, NotFound
from maskline.operations.context import Context, Request
from maskline.store import Row


def require_account(context: Context, account_id: str) -> Row:
    row = context.tx.one("get_account", account_id=account_id)
    if row is None:
        raise NotFound(f"Could not find Account with Id '{account_id}'")
    return row


def operator_account(context: Context) -> str:
    """The id of the operator's account."""
    row = context.tx.one("get_operator_account")
    assert row is not None, "an account of the operator is there from the first start"
    account_id: str = row["account_id"]
    return account_id


def is_operator(context: Context) -> bool:
    row = context.tx.one("get_account", account_id=context.account_id)
    return row is not None and bool(row["operator"])


def require_operator(context: Context) -> None:
    if not is_operator(context):
        raise Forbidden("Only the operator's account may do this")


def account_for(context: Context, request: Request) -> str:
    """The account a request is about: the caller's own, or for the operator the one it names."""
    account_id: str = request.get("AccountId") or context.account_id
    if account_id != context.account_id:
        require_operator(context)
        require_account(context, account_id)
    return account_id
