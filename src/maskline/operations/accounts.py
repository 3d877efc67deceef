"""Accounts and the access keys that sign requests in their name."""

import json
import secrets
import string
from dataclasses import dataclass

from maskline.operations.context import Context
from maskline.store import Transaction

KEY_ID_ALPHABET = string.ascii_uppercase + "234567"
SECRET_ALPHABET = string.ascii_letters + string.digits + "+/"


@dataclass(frozen=True)
class Credentials:
    """A new access key. The secret is known here and then only to whoever keeps it."""

    account_id: str
    access_key_id: str
    secret_access_key: str


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """An access key as the verifier of signatures needs it.

    `actions` are patterns such as `chime:*`, `resources` such as `arn:aws:chime:…:vc/…` or `*`.
    """

    access_key_id: str
    account_id: str
    secret_access_key: str
    active: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]


def bootstrap_account(context: Context, name: str = "default") -> Credentials | None:
    """The first account and its key, which may do everything; None when there is one already."""
    row = context.tx.one("count_accounts")
    if row is not None and row["accounts"]:
        return None
    account_id = str(secrets.randbelow(9 * 10**11) + 10**11)
    context.tx.run(
        "insert_account", account_id=account_id, name=name, operator=True, now=context.now
    )
    return make_access_key(context, account_id, ("*",), ("*",))


def make_access_key(
    context: Context, account_id: str, actions: tuple[str, ...], resources: tuple[str, ...]
) -> Credentials:
    credentials = Credentials(
        account_id=account_id,
        access_key_id="AKIA" + random_text(KEY_ID_ALPHABET, 16),
        secret_access_key=random_text(SECRET_ALPHABET, 40),
    )
    context.tx.run(
        "insert_access_key",
        access_key_id=credentials.access_key_id,
        account_id=account_id,
        sealed_secret=context.tx.cipher.seal(
            credentials.secret_access_key, credentials.access_key_id
        ),
        actions=json.dumps(actions),
        resources=json.dumps(resources),
        now=context.now,
    )
    return credentials


def find_access_key(tx: Transaction, access_key_id: str) -> AccessKey | None:
    row = tx.one("get_access_key", access_key_id=access_key_id)
    if row is None:
        return None
    return AccessKey(
        access_key_id=row["access_key_id"],
        account_id=row["account_id"],
        secret_access_key=tx.cipher.unseal(row["sealed_secret"], row["access_key_id"]),
        active=bool(row["active"]),
        actions=tuple(json.loads(row["actions"])),
        resources=tuple(json.loads(row["resources"])),
    )


def random_text(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
