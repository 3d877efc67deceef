"""What a desk stands on: a database in memory, or the transaction of a server's that is undone."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from cluster import Cluster

from maskline.store import Transaction, connections, postgresql
from maskline.store.greenlets import spawned
from maskline.store.secrets import Cipher
from maskline.store.sqlite import SqliteTransaction, connect, prepare

CIPHER = Cipher(bytes(range(64)))
FOR_AS_LONG_AS_IT_TAKES = "SET idle_in_transaction_session_timeout = 0"


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


class Beside:
    """An event loop in a thread of its own: work waits there, and its caller for it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, waits_for: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(waits_for, self._loop).result(60)


class TransactionBeside:
    """A transaction whose statements are carried out on a loop beside."""

    def __init__(self, beside: Beside, tx: postgresql.PostgresqlTransaction) -> None:
        self._beside, self._tx, self.cipher = beside, tx, tx.cipher

    def __getattr__(self, name: str) -> Callable[..., Any]:
        statement = getattr(self._tx, name)
        return lambda *given, **named: self._beside.run(spawned(lambda: statement(*given, **named)))


class PostgresqlGround:
    """The one connection of these tests, in a transaction that the next desk begins anew."""

    _beside: Beside | None = None
    _connection: connections.AsyncConnection | None = None

    def __init__(self, cluster: Cluster) -> None:
        if PostgresqlGround._beside is None:
            PostgresqlGround._beside = Beside()
            url = cluster.new_database()
            with connections.connect(url) as connection:
                postgresql.migrate(connection)
            # It is left in a transaction however long the tests between two desks take.
            kept = connections.Connections(url, FOR_AS_LONG_AS_IT_TAKES)
            PostgresqlGround._connection = self._beside.run(kept.take())
        self.close()
        self._execute("BEGIN")
        tx = postgresql.PostgresqlTransaction(self._connection, CIPHER)
        self.tx: Transaction = TransactionBeside(self._beside, tx)

    def _execute(self, text: str | bytes, values: Any = None) -> list[Any]:
        async def done() -> list[Any]:
            assert self._connection is not None
            cursor = await self._connection.execute(text, values)
            return await cursor.fetchall() if cursor.description else []

        assert self._beside is not None
        found: list[Any] = self._beside.run(done())
        return found

    def begin(self) -> None:
        self._execute("SAVEPOINT job")

    def keep(self) -> None:
        self._execute("RELEASE job")

    def undo(self) -> None:
        self._execute("ROLLBACK TO job")

    def sql(self, text: str, *values: Any) -> list[Any]:
        return self._execute(text.replace("?", "%s").encode(), values)

    def dump(self) -> str:
        tables = self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return "\n".join(str(self.sql(f"SELECT * FROM {row['tablename']}")) for row in tables)

    def close(self) -> None:
        assert self._connection is not None
        if self._connection.info.transaction_status.name != "IDLE":
            self._execute("ROLLBACK")
