"""Accounts, made by the operator of the service."""

import secrets
from typing import Any

from maskline.domain.permissions import EVERYTHING
from maskline.operations.access_keys import (
    Credentials,
    make_access_key,
    require_own_key,
    shown_with_secret,
)
from maskline.operations.context import Answer, Context, Request
from maskline.operations.pages import page_of
from maskline.operations.tenancy import require_account, require_operator
from maskline.store import Row


def bootstrap_account(context: Context, name: str = "default") -> Credentials | None:
    """The operator's account and its key, which may do everything; None when it is there."""
    row = context.tx.one("count_accounts")
    if row is not None and row["accounts"]:
        return None
    account_id = make_account(context, name, operator=True)
    return make_access_key(context, account_id, EVERYTHING)


def create_account(context: Context, request: Request) -> Answer:
    """A new account and its first key, whose secret is shown this once."""
    require_operator(context)
    require_own_key(context)
    account_id = make_account(context, request["Name"], operator=False)
    credentials = make_access_key(context, account_id, EVERYTHING)
    account = require_account(context, account_id)
    return {"Account": shown(account), "AccessKey": shown_with_secret(context, credentials)}


def list_accounts(context: Context, request: Request) -> Answer:
    require_operator(context)
    page = page_of(context, request, "ListAccounts", start="")
    found = context.tx.all("list_accounts", after=page.position, limit=page.limit)
    return page.answer("Accounts", found, shown, "account_id")


def make_account(context: Context, name: str, operator: bool) -> str:
    account_id = str(secrets.randbelow(9 * 10**11) + 10**11)
    context.tx.run(
        "insert_account", account_id=account_id, name=name, operator=operator, now=context.now
    )
    return account_id


def shown(row: Row) -> dict[str, Any]:
    return {
        "AccountId": row["account_id"],
        "Name": row["name"],
        "CreatedTimestamp": row["created_at"],
    }
