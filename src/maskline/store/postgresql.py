"""The store on PostgreSQL, for any number of processes.

Writers keep out of each other's way by locks, which they take before they look (READ COMMITTED:
each statement sees what was committed before it). All share one lock, the house's. Most work takes
it for itself alone, so that nothing that is right on SQLite, where one writes at a time, can be
wrong here. What is done often takes it with others, and locks by name what it works on. So nothing
collides and nothing is done twice; see docs/decisions/writing-on-postgresql.md.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import generators
from psycopg.rows import DictRow

from maskline.store import dialect, migrations
from maskline.store.connections import (
    MOST,
    AsyncConnection,
    Connection,
    Connections,
    connect,
    turn,
)
from maskline.store.greenlets import awaited, spawned
from maskline.store.port import Row, StoreFailed, StoreUnusable, Transaction
from maskline.store.secrets import Cipher, key_proof, make_key_file, open_cipher
from maskline.store.statements import QUERIES

T = TypeVar("T")
Execution = Awaitable[psycopg.AsyncCursor[DictRow]]

# Puts a mebibyte on the disk of the database, and takes it away again at once.
TO_DISK = b"SET LOCAL work_mem = '64kB'; SET LOCAL temp_tablespaces = ''"
FILLING = (
    b"WITH filling AS MATERIALIZED (SELECT repeat('x', 8192) FROM generate_series(1, 128))"
    b" SELECT count(*) FROM filling"
)

STATEMENTS = {name: dialect.query(text).encode() for name, text in QUERIES.items()}
# How long work waits for a lock, and how long a transaction may stand still: a machine that died in
# the midst of one must not hold its locks for longer.
LONGEST_WAIT = "SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s'"
# Of connections for reading. A read that takes longer is broken off: nobody waits for its answer.
READ_ONLY = "SET default_transaction_read_only = on; SET statement_timeout = '30s'"
# For which a read apart waits, also for its turn: the server breaks it off before, if it can.
APART_SECONDS = 60.0
LOCK_MILLISECONDS = 2000
ATTEMPTS = 5 * MOST
# A migration has changed a table that statements of the connection were prepared for; or psycopg
# takes one for prepared that is not, because a batch had failed before it came to it.
STALE = (psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidSqlStatementName)
# The server is away, or has taken the work back: we stood still for too long in the midst of it.
AWAY = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)
# A primary that has become a standby, say. Its name may be another server's by now.
TAKES_NO_CHANGES = psycopg.errors.ReadOnlySqlTransaction
# Any number, the same in all processes: who holds this lock brings the schema up to date.
PREPARING = 0x6D61736B
# And this one is the house's, held by all who write.
HOUSE = PREPARING + 1
# One row, that tells a wrong key from the right one.
PROOF = "CREATE TABLE IF NOT EXISTS key_proof (proof BYTEA NOT NULL)"

ALONE = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({HOUSE})"
BESIDE = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock_shared({HOUSE})"
READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# In the order in which they stand, which is the same for all; then tells the time as it goes on.
LOCK = (
    b"WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[])"
    b" AS number UNION ALL SELECT pg_advisory_xact_lock_shared(number) FROM unnest(%s::bigint[])"
    b" AS number) SELECT count(*), CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
    b" AS now FROM held"
)
LOCK_FREE = (
    b"SELECT number FROM unnest(%s::bigint[]) AS number WHERE pg_try_advisory_xact_lock(number)"
)


class NotBegun(Exception):
    """The connection was lost, and nothing with it: before a change began, or by who only reads. A
    restart of the server, say."""


class PostgresqlTransaction:
    """A transaction on a connection; what begins and ends it stands outside. For work that
    `spawned` runs."""

    def __init__(self, connection: AsyncConnection, cipher: Cipher) -> None:
        self._connection = connection
        self._execute = connection.execute
        self.cipher = cipher
        self.changed = False

    def one(self, query: str, **parameters: Any) -> Row | None:
        return awaited(first_row(self._execute(STATEMENTS[query], parameters)))

    def all(self, query: str, **parameters: Any) -> list[Row]:
        return [*awaited(all_rows(self._execute(STATEMENTS[query], parameters)))]

    def run(self, query: str, **parameters: Any) -> int:
        rows = awaited(self._execute(STATEMENTS[query], parameters)).rowcount
        self.changed |= rows > 0
        return rows

    def run_each(self, query: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self.changed = True
            awaited(self._connection.cursor().executemany(STATEMENTS[query], rows))

    def fill(self) -> None:
        """Fails where the disk of the database has no room for a mebibyte."""
        awaited(self._execute(TO_DISK))
        awaited(self._execute(FILLING))

    def lock(self, *names: str, shared: Sequence[str] = (), last: Collection[str] = ()) -> int:
        alone = [*numbers_of(names), *numbers_of(last)]
        (row,) = awaited(all_rows(self._execute(LOCK, [alone, numbers_of(shared)])))
        return int(row["now"])

    def lock_free(self, *names: str) -> Collection[str]:
        rows = awaited(all_rows(self._execute(LOCK_FREE, [numbers_of(names)])))
        mine = {row["number"] for row in rows}
        return {name for name in names if not mine.isdisjoint(numbers_of([name]))}

    def time(self) -> int:
        return self.lock()


async def first_row(execution: Execution) -> DictRow | None:
    return await (await execution).fetchone()


async def all_rows(execution: Execution) -> list[DictRow]:
    return await (await execution).fetchall()


def numbers_of(names: Iterable[str]) -> list[int]:
    """What names are called among PostgreSQL's locks. Two names of one number only wait more."""
    digests = {hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names}
    return sorted(int.from_bytes(digest, signed=True) for digest in digests)


