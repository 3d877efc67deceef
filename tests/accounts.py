"""The least that tests of a store write and read: accounts."""

from collections.abc import Callable

from maskline.store import Transaction


def add(account_id: str) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        tx.run("insert_account", account_id=account_id, name="n", operator=True, now=1)

    return work


def count(tx: Transaction) -> int:
    row = tx.one("count_accounts")
    assert row is not None
    accounts: int = row["accounts"]
    return accounts
