"""What every store promises, on each database."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from accounts import add, count

from maskline import clock
from maskline.store import Store, StoreFailed, Transaction, open_store

VIOLATED = (sqlite3.IntegrityError, psycopg.IntegrityError)
READ_ONLY = (sqlite3.OperationalError, psycopg.errors.ReadOnlySqlTransaction)


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[Store]:
    store = open_store(store_url, tmp_path / "key")
    yield store
    store.close()


async def test_what_was_written_is_read(store: Store) -> None:
    await store.write(add("1"))
    assert await store.read(count) == 1


async def test_a_write_gives_what_the_work_gives(store: Store) -> None:
    assert await store.write(lambda tx: 42) == 42


async def test_the_time_goes_on_within_a_piece_of_work(store: Store) -> None:
    def work(tx: Transaction) -> list[int]:
        first = tx.time()
        while (later := tx.time()) == first:
            pass
        return [first, later]

    before = clock.now()
    first, later = await store.read(work)
    assert before - 1 <= first < later <= clock.now() + 1


async def test_who_holds_names_is_told_since_when(store: Store) -> None:
    before = clock.now()
    since = await store.write(lambda tx: tx.lock("a", "b", shared=["c"], last=["d"]), beside=True)
    assert before - 1 <= since <= clock.now() + 1


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
    with pytest.raises(VIOLATED):
        await store.write(add("1"))
    await store.write(add("2"))
    assert await store.read(count) == 2


async def test_a_cancelled_waiter_does_not_disturb_the_others(store: Store) -> None:
    cancelled = asyncio.create_task(store.write(add("1")))
    await asyncio.sleep(0)
    cancelled.cancel()
    await store.write(add("2"))
    with pytest.raises(asyncio.CancelledError):
        await cancelled


@pytest.mark.parametrize("piecemeal", [False, True])
async def test_readers_cannot_write(store: Store, piecemeal: bool) -> None:
    with pytest.raises(READ_ONLY):
        await store.read(add("1"), piecemeal=piecemeal)
    assert await store.read(count, piecemeal=piecemeal) == 0


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


async def test_a_long_read_apart_holds_nobody_up(store: Store) -> None:
    looked, others_are_done = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(tx: Transaction) -> tuple[int, int]:
        before = count(tx)
        loop.call_soon_threadsafe(looked.set)
        assert others_are_done.wait(10)
        return before, count(tx)

    long = asyncio.create_task(store.read(work, apart=True))
    await looked.wait()
    await store.write(add("1"))
    assert await store.read(count) == 1
    others_are_done.set()
    assert await long == (0, 0)


async def test_work_that_changes_nothing_does_not_say_that_changes_are_kept(store: Store) -> None:
    def fail(tx: Transaction) -> None:
        raise StoreFailed("the disk is full")

    with pytest.raises(StoreFailed):
        await store.write(fail)
    assert store.failing
    await store.write(count)
    await store.write(lambda tx: tx.run("purge_audit_records", before=1, limit=1))
    assert store.failing
    await store.touch()
    assert not store.failing
    with pytest.raises(StoreFailed):
        await store.write(fail)
    await store.write(add("1"))
    assert not store.failing


def test_closing_finishes_what_was_asked_for(store_url: str, tmp_path: Path) -> None:
    async def leave() -> None:
        store = open_store(store_url, tmp_path / "key")
        write = asyncio.create_task(store.write(add("1")))
        await asyncio.sleep(0)
        store.close()
        await write

    asyncio.run(leave())
    store = open_store(store_url, tmp_path / "key")
    assert asyncio.run(store.read(count)) == 1
    store.close()


@pytest.mark.parametrize("url", ["", "sqlite:", "postgresql:x", "mysql://x", "maskline.db"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not a store"):
        open_store(url, Path("key"))


SCRIPT = """
    import asyncio, sys
    from pathlib import Path
    from maskline.store import open_store

    async def write(store, number):
        account = {"account_id": str(number), "name": "n", "operator": 1, "now": 1}
        await store.write(lambda tx: tx.run("insert_account", **account))
        print(number, flush=True)

    async def main():
        store = open_store(sys.argv[1], Path(sys.argv[2]))
        number = 0
        while True:
            await asyncio.gather(*(write(store, number + each) for each in range(16)))
            number += 16

    asyncio.run(main())
"""


def test_what_was_answered_survives_a_kill(store_url: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), store_url, str(tmp_path / "key")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    answered = [process.stdout.readline() for _ in range(200)]
    os.kill(process.pid, signal.SIGKILL)
    answered += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    numbers = {line.strip() for line in answered if line.endswith("\n")}
    assert len(numbers) >= 200
    store = open_store(store_url, tmp_path / "key")
    rows = asyncio.run(store.read(lambda tx: tx.all("list_accounts", after="", limit=10**6)))
    store.close()
    assert numbers <= {row["account_id"] for row in rows}