class PostgresqlStore:
    """A database of a PostgreSQL server, shared with other processes that have the same key.

    Work runs on the event loop, which goes on while the server works. It is for one loop; what is
    under way when the store is closed is finished if the loop goes on.
    """

    def __init__(self, url: str, key_file: Path) -> None:
        with connect(url) as connection:
            self._cipher = prepare(connection, key_file)
        reading = f"{LONGEST_WAIT}; {READ_ONLY}"
        self._reading, self._writing = Connections(url, reading), Connections(url, LONGEST_WAIT)
        self._apart = Connections(url, reading)
        self._alone = asyncio.Semaphore(1)
        self.failing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-reader")

    async def read(
        self, work: Callable[[Transaction], T], *, apart: bool = False, piecemeal: bool = False
    ) -> T:
        if apart:
            return await self._read_apart(work)
        return await self._insist(self._reading, "" if piecemeal else READING, work)

    async def _read_apart(self, work: Callable[[Transaction], T]) -> T:
        asked_at = time.monotonic()  # before it waits for its turn
        reading = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: asyncio.run(self._insist(self._apart, READING, work, asked_at))
        )
        try:
            async with asyncio.timeout(APART_SECONDS):
                return await reading
        except TimeoutError:
            raise StoreFailed("the database does not answer") from None

    async def write(self, work: Callable[[Transaction], T], *, beside: bool = False) -> T:
        try:
            if beside:
                return await self._insist(self._writing, BESIDE, work)
            return await self._write_alone(work)
        except StoreFailed:
            self.failing = True
            raise
        except TAKES_NO_CHANGES as error:
            self.failing = True
            raise StoreFailed(str(error)) from error

    async def _write_alone(self, work: Callable[[Transaction], T]) -> T:
        """One at a time: more of them would only wait for each other at the server, and keep the
        connections from what is done beside others, a call say."""
        try:
            await turn(self._alone)
        except psycopg.OperationalError as error:
            raise StoreFailed(str(error)) from error
        try:
            return await self._insist(self._writing, ALONE, work)
        finally:
            self._alone.release()

    async def touch(self) -> None:
        await self.write(touch_with_room, beside=True)

    def break_off(self) -> None:
        for connections in (self._reading, self._writing, self._apart):
            connections.break_off()

    def close(self) -> None:
        self._apart.break_off()  # the thread would wait for a server that says nothing
        self._thread.shutdown()
        for connections in (self._reading, self._writing, self._apart):
            connections.close()

    async def _insist(
        self,
        connections: Connections,
        beginning: str,
        work: Callable[[Transaction], T],
        asked_at: float | None = None,
    ) -> T:
        """Runs the work again where it failed for no fault of its own and left nothing behind."""
        for _ in range(ATTEMPTS):
            try:
                return await self._attempt(connections, beginning, work, asked_at)
            except (*STALE, NotBegun, psycopg.errors.DeadlockDetected):
                continue
            except AWAY as error:
                raise StoreFailed(str(error)) from error
        raise StoreFailed(f"the work could not be done in {ATTEMPTS} attempts")

    async def _attempt(
        self,
        connections: Connections,
        beginning: str,
        work: Callable[[Transaction], T],
        asked_at: float | None,
    ) -> T:
        connection = await connections.take(asked_at)
        tx = PostgresqlTransaction(connection, self._cipher)
        try:
            if connections is not self._writing:  # a read leaves nothing behind
                with untouched(connection):
                    if beginning:
                        return await in_transaction(connection, beginning, work, tx)
                    return await spawned(work, tx)
            done = await in_transaction(connection, beginning, work, tx)
            if tx.changed:  # what changes nothing is kept on a full disk, too
                self.failing = False
            return done
        except (*STALE, TAKES_NO_CHANGES):  # the connection is of no use for other work, either
            connection.pgconn.finish()
            raise
        finally:
            connections.give_back(connection)


