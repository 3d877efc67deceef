"""A SQLite database as something to export from or import into."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from maskline.store import migrations, sqlite
from maskline.store.port import StoreUnusable
from maskline.store.transfer.archive import Row, Table
from maskline.store.transfer.side import Side, columns_of

STORED = 0  # of `hidden` in PRAGMA table_xinfo: no generated column


class SqliteSide(Side):
    def __init__(self, connection: sqlite3.Connection, key_file: Path) -> None:
        super().__init__(key_file)
        self._connection = connection

    def steps(self) -> dict[int, str]:
        return sqlite.done_steps(self._connection)

    def tables(self) -> list[Table]:
        found = self._connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall()
        ours = migrations.tables()
        return [self._table(row["name"]) for row in found if row["name"] in ours]

    def references(self) -> list[tuple[str, str]]:
        found = self._connection.execute(
            'SELECT owner.name, target."table" FROM sqlite_master AS owner'
            " JOIN pragma_foreign_key_list(owner.name) AS target WHERE owner.type = 'table'"
        )
        return [(name, target) for name, target in found]

    def rows(self, table: Table) -> Iterator[Row]:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        keys = ", ".join(table.key)
        yield from cursor.execute(f"SELECT {columns_of(table)} FROM {table.table} ORDER BY {keys}")

    def run(self, step: migrations.Step) -> None:
        sqlite.run_step(self._connection, step)

    def fill(self, table: Table, rows: Iterable[Row]) -> None:
        marks = ", ".join("?" for _ in table.columns)
        try:
            self._connection.executemany(
                f"INSERT INTO {table.table} ({columns_of(table)}) VALUES ({marks})", rows
            )
        except (sqlite3.Error, OverflowError) as error:
            raise StoreUnusable(f"{table.table}: {error}") from error

    def _table(self, name: str) -> Table:
        columns = self._connection.execute(
            "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden = ?", (name, STORED)
        ).fetchall()
        keys = sorted((row["pk"], row["name"]) for row in columns if row["pk"])
        return Table(
            name,
            [row["name"] for row in columns],
            [row["type"].lower() for row in columns],
            [name for _, name in keys],
        )


@contextmanager
def source(path: Path) -> Iterator[SqliteSide]:
    """The database as it is at one moment; a service may go on using it."""
    if not path.exists():
        raise StoreUnusable(f"there is no database {path}")
    connection = sqlite.connect(path)
    try:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("BEGIN")
        yield SqliteSide(connection, sqlite.key_file_of(path))
    finally:
        connection.close()


@contextmanager
def target(path: Path) -> Iterator[SqliteSide]:
    """A new database, which is there when the block is done and not before."""
    if path.exists():
        raise StoreUnusable(f"{path} is there already; an import makes a new database")
    sqlite.require_no_log(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    growing = path.with_name(path.name + ".importing")
    growing.unlink(missing_ok=True)
    connection = sqlite.connect(growing)
    try:
        # One flush at the end will do: until then there is nothing to lose.
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        yield SqliteSide(connection, sqlite.key_file_of(path))
        connection.execute("COMMIT")
        connection.close()
        flush(growing)
        os.link(growing, path)  # unlike a renaming it spares a file that came meanwhile
        flush(path.parent)
    finally:
        connection.close()
        growing.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Brings a file, or the names in a directory, safely to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
