import asyncio
import re
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from maskline.store import Store, StoreFailed, StoreUnusable, Transaction, open_store, writer
from maskline.store import sqlite as engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:{tmp_path}/maskline.db")
    yield store
    store.close()


def add(account_id: str) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        tx.run("insert_account", account_id=account_id, name="n", operator=1, now=1)

    return work


def count(tx: Transaction) -> int:
    row = tx.one("count_accounts")
    assert row is not None
    accounts: int = row["accounts"]
    return accounts


async def test_writes_that_wait_are_committed_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LONGEST_GROUP", 60)
    entered, gate = threading.Event(), threading.Event()
    commits: list[str] = []

    def trace(statement: str) -> None:
        if statement == "COMMIT":
            commits.append(statement)
            entered.set()
            gate.wait(10)

    assert isinstance(store, engine.SqliteStore)
    store._writer._connection.set_trace_callback(trace)
    jobs = [asyncio.create_task(store.write(add("first")))]
    await asyncio.to_thread(entered.wait, 10)
    jobs += [asyncio.create_task(store.write(add(str(number)))) for number in range(100)]
    await asyncio.sleep(0)
    assert await store.read(count) == 0  # the loop goes on, and reads what is safe alone
    gate.set()
    await asyncio.gather(*jobs)
    assert len(commits) == 3  # the one that was held up, then 64 and the remaining 36
    assert await store.read(count) == 101