def touch_with_room(tx: Transaction) -> None:
    """A small change fits on a disk where others do not: one that is kept shows little."""
    assert isinstance(tx, PostgresqlTransaction)
    tx.fill()
    tx.run("touch")


@contextmanager
def untouched(connection: AsyncConnection) -> Iterator[None]:
    """What is done before a change, or by a read: if the connection is lost, nothing else is."""
    try:
        yield
    except psycopg.OperationalError as error:
        if connection.broken and not connection.silent:
            raise NotBegun from error
        raise


async def in_transaction(
    connection: AsyncConnection,
    beginning: str,
    work: Callable[[Transaction], T],
    tx: PostgresqlTransaction,
) -> T:
    with untouched(connection):
        await connection.execute(beginning.encode())
    try:
        result = await spawned(work, tx)
    except Exception:
        await roll_back(connection)
        raise
    await connection.execute("COMMIT")
    return result


async def roll_back(connection: AsyncConnection) -> None:
    """Not by psycopg's own, which would forget all that it has prepared: no table came or went."""
    if not connection.closed:
        connection.pgconn.send_query(b"ROLLBACK")
        await connection.wait(generators.execute(connection.pgconn))


@contextmanager
def lock(connection: Connection, number: int) -> Iterator[None]:
    """Holds one of the locks that all processes know; it goes with the connection, too."""
    connection.execute("SELECT pg_advisory_lock(%s)", (number,))
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s)", (number,))


def prepare(connection: Connection, key_file: Path) -> Cipher:
    """Brings the schema up to date and gives the database's cipher, one process at a time."""
    with lock(connection, PREPARING):
        if not done_steps(connection):
            require_unicode(connection)
        migrate(connection)
        return cipher_of(connection, key_file)


def require_unicode(connection: Connection) -> None:
    """Raises StoreUnusable for a new database that could not keep every text."""
    found = connection.execute("SHOW server_encoding").fetchone()
    if found and found["server_encoding"] != "UTF8":
        raise StoreUnusable(
            f"the database keeps texts in {found['server_encoding']}, which has not all characters;"
            " make one with: createdb --template template0 --encoding UTF8 --locale C NAME"
        )


def migrate(connection: Connection) -> None:
    """Brings the schema up to date.

    A step waits for its locks only so long: who needs the same tables queues behind it.
    """

    def run(step: migrations.Step) -> None:
        for _ in range(ATTEMPTS):
            try:
                with connection.transaction():
                    connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}".encode())
                    run_step(connection, step)
                return
            except psycopg.errors.LockNotAvailable:
                time.sleep(LOCK_MILLISECONDS / 1000)  # let the others pass
        raise StoreFailed(f"step {step.number} of the schema was in others' way {ATTEMPTS} times")

    migrations.migrate(done_steps(connection), run)


def steps_of(url: str) -> dict[int, str]:
    with connect(url) as connection:
        return done_steps(connection)


def done_steps(connection: Connection) -> dict[int, str]:
    """The steps of the schema that ran, by number; none in a new database."""
    found = connection.execute("SELECT to_regclass('migrations') AS ledger").fetchone()
    if found is None or found["ledger"] is None:
        return {}
    ran = connection.execute("SELECT step, name FROM migrations").fetchall()
    return {row["step"]: row["name"] for row in ran}


def run_step(connection: Connection, step: migrations.Step) -> None:
    """Runs a step and notes that it ran, inside a transaction."""
    connection.execute(dialect.schema(migrations.LEDGER).encode())
    connection.execute(dialect.schema(step.script).encode())
    connection.execute("INSERT INTO migrations VALUES (%s, %s)", (step.number, step.name))


def cipher_of(connection: Connection, key_file: Path) -> Cipher:
    """The cipher of the key file; a new key is made for a new database, and for no other."""
    connection.execute(PROOF)
    row = connection.execute("SELECT proof FROM key_proof").fetchone()
    if row is None and not key_file.exists():
        key_file.parent.mkdir(parents=True, exist_ok=True)
        make_key_file(key_file)
    try:
        cipher = open_cipher(key_file)
    except FileNotFoundError:
        raise StoreUnusable(
            f"the database is there, but {key_file}, its key, is not;"
            " it lies where another process of this database has its store.key"
        ) from None
    except ValueError as error:
        raise StoreUnusable(str(error)) from None
    proof = key_proof(key_file)
    if row is None:
        connection.execute("INSERT INTO key_proof VALUES (%s)", (proof,))
    elif row["proof"] != proof:
        raise StoreUnusable(f"{key_file} is not the key of this database")
    return cipher
