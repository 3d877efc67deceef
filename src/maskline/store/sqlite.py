"""The store on SQLite: one writer, committing in groups; readers beside it."""

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from maskline.store import migrations
from maskline.store.port import Row, StoreFailed, StoreUnusable, Transaction
from maskline.store.secrets import Cipher, make_key_file, open_cipher
from maskline.store.statements import QUERIES
from maskline.store.writer import BUSY_SECONDS, Writer

T = TypeVar("T")

PREPARED_STATEMENTS = 512
CACHE_MEBIBYTES = 64
# Pages after which the log is written back to the database. Sessions spread over the pages of many
# indexes; written back rarely, the same page is so once for many of them.
LOG_PAGES = 8000
# Bytes beyond which the log is emptied as soon as nobody looks at an older state, and made shorter.
LONGEST_LOG = 2**27
EMPTYING_MILLISECONDS = 10  # for which others are waited for
# Bytes that a disk has left, on which writing works again after it did not: those of a large group.
ROOM = 2**20
# Nobody else writes, but somebody with a tool may: what he did is seen after so long at the latest.
KEPT_SECONDS = 1.0


# The columns of each query that was answered. Rows are dictionaries: sqlite3.Row looks at every
# column before the one it is asked for.
COLUMNS: dict[str, tuple[str, ...]] = {}


def named_columns(query: str, cursor: sqlite3.Cursor) -> tuple[str, ...]:
    names = COLUMNS[query] = tuple(column[0] for column in cursor.description)
    return names


class SqliteTransaction:
    """A transaction on a connection; what begins and ends it stands outside."""

    def __init__(self, connection: sqlite3.Connection, cipher: Cipher) -> None:
        self.connection = connection
        connection.row_factory = None
        self._execute = connection.execute
        self._execute_each = connection.executemany
        self.cipher = cipher

    def one(self, query: str, **parameters: Any) -> Row | None:
        cursor = self._execute(QUERIES[query], parameters)
        values = cursor.fetchone()
        if values is None:
            return None
        names = COLUMNS.get(query) or named_columns(query, cursor)
        return dict(zip(names, values, strict=True))

    def all(self, query: str, **parameters: Any) -> list[Row]:
        cursor = self._execute(QUERIES[query], parameters)
        names = COLUMNS.get(query) or named_columns(query, cursor)
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def run(self, query: str, **parameters: Any) -> int:
        return self._execute(QUERIES[query], parameters).rowcount

    def run_each(self, query: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._execute_each(QUERIES[query], rows)

    def lock(self, *names: str, shared: Sequence[str] = (), last: Collection[str] = ()) -> int:
        """There is nobody to wait for: one writes at a time."""
        return self.time()

    def lock_free(self, *names: str) -> Collection[str]:
        return names

    def time(self) -> int:
        return time.time_ns() // 1_000_000


class Snapshot:
    """What one thread reads through: the state of the database, which may stay open from one read
    to the next. To begin and to end costs as much as a read.

    While one is open that is older than a commit, the log of changes (SQLite's WAL) cannot be
    emptied. So none stays open while there is something to write.
    """

    def __init__(self, connection: sqlite3.Connection, cipher: Cipher) -> None:
        self.transaction = SqliteTransaction(connection, cipher)
        self._version = -1

    def look(self, version: int) -> bool:
        """Looks at the state after so many changes, or a newer one; whether it was opened now."""
        if version == self._version:
            return False
        self.close()
        self.transaction.connection.execute("BEGIN")
        self._version = version
        return True

    def close(self) -> None:
        if self._version < 0:  # the connection may be gone, too
            return
        self._version = -1
        if self.transaction.connection.in_transaction:
            self.transaction.connection.execute("COMMIT")


class SqliteStore:
    """A database in a file, for one process."""

    def __init__(self, path: Path, cache_mebibytes: int = CACHE_MEBIBYTES) -> None:
        if not path.exists():
            require_no_log(path)
        self._path, self._cache = path, cache_mebibytes
        self._log = log_of(path)
        self._cipher = cipher_beside(path)
        self._held = hold(path)
        connection = connect(path, self._cache)
        prepare(connection)
        self._local = threading.local()
        self._readers: list[Snapshot] = []
        self._changes = 0
        self._apart = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        writing = SqliteTransaction(connection, self._cipher)
        self._writer = Writer(connection, writing, self._change)

    async def read(
        self, work: Callable[[Transaction], T], *, apart: bool = False, piecemeal: bool = False
    ) -> T:
        if apart:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._apart, self._read_apart, work)
        # On the event loop's own thread: a point read takes less time than a change of threads.
        if self._writer.busy:
            return self._once(work)
        reader = self._reader()
        if reader.look(self._changes):
            asyncio.get_running_loop().call_later(KEPT_SECONDS, reader.close)
        try:
            return work(reader.transaction)
        except sqlite3.Error:
            reader.close()
            raise

    def _read_apart(self, work: Callable[[Transaction], T]) -> T:
        """Reads in the thread for what takes long. Where one follows the other, there is always one
        that looks at an older state; so a log that has grown is emptied between them, or it never
        would be."""
        with suppress(OSError, sqlite3.Error):  # a full disk is told to who writes
            if self._log.stat().st_size > LONGEST_LOG:
                empty_log(self._reader().transaction.connection)
        return self._once(work)

    def _once(self, work: Callable[[Transaction], T]) -> T:
        """Reads, and keeps nothing open."""
        reader = self._reader()
        reader.look(self._changes)
        try:
            return work(reader.transaction)
        finally:
            reader.close()

    async def write(self, work: Callable[[Transaction], T], *, beside: bool = False) -> T:
        return await self._writer.write(work)

    async def touch(self) -> None:
        disk = os.statvfs(self._path)
        if disk.f_bavail * disk.f_frsize < ROOM:  # a small change fits where others do not
            raise StoreFailed(f"the disk of {self._path.name} is full")
        await self.write(lambda tx: tx.run("touch"))

    @property
    def failing(self) -> bool:
        return self._writer.failing

    def break_off(self) -> None:
        """There is nobody to wait for but the disk, and it cannot be left."""

    def close(self) -> None:
        self._writer.close()
        self._apart.shutdown()
        for reader in self._readers:
            reader.close()
            reader.transaction.connection.close()
        os.close(self._held)

    def _change(self) -> None:
        """The database is about to change."""
        self._changes += 1
        reader: Snapshot | None = getattr(self._local, "reader", None)
        if reader is not None:
            reader.close()

    def _reader(self) -> Snapshot:
        """What this thread reads through."""
        reader: Snapshot | None = getattr(self._local, "reader", None)
        if reader is None:
            connection = connect(self._path, self._cache)
            connection.execute("PRAGMA query_only = 1")
            self._local.reader = reader = Snapshot(connection, self._cipher)
            self._readers.append(reader)
        return reader


