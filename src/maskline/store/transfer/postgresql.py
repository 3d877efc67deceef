"""A PostgreSQL database as something to export from or import into."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import tuple_row

from maskline.store import connections, migrations, postgresql
from maskline.store.port import StoreUnusable
from maskline.store.transfer.archive import Row, Table
from maskline.store.transfer.side import Side, columns_of

KINDS = {"bigint": "integer", "text": "text", "bytea": "blob"}
AT_A_TIME = 1000

# Those of extensions left out, which may be in every new database.
TABLES = """
    SELECT relname::text FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT EXISTS (
        SELECT 1 FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
    )
    ORDER BY relname
"""
COLUMNS = """
    SELECT table_name, column_name, data_type, is_identity FROM information_schema.columns
    WHERE table_schema = current_schema() AND is_generated = 'NEVER'
    ORDER BY table_name, ordinal_position
"""
KEYS = """
    SELECT table_name, column_name FROM information_schema.key_column_usage
    JOIN information_schema.table_constraints USING (constraint_schema, constraint_name, table_name)
    WHERE constraint_schema = current_schema() AND constraint_type = 'PRIMARY KEY'
    ORDER BY table_name, ordinal_position
"""
REFERENCES = """
    SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
    WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
"""


class PostgresqlSide(Side):
    def __init__(self, connection: connections.Connection, key_file: Path) -> None:
        super().__init__(key_file)
        self._connection = connection

    def steps(self) -> dict[int, str]:
        return postgresql.done_steps(self._connection)

    def tables(self) -> list[Table]:
        columns, keys = self._select(COLUMNS), self._select(KEYS)
        names = sorted({row[0] for row in columns} & migrations.tables())
        return [
            Table(
                name,
                [column for table, column, *_ in columns if table == name],
                [KINDS[kind] for table, _, kind, _ in columns if table == name],
                [column for table, column in keys if table == name],
            )
            for name in names
        ]

    def references(self) -> list[tuple[str, str]]:
        return [(name, target) for name, target in self._select(REFERENCES)]

    def rows(self, table: Table) -> Iterator[Row]:
        query = f"SELECT {columns_of(table)} FROM {table.table} ORDER BY {', '.join(table.key)}"
        with self._connection.cursor("export", row_factory=tuple_row) as cursor:
            cursor.itersize = AT_A_TIME
            yield from cursor.execute(query.encode())

    def run(self, step: migrations.Step) -> None:
        postgresql.run_step(self._connection, step)

    def fill(self, table: Table, rows: Iterable[Row]) -> None:
        try:
            self._copy(table, rows)
            for column in self._identities(table):
                self._connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table.table}', '{column}'),"
                    f" max({column})) FROM {table.table}".encode()
                )
        except psycopg.Error as error:
            raise StoreUnusable(f"{table.table}: {error}") from error

    def _copy(self, table: Table, rows: Iterable[Row]) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {table.table} ({columns_of(table)}) FROM STDIN".encode()) as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def _identities(self, table: Table) -> list[str]:
        return [
            column
            for name, column, _, identity in self._select(COLUMNS)
            if name == table.table and identity == "YES"
        ]

    def _select(self, query: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(query.encode()).fetchall()


@contextmanager
def source(url: str, key_file: Path) -> Iterator[PostgresqlSide]:
    """The database as it is at one moment; services may go on using it."""
    with connections.connect(url) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            yield PostgresqlSide(connection, key_file)


@contextmanager
def target(url: str, key_file: Path) -> Iterator[PostgresqlSide]:
    """An empty database, in which all is there when the block is done and nothing before."""
    with (
        connections.connect(url) as connection,
        postgresql.lock(connection, postgresql.PREPARING),
        connection.transaction(),
    ):
        side = PostgresqlSide(connection, key_file)
        if found := side._select(TABLES):
            raise StoreUnusable(
                f"the database is not empty: it has the table {found[0][0]};"
                " an import needs a new database (createdb)"
            )
        postgresql.require_unicode(connection)
        yield side
        connection.execute(postgresql.PROOF)
        connection.execute("INSERT INTO key_proof VALUES (%s)", (side.key_proof(),))
