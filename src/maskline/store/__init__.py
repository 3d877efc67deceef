"""Where everything is kept: the only room that speaks SQL."""

from pathlib import Path

from maskline.store.port import Row, Store, StoreFailed, StoreUnusable, Transaction
from maskline.store.secrets import NotSealed
from maskline.store.sqlite import SqliteStore

__all__ = ["NotSealed", "Row", "Store", "StoreFailed", "StoreUnusable", "Transaction", "open_store"]


def open_store(url: str) -> Store:
    """The store at `sqlite:PATH`, made and brought up to date where needed.

    Beside the file lies `PATH.key`, under which secrets are sealed: a copy of the database
    without it gives no secret away. Raises ValueError for another kind of URL, StoreUnusable for
    a database of another version or without its key.
    """
    scheme, _, path = url.partition(":")
    if scheme != "sqlite" or not path:
        raise ValueError(f"{url!r} is not a store such as sqlite:var/maskline.db")
    return SqliteStore(Path(path))
