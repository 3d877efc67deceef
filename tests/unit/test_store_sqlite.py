import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maskline.store import Store, StoreFailed, StoreUnusable, Transaction, open_store
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


async def test_what_was_written_is_read(store: Store) -> None:
    await store.write(add("1"))
    assert await store.read(count) == 1


async def test_a_write_gives_what_the_work_gives(store: Store) -> None:
    assert await store.write(lambda tx: 42) == 42


async def test_a_failing_job_takes_back_itself_alone(store: Store) -> None:
    def fail(tx: Transaction) -> None:
        add("bad")(tx)
        raise KeyError("no")

    outcomes = await asyncio.gather(
        store.write(add("1")), store.write(fail), store.write(add("2")), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), KeyError, type(None)]
    assert await store.read(count) == 2


async def test_a_violated_constraint_is_the_jobs_own_failure(store: Store) -> None:
    await store.write(add("1"))
    with pytest.raises(sqlite3.IntegrityError):
        await store.write(add("1"))
    await store.write(add("2"))
    assert await store.read(count) == 2


async def test_writes_that_wait_are_committed_together(store: Store) -> None:
    entered, gate = threading.Event(), threading.Event()
    commits: list[str] = []

    def trace(statement: str) -> None:
        if statement == "COMMIT":
            commits.append(statement)

    def watch(tx: Transaction) -> None:
        entered.set()
        gate.wait(10)

    assert isinstance(store, engine.SqliteStore)
    store._writer._connection.set_trace_callback(trace)
    jobs = [asyncio.create_task(store.write(watch))]
    await asyncio.to_thread(entered.wait, 10)
    jobs += [asyncio.create_task(store.write(add(str(number)))) for number in range(100)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*jobs)
    assert len(commits) == 3  # the one that held the gate, then 64 and the remaining 36
    assert await store.read(count) == 100


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


async def test_a_cancelled_waiter_does_not_disturb_the_others(store: Store) -> None:
    cancelled = asyncio.create_task(store.write(add("1")))
    await asyncio.sleep(0)
    cancelled.cancel()
    await store.write(add("2"))
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store.read(add("1"))


async def test_a_read_sees_one_state_throughout(store: Store) -> None:
    loop = asyncio.get_running_loop()
    other = threading.Thread(target=lambda: asyncio.run(store.write(add("1"))))

    def twice(tx: Transaction) -> tuple[int, int]:
        before = count(tx)
        other.start()
        other.join()
        return before, count(tx)

    assert await store.read(twice) == (0, 0)
    assert await store.read(count) == 1
    assert loop.is_running()


async def test_threads_read_side_by_side(store: Store) -> None:
    await store.write(add("1"))
    found = await asyncio.gather(
        *(asyncio.to_thread(lambda: asyncio.run(store.read(count))) for _ in range(8))
    )
    assert found == [1] * 8


def test_closing_finishes_what_was_asked_for(tmp_path: Path) -> None:
    async def leave() -> None:
        store = open_store(f"sqlite:{tmp_path}/maskline.db")
        write = asyncio.create_task(store.write(add("1")))
        await asyncio.sleep(0)
        store.close()
        await write

    asyncio.run(leave())
    store = open_store(f"sqlite:{tmp_path}/maskline.db")
    assert asyncio.run(store.read(count)) == 1
    store.close()


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


@pytest.mark.parametrize("url", ["", "sqlite:", "postgresql://localhost", "maskline.db"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not a store"):
        open_store(url)


SCRIPT = """
    import asyncio, sys
    from maskline.store import open_store

    async def write(store, number):
        account = {"account_id": str(number), "name": "n", "operator": 1, "now": 1}
        await store.write(lambda tx: tx.run("insert_account", **account))
        print(number, flush=True)

    async def main():
        store = open_store(sys.argv[1])
        number = 0
        while True:
            await asyncio.gather(*(write(store, number + each) for each in range(16)))
            number += 16

    asyncio.run(main())
"""


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/maskline.db"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), url], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    answered = [process.stdout.readline() for _ in range(200)]
    os.kill(process.pid, signal.SIGKILL)
    answered += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    numbers = {line.strip() for line in answered if line.endswith("\n")}
    assert len(numbers) >= 200
    connection = sqlite3.connect(tmp_path / "maskline.db")
    kept = {row[0] for row in connection.execute("SELECT account_id FROM accounts")}
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert numbers <= kept
