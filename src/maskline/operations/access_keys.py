"""Access keys: what signs requests, and what it may do."""

import json
import re
import secrets
import string
from dataclasses import dataclass
from typing import Any

from maskline.domain.permissions import EVERYTHING, Grant, require_few_stars
from maskline.domain.refusals import BadRequest, Forbidden, NotFound, Unauthorized
from maskline.operations.context import Answer, Context, Request
from maskline.operations.pages import page_of
from maskline.operations.quotas import require_room
from maskline.operations.tenancy import account_for, is_operator
from maskline.store import Row, Transaction

KEY_ID_ALPHABET = string.ascii_uppercase + "234567"
KEY_ID = re.compile(rf"AKIA[{KEY_ID_ALPHABET}]{{16}}")
SECRET_ALPHABET = string.ascii_letters + string.digits + "+/"


@dataclass(frozen=True)
class Credentials:
    """A new access key. The secret is known here and then only to whoever keeps it."""

    account_id: str
    access_key_id: str
    secret_access_key: str


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """An access key as the verifier of signatures needs it."""

    access_key_id: str
    account_id: str
    secret_access_key: str
    active: bool
    grant: Grant


def is_access_key_id(text: str) -> bool:
    """Whether a text can be the id of an access key at all."""
    return KEY_ID.fullmatch(text) is not None


def find_access_key(tx: Transaction, access_key_id: str) -> AccessKey | None:
    row = tx.one("get_access_key", access_key_id=access_key_id)
    if row is None:
        return None
    return AccessKey(
        access_key_id=row["access_key_id"],
        account_id=row["account_id"],
        secret_access_key=tx.cipher.unseal(row["sealed_secret"], row["access_key_id"]),
        active=bool(row["active"]),
        grant=grant_of(row),
    )


def create_access_key(context: Context, request: Request) -> Answer:
    """A new key, which may do no more than the key that asks for it. Its secret is shown once."""
    grant = allowed_grant(context, request, EVERYTHING)
    account_id = account_for(context, request)
    require_room(context, "access_keys", account_id)
    credentials = make_access_key(context, account_id, grant)
    return {"AccessKey": shown_with_secret(context, credentials)}


def rotate_access_key(context: Context, request: Request) -> Answer:
    """A new key that may do what an old one may; the old one works until it is disabled.

    An account that has all the keys that it can have may have one more, to change to.
    """
    old = manageable_key(context, request["AccessKeyId"])
    require_room(context, "access_keys", old["account_id"], beyond=1)
    credentials = make_access_key(context, old["account_id"], grant_of(old))
    return {"AccessKey": shown_with_secret(context, credentials)}


def list_access_keys(context: Context, request: Request) -> Answer:
    account_id = account_for(context, request)
    page = page_of(context, request, "ListAccessKeys", account_id, start="")
    found = context.tx.all(
        "list_access_keys",
        account_id=account_id,
        after=page.position,
        limit=page.limit,
    )
    page = page.bounded(found, "actions", "resources")
    return page.answer("AccessKeys", found, shown, "access_key_id")


def update_access_key(context: Context, request: Request) -> Answer:
    """Enables or disables a key, or replaces what it may do."""
    row = manageable_key(context, request["AccessKeyId"])
    grant = allowed_grant(context, request, grant_of(row))
    status = request.get("Status")
    active = bool(row["active"]) if status is None else status == "Active"
    if not active:
        refuse_own_key(context, row)
    context.tx.run(
        "update_access_key",
        access_key_id=row["access_key_id"],
        active=active,
        **stored(grant),
    )
    return {"AccessKey": shown(require_key(context, row["access_key_id"]))}


def delete_access_key(context: Context, request: Request) -> Answer:
    row = manageable_key(context, request["AccessKeyId"])
    refuse_own_key(context, row)
    context.tx.run("delete_access_key", access_key_id=row["access_key_id"])
    return {}


def make_access_key(context: Context, account_id: str, grant: Grant) -> Credentials:
    credentials = Credentials(
        account_id=account_id,
        access_key_id="AKIA" + random_text(KEY_ID_ALPHABET, 16),
        secret_access_key=random_text(SECRET_ALPHABET, 40),
    )
    sealed = context.tx.cipher.seal(credentials.secret_access_key, credentials.access_key_id)
    context.tx.run(
        "insert_access_key",
        access_key_id=credentials.access_key_id,
        account_id=account_id,
        sealed_secret=sealed,
        now=context.now,
        **stored(grant),
    )
    return credentials


def allowed_grant(context: Context, request: Request, default: Grant) -> Grant:
    """The grant that a request names; no key gives more than it has itself."""
    actions, resources = (tuple(request.get(member) or ()) for member in ("Actions", "Resources"))
    require_few_stars(Grant(actions, resources))
    grant = Grant(actions or default.actions, resources or default.resources)
    require_covered(context, grant, "An access key cannot allow more than the key that asks for it")
    return grant


def manageable_key(context: Context, access_key_id: str) -> Row:
    """The row of a key that the key that asks may rotate, change and delete: one that allows no
    more than it does itself. Else a key with a short list could disable those of everybody else.
    """
    row = require_key(context, access_key_id)
    require_covered(context, grant_of(row), "The access key allows more than the key that asks")
    return row


def require_covered(context: Context, grant: Grant, refusal: str) -> None:
    """Raises Forbidden unless the key that asks, if one does, may do all that a grant allows."""
    own = require_own_key(context)
    if own is not None and not grant_of(own).covers(grant):
        raise Forbidden(refusal)


def require_own_key(context: Context) -> Row | None:
    """The row of the key that asks, None where none does; raises Unauthorized if it works no more.

    Another process may have disabled it a moment ago: it must not undo that, or live on in a copy.
    """
    if context.access_key_id is None:
        return None
    row = context.tx.one("get_access_key", access_key_id=context.access_key_id)
    if row is None or not row["active"]:
        raise Unauthorized("The access key is disabled")
    return row


def refuse_own_key(context: Context, row: Row) -> None:
    if row["access_key_id"] == context.access_key_id:
        raise BadRequest("The access key that signs the request cannot be disabled by it")


def require_key(context: Context, access_key_id: str) -> Row:
    """The row of a key of the account, or for the operator of any; raises NotFound."""
    row = context.tx.one("get_access_key", access_key_id=access_key_id)
    if row is None or (row["account_id"] != context.account_id and not is_operator(context)):
        raise NotFound(f"Could not find AccessKey with Id '{access_key_id}'")
    return row


def grant_of(row: Row) -> Grant:
    return Grant(tuple(json.loads(row["actions"])), tuple(json.loads(row["resources"])))


def stored(grant: Grant) -> dict[str, str]:
    return {"actions": json.dumps(grant.actions), "resources": json.dumps(grant.resources)}


def shown(row: Row) -> dict[str, Any]:
    grant = grant_of(row)
    return {
        "AccessKeyId": row["access_key_id"],
        "AccountId": row["account_id"],
        "Status": "Active" if row["active"] else "Inactive",
        "Actions": list(grant.actions),
        "Resources": list(grant.resources),
        "CreatedTimestamp": row["created_at"],
    }


def shown_with_secret(context: Context, credentials: Credentials) -> dict[str, Any]:
    row = context.tx.one("get_access_key", access_key_id=credentials.access_key_id)
    assert row is not None
    return {**shown(row), "SecretAccessKey": credentials.secret_access_key}


def random_text(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