async def test_the_loop_goes_on_between_writes_that_take_long(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group of them kept reads, and calls, waiting for all."""
    monkeypatch.setattr(writer, "LONGEST_GROUP", 0)
    seen: list[int] = []

    async def read_on() -> None:
        while await store.read(count) < 3:
            seen.append(await store.read(count))
            await asyncio.sleep(0)

    await asyncio.gather(read_on(), *(store.write(add(str(number))) for number in range(3)))
    assert {1, 2} <= {*seen}  # each is on the disk before the next begins


async def test_a_log_without_its_database_is_not_thrown_away(store: Store, tmp_path: Path) -> None:
    """Whoever moves the database of a killed service must take its log along: all may be in it."""
    await store.write(add("first"))
    log = tmp_path / "other.db-wal"
    log.write_bytes((tmp_path / "maskline.db-wal").read_bytes())
    with pytest.raises(StoreUnusable, match=r"other\.db-wal is there"):
        open_store(f"sqlite:{tmp_path}/other.db")
    assert [path.name for path in tmp_path.glob("other*")] == ["other.db-wal"]


async def test_nothing_touches_a_store_that_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "KEPT_SECONDS", 0.01)
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    store = open_store(f"sqlite:{tmp_path}/closed.db")
    await store.read(count)
    store.close()
    await asyncio.sleep(0.05)
    assert faults == []


async def test_threads_read_side_by_side(store: Store) -> None:
    await store.write(add("1"))
    found = await asyncio.gather(
        *(asyncio.to_thread(lambda: asyncio.run(store.read(count))) for _ in range(8))
    )
    assert found == [1] * 8


async def test_the_log_of_a_linked_database_is_not_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    log = tmp_path / "disk" / "maskline.db-wal"
    log.write_bytes(b"changes")
    (tmp_path / "maskline.db").symlink_to(log.with_name("maskline.db"))
    with pytest.raises(StoreUnusable, match="had this name before"):
        open_store(f"sqlite:{tmp_path}/maskline.db")
    log.unlink()
    open_store(f"sqlite:{tmp_path}/maskline.db").close()
    assert log.with_name("maskline.db").exists()


async def test_reads_see_what_was_written_and_otherwise_keep_what_they_see(store: Store) -> None:
    begun: list[str] = []
    assert isinstance(store, engine.SqliteStore)
    assert await store.read(count) == 0
    store._reader().transaction.connection.set_trace_callback(
        lambda statement: begun.append(statement) if statement == "BEGIN" else None
    )
    for number in range(3):
        await store.write(add(str(number)))
        for _ in range(5):
            assert await store.read(count) == number + 1
            assert await store.read(count, apart=True) == number + 1
    assert len(begun) == 3


async def test_what_somebody_elses_program_wrote_is_seen_soon(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "KEPT_SECONDS", 0.05)
    assert await store.read(count) == 0
    with sqlite3.connect(tmp_path / "maskline.db") as other:
        other.execute(
            "INSERT INTO accounts (account_id, name, operator, created_at) VALUES ('a', 'n', 0, 1)"
        )
    await asyncio.sleep(0.1)
    assert await store.read(count) == 1


async def test_a_failing_read_keeps_nothing_open(store: Store) -> None:
    assert isinstance(store, engine.SqliteStore)

    def wrong(tx: Transaction) -> None:
        assert isinstance(tx, engine.SqliteTransaction)
        tx.connection.execute("SELECT nothing")

    with pytest.raises(sqlite3.Error):
        await store.read(wrong)
    assert not store._reader().transaction.connection.in_transaction
    assert await store.read(count) == 0


async def test_the_log_of_changes_does_not_grow_while_there_are_reads(
    store: Store, tmp_path: Path
) -> None:
    """It begins anew after some thousand pages, four megabytes, if nobody reads from it then."""
    assert isinstance(store, engine.SqliteStore)
    store._writer._connection.execute("PRAGMA wal_autocheckpoint = 1000")

    async def reading() -> None:
        while True:
            await store.read(count)
            await asyncio.sleep(0)

    beside = asyncio.create_task(reading())
    for number in range(1500):
        await store.write(add(str(number)))
        await store.read(count)
    beside.cancel()
    assert (tmp_path / "maskline.db-wal").stat().st_size < 8_000_000


def large(number: int) -> Callable[[Transaction], None]:
    """A change of some 25 pages."""

    def work(tx: Transaction) -> None:
        tx.run("insert_account", account_id=f"{number}", name="n" * 100_000, operator=0, now=1)

    return work


@pytest.fixture
def short_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Store, Path]]:
    """A store that keeps its log short, and that log."""
    monkeypatch.setattr(engine, "LOG_PAGES", 10)
    monkeypatch.setattr(engine, "LONGEST_LOG", 2**19)
    store = open_store(f"sqlite:{tmp_path}/short.db")
    yield store, tmp_path / "short.db-wal"
    store.close()


async def test_the_log_of_changes_does_not_grow_while_long_reads_follow_each_other(
    short_log: tuple[Store, Path],
) -> None:
    """Two accounts that went on reading lists let it grow until the disk was full."""
    store, log = short_log
    under_way: asyncio.Task[None] | None = None
    go_on = threading.Event()
    for number in range(40):
        begun, before, go_on = threading.Event(), go_on, threading.Event()

        def look(tx: Transaction, begun: threading.Event = begun, end: Any = go_on) -> None:
            count(tx)
            begun.set()
            end.wait(10)

        reading = asyncio.create_task(store.read(look, apart=True))
        await asyncio.sleep(0)  # until it waits for the one before
        before.set()
        if under_way:
            await under_way
        assert await asyncio.to_thread(begun.wait, 10)
        under_way = reading
        await store.write(large(number))
    go_on.set()
    await reading
    assert log.stat().st_size < 2**20  # 40 changes are four times as much


async def test_nobody_waits_for_a_log_that_cannot_be_emptied(
    short_log: tuple[Store, Path],
) -> None:
    """Who tries to empty it keeps all from writing meanwhile."""
    store, log = short_log
    told: list[str] = []
    await store.read(lambda tx: tx.connection.set_trace_callback(told.append), apart=True)  # type: ignore[attr-defined]
    other = sqlite3.connect(log.with_name("short.db"), isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM accounts").fetchall()
    for number in range(10):
        await store.write(large(number))
    await store.read(count, apart=True)
    assert not [statement for statement in told if "TRUNCATE" in statement]
    other.close()
    await store.read(count, apart=True)
    assert [statement for statement in told if "TRUNCATE" in statement]
    assert log.stat().st_size == 0


async def test_a_log_that_grew_while_somebody_read_for_long_is_made_short_again(
    short_log: tuple[Store, Path],
) -> None:
    """An export, say."""
    store, log = short_log
    other = sqlite3.connect(log.with_name("short.db"), isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM accounts").fetchall()
    for number in range(20):
        await store.write(large(number))
    assert log.stat().st_size > 2**20
    other.close()
    for number in range(20, 23):
        await store.write(large(number))
    assert log.stat().st_size <= 2**19


async def test_an_idle_store_keeps_nothing_open(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(store, engine.SqliteStore)
    monkeypatch.setattr(engine, "KEPT_SECONDS", 0.02)
    await store.read(count)
    assert store._reader().transaction.connection.in_transaction
    await asyncio.sleep(0.1)
    assert not store._reader().transaction.connection.in_transaction


async def test_who_waits_is_told_whatever_happens_to_a_flush(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(store, engine.SqliteStore)

    def broken(*_given: object) -> None:
        raise RuntimeError("not even a rollback")

    with monkeypatch.context() as patched:
        patched.setattr(store._writer, "_flush", broken)
        with pytest.raises(StoreFailed, match="not even a rollback"):
            await store.write(add("a"))
    store._writer._connection.execute("ROLLBACK")
    await store.write(add("a"))
    assert await store.read(count) == 1


async def test_what_a_job_might_have_to_put_back_is_not_written_to_a_file(
    store: Store, tmp_path: Path
) -> None:
    """All that is written is the log, although a job of the group changes many pages."""

    def add_many(remainder: int) -> Callable[[Transaction], None]:
        def work(tx: Transaction) -> None:
            for number in range(remainder, 1000, 10):
                add(f"{number:03}" * 200)(tx)

        return work

    await store.write(add_many(0))
    log = tmp_path / "maskline.db-wal"
    before, size = written_by_us(), log.stat().st_size
    await asyncio.gather(store.write(add_many(1)), *(store.write(add(f"{n}")) for n in range(60)))
    assert written_by_us() - before < 1.2 * (log.stat().st_size - size)


def written_by_us() -> int:
    """Bytes that this process has written so far."""
    found = re.search(r"wchar: (\d+)", Path("/proc/self/io").read_text())
    assert found is not None
    return int(found[1])


async def test_a_failing_commit_fails_every_job_of_its_group_and_no_other(store: Store) -> None:
    assert isinstance(store, engine.SqliteStore)
    # What the deferred constraint finds wrong, it finds at the commit.
    connection = store._writer._connection
    connection.execute("CREATE TABLE child (id REFERENCES accounts DEFERRABLE INITIALLY DEFERRED)")

    def orphan(tx: Transaction) -> None:
        connection.execute("INSERT INTO child VALUES ('nobody')")

    with pytest.raises(StoreFailed):
        await store.write(orphan)
    await store.write(add("1"))
    assert await store.read(count) == 1


async def test_a_write_waits_while_somebody_elses_program_writes(
    tmp_path: Path, store: Store
) -> None:
    other = sqlite3.connect(tmp_path / "maskline.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.write(add("1")))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()
    await waiting
    assert await store.read(count) == 1


async def test_nobody_waits_for_a_busy_database_for_ever(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer.Writer._begin, "__defaults__", (0.03,))
    other = sqlite3.connect(tmp_path / "maskline.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="locked"):
        await store.write(add("1"))
    other.close()
    await store.write(add("1"))


def test_a_loop_that_ends_amid_a_write_leaves_the_store_usable(store: Store) -> None:
    async def begin() -> None:
        waiting = asyncio.create_task(store.write(add("lost")))
        for _ in range(3):
            await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(begin())
    asyncio.run(store.write(add("1")))  # type: ignore[arg-type]
    asyncio.run(store.write(add("2")))  # type: ignore[arg-type]
    assert asyncio.run(store.read(count)) >= 2  # type: ignore[arg-type]


def test_only_its_owner_may_read_the_key(tmp_path: Path) -> None:
    open_store(f"sqlite:{tmp_path}/maskline.db").close()
    assert stat.S_IMODE((tmp_path / "maskline.db.key").stat().st_mode) == 0o600


def test_a_database_is_not_opened_without_its_key(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/maskline.db"
    open_store(url).close()
    key_file = tmp_path / "maskline.db.key"
    key_file.write_bytes(b"short")
    with pytest.raises(StoreUnusable, match="64 bytes"):
        open_store(url)
    key_file.unlink()
    with pytest.raises(StoreUnusable, match="its key, is not"):
        open_store(url)
    assert not key_file.exists()


def test_a_file_serves_one_process_at_a_time(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/maskline.db"
    first = open_store(url)
    with pytest.raises(StoreUnusable, match=r"one process at a time.*PostgreSQL"):
        open_store(url)
    first.close()
    open_store(url).close()


async def test_a_full_disk_is_the_stores_fault_and_not_the_works(store: Store) -> None:
    assert isinstance(store, engine.SqliteStore)
    connection = store._writer._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")

    def work(tx: Transaction) -> None:
        for number in range(10_000):
            tx.run("insert_account", account_id=str(number), name="n" * 1000, operator=1, now=1)

    with pytest.raises(StoreFailed):
        await store.write(work)
    assert store.failing
    await store.touch()
    assert not store.failing
    await store.write(add("first"))
    assert await store.read(count) == 1


async def test_a_small_change_does_not_say_that_a_full_disk_is_well(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ROOM", 2**60)
    with pytest.raises(StoreFailed, match="full"):
        await store.touch()
    monkeypatch.setattr(engine, "ROOM", 0)
    await store.touch()
