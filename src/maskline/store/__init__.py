"""Where everything is kept: the only room that speaks SQL."""

from collections.abc import Mapping
from pathlib import Path

from maskline.store import sqlite
from maskline.store.place import of_postgresql, sqlite_path
from maskline.store.port import Row, Store, StoreFailed, StoreUnusable, Transaction
from maskline.store.secrets import NotSealed

__all__ = [
    "NotSealed",
    "Row",
    "Store",
    "StoreFailed",
    "StoreUnusable",
    "Transaction",
    "open_store",
    "steps_done",
]


def open_store(
    url: str, key_file: Path | None = None, *, cache_mebibytes: int = sqlite.CACHE_MEBIBYTES
) -> Store:
    """The store at `sqlite:PATH` or `postgresql://…`, made and brought up to date where needed.

    Secrets are sealed under a key that is not in the database: a copy of the database alone gives
    no secret away. SQLite's is in `PATH.key`, PostgreSQL's in `key_file`; it is made with a new
    database. Each connection to a SQLite database keeps `cache_mebibytes` of it in memory.

    Raises ValueError for another kind of URL, StoreUnusable for a database of another version,
    without its key or without the library it needs, or that another process uses alone, and what
    the library raises when the database cannot be reached.
    """
    path = sqlite_path(url)
    if path:
        return sqlite.SqliteStore(path, cache_mebibytes)
    if key_file is None:
        raise ValueError("a PostgreSQL store needs a key file")
    store: Store = of_postgresql("maskline.store.postgresql").PostgresqlStore(url, key_file)
    return store


def steps_done(url: str) -> Mapping[int, str]:
    """The steps of the schema that ran in a database, by number, which is left as it is.

    None have where it is not there yet. Raises as `open_store`.
    """
    path = sqlite_path(url)
    found: Mapping[int, str] = (
        sqlite.steps_of(path) if path else of_postgresql("maskline.store.postgresql").steps_of(url)
    )
    return found
