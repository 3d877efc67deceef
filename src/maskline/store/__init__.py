"""Where everything is kept: the only room that speaks SQL."""

from pathlib import Path

from maskline.store.port import Row, Store, StoreFailed, StoreUnusable, Transaction
from maskline.store.secrets import NotSealed
from maskline.store.sqlite import SqliteStore

__all__ = ["NotSealed", "Row", "Store", "StoreFailed", "StoreUnusable", "Transaction", "open_store"]


def open_store(url: str, key_file: Path | None = None) -> Store:
    """The store at `sqlite:PATH` or `postgresql://…`, made and brought up to date where needed.

    Secrets are sealed under a key that is not in the database: a copy of the database alone gives
    no secret away. SQLite's is in `PATH.key`, PostgreSQL's in `key_file`; it is made with a new
    database.

    Raises ValueError for another kind of URL, StoreUnusable for a database of another version,
    without its key or without the library it needs, and what that library raises when the database
    cannot be reached.
    """
    scheme, _, place = url.partition(":")
    if scheme == "sqlite" and place:
        return SqliteStore(Path(place))
    if scheme == "postgresql" and place.startswith("//") and key_file:
        return open_postgresql(url, key_file)
    raise ValueError(
        f"{url!r} is not a store such as sqlite:var/maskline.db or postgresql://host/name"
    )


def open_postgresql(url: str, key_file: Path) -> Store:
    """As `open_store`; the library is loaded only where it is used, and need not be there."""
    try:
        from maskline.store.postgresql import PostgresqlStore
    except ImportError as error:
        raise StoreUnusable(
            f"the Python packages of maskline[postgresql] are not installed: {error}"
        ) from error
    return PostgresqlStore(url, key_file)