def cipher_beside(path: Path) -> Cipher:
    """The cipher of the key file beside a database; both are new, or neither is.

    A new key for an old database would make all its secrets unreadable, so there is none.
    """
    key_file = key_file_of(path)
    if not path.exists() and not key_file.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        make_key_file(key_file)
    try:
        return open_cipher(key_file)
    except FileNotFoundError:
        raise StoreUnusable(f"{path} is there, but {key_file}, its key, is not") from None
    except ValueError as error:
        raise StoreUnusable(str(error)) from None


def log_of(path: Path) -> Path:
    """The log of changes, which lies beside the file itself where the path is a link to it."""
    path = path.resolve()
    return path.with_name(path.name + "-wal")


def empty_log(connection: sqlite3.Connection) -> None:
    """If nobody looks at an older state, as an export does, nor is writing. Who would write has to
    wait while it is emptied, so it is first seen whether it can be."""
    busy, pages, written_back = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if busy or written_back < pages:
        return
    connection.execute(f"PRAGMA busy_timeout = {EMPTYING_MILLISECONDS}")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def key_file_of(path: Path) -> Path:
    return path.with_name(path.name + ".key")


def require_no_log(path: Path) -> None:
    """Raises StoreUnusable where a database that was here has left its log of changes: SQLite would
    put those into a new one, or throw them away."""
    log = log_of(path)
    if log.exists():
        raise StoreUnusable(
            f"{log} is there, with changes of the database that had this name before;"
            " put it beside that one by its new name, or remove it"
        )


def hold(path: Path) -> int:
    """Takes a database for this process as long as the answer stays open.

    One writer sees all that is written: another process would not know what this one remembers.
    The lock is on the key: SQLite's own on the database would be lost with any file of ours on it.
    """
    held = os.open(key_file_of(path), os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise StoreUnusable(
            "another process is using it. A SQLite file serves one process at a time;"
            " several need a PostgreSQL database"
        ) from None
    return held


def connect(path: Path, cache_mebibytes: int = CACHE_MEBIBYTES) -> sqlite3.Connection:
    """A connection that leaves transactions to us and may be closed by another thread."""
    connection = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=PREPARED_STATEMENTS,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {LONGEST_LOG}")
    connection.execute(f"PRAGMA cache_size = -{cache_mebibytes * 1024}")
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Brings the schema up to date."""

    def run(step: migrations.Step) -> None:
        connection.execute("BEGIN IMMEDIATE")
        run_step(connection, step)
        connection.execute("COMMIT")

    migrations.migrate(done_steps(connection), run)


def steps_of(path: Path) -> dict[int, str]:
    """The steps that ran in the database in a file, which need not be there."""
    if not path.exists():
        return {}
    connection = connect(path)
    try:
        connection.execute("PRAGMA query_only = 1")
        return done_steps(connection)
    finally:
        connection.close()


def done_steps(connection: sqlite3.Connection) -> dict[int, str]:
    """The steps of the schema that ran, by number; none in a new database."""
    if not connection.execute("SELECT 1 FROM pragma_table_info('migrations')").fetchone():
        return {}
    ran = connection.execute("SELECT step, name FROM migrations")
    return {row["step"]: row["name"] for row in ran}


def run_step(connection: sqlite3.Connection, step: migrations.Step) -> None:
    """Runs a step and notes that it ran, inside a transaction."""
    for statement in [migrations.LEDGER, *statements(step.script)]:
        connection.execute(statement)
    connection.execute("INSERT INTO migrations VALUES (?, ?)", (step.number, step.name))


def statements(script: str) -> list[str]:
    """The statements of a script, one by one: sqlite3 would run a script outside of ours."""
    found, gathered = [], ""
    for line in script.splitlines(keepends=True):
        gathered += line
        if sqlite3.complete_statement(gathered):
            found.append(gathered)
            gathered = ""
    return found
