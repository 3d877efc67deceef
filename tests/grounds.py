"""What a desk stands on: a database in memory, or the transaction of a server's that is undone."""

import sqlite3
from pathlib import Path
from typing import Any, Protocol

from cluster import Cluster

from maskline.store import Transaction, connections, postgresql
from maskline.store.secrets import Cipher
from maskline.store.sqlite import SqliteTransaction, connect, prepare

CIPHER = Cipher(bytes(range(64)))


class Ground(Protocol):
    tx: Transaction

    def begin(self) -> None: ...

    def keep(self) -> None: ...

    def undo(self) -> None: ...

    def sql(self, text: str, *values: Any) -> list[Any]:
        """What a statement with `?` for its values gives."""

    def dump(self) -> str:
        """All that is stored."""

    def close(self) -> None: ...


class SqliteGround:
    def __init__(self) -> None:
        self._connection = connect(Path(":memory:"))
        prepare(self._connection)
        self.tx: Transaction = SqliteTransaction(self._connection, CIPHER)

    def begin(self) -> None:
        self._connection.execute("BEGIN")

    def keep(self) -> None:
        self._connection.execute("COMMIT")

    def undo(self) -> None:
        self._connection.execute("ROLLBACK")

    def sql(self, text: str, *values: Any) -> list[Any]:
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        return cursor.execute(text, values).fetchall()

    def dump(self) -> str:
        return "\n".join(self._connection.iterdump())

    def close(self) -> None:
        self._connection.close()


class PostgresqlGround:
    """The one connection of these tests, in a transaction that the next desk begins anew."""

    _connection: connections.Connection | None = None

    def __init__(self, cluster: Cluster) -> None:
        if PostgresqlGround._connection is None:
            PostgresqlGround._connection = connections.connect(cluster.new_database())
            postgresql.migrate(PostgresqlGround._connection)
        self._execute = PostgresqlGround._connection.execute
        self.close()
        self._execute("BEGIN")
        self.tx: Transaction = postgresql.PostgresqlTransaction(
            PostgresqlGround._connection, CIPHER
        )

    def begin(self) -> None:
        self._execute("SAVEPOINT job")

    def keep(self) -> None:
        self._execute("RELEASE job")

    def undo(self) -> None:
        self._execute("ROLLBACK TO job")

    def sql(self, text: str, *values: Any) -> list[Any]:
        cursor = self._execute(text.replace("?", "%s").encode(), values)
        return cursor.fetchall() if cursor.description else []

    def dump(self) -> str:
        tables = self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return "\n".join(str(self.sql(f"SELECT * FROM {row['tablename']}")) for row in tables)

    def close(self) -> None:
        assert self._connection is not None
        if self._connection.info.transaction_status.name != "IDLE":
            self._connection.execute("ROLLBACK")
