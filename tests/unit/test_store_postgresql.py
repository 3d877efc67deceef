"""What only PostgreSQL does: many processes, and work that is run again."""

import asyncio
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from accounts import add, count
from cluster import Cluster

from maskline.store import Store, StoreFailed, StoreUnusable, Transaction, dialect, open_store
from maskline.store.secrets import make_key_file

BENCH = str(Path(__file__).parents[2] / "bench" / "concurrency.py")


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.new_database()


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    store = open_store(url, tmp_path / "key")
    yield store
    store.close()


async def test_what_could_not_have_run_alone_runs_again(store: Store) -> None:
    """Each adds an account for those it counts: run one after the other, no two count the same."""
    both_counted, seen = threading.Barrier(2), []

    def work(tx: Transaction) -> int:
        accounts = count(tx)
        seen.append(accounts)
        if len(seen) <= 2:
            both_counted.wait(10)
        add(f"{accounts} {threading.get_ident()}")(tx)
        return accounts

    assert sorted(await asyncio.gather(store.write(work), store.write(work))) == [0, 1]
    assert len(seen) == 3


async def test_a_key_that_somebody_else_takes_meanwhile_is_seen_in_the_next_run(
    store: Store,
) -> None:
    both_looked, seen = threading.Barrier(2), []

    def add_once(tx: Transaction) -> str:
        found = tx.one("get_account", account_id="1")
        seen.append(found)
        if len(seen) <= 2:
            both_looked.wait(10)
        if found is None:
            add("1")(tx)
        return "there" if found else "new"

    outcomes = await asyncio.gather(store.write(add_once), store.write(add_once))
    assert sorted(outcomes) == ["new", "there"]


async def test_work_fails_with_its_connection_and_the_next_gets_another(
    store: Store, url: str
) -> None:
    def cut_off(tx: Transaction) -> None:
        add("1")(tx)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE state = 'idle in transaction'"
            )
        count(tx)

    with pytest.raises(StoreFailed):
        await store.write(cut_off)
    assert await store.read(count) == 0
    await store.write(add("1"))


def test_many_may_open_a_new_database_at_once(url: str, tmp_path: Path) -> None:
    stores: list[Store] = []
    threads = [
        threading.Thread(target=lambda: stores.append(open_store(url, tmp_path / "key")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [asyncio.run(store.read(count)) for store in stores] == [0] * 4
    for store in stores:
        store.close()
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_database_is_not_opened_without_its_key(url: str, tmp_path: Path) -> None:
    open_store(url, tmp_path / "key").close()
    with pytest.raises(StoreUnusable, match="its key, is not"):
        open_store(url, tmp_path / "missing")
    assert not (tmp_path / "missing").exists()
    make_key_file(tmp_path / "other")
    with pytest.raises(StoreUnusable, match="is not the key of this database"):
        open_store(url, tmp_path / "other")
    (tmp_path / "short").write_bytes(b"short")
    with pytest.raises(StoreUnusable, match="64 bytes"):
        open_store(url, tmp_path / "short")


def test_processes_never_give_a_number_twice(url: str) -> None:
    """The bench in its shortest form, with one process killed; it fails where the data is wrong."""
    command = [sys.executable, BENCH, "--url", url]
    sizes = ["--processes", "2", "--creates", "40", "--kill", "1"]
    done = subprocess.run([*command, *sizes], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "all is well" in done.stdout


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(psycopg.OperationalError):
        open_store(f"postgresql:///x?host={tmp_path}", tmp_path / "key")


def test_queries_in_the_words_of_psycopg() -> None:
    assert dialect.query("SELECT x::text, :a, 7 % 2") == "SELECT x::text, %(a)s, 7 %% 2"
