"""What only PostgreSQL does: many processes, and work that waits for other work by name."""

import asyncio
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from accounts import add, count
from cluster import Cluster
from psycopg.conninfo import conninfo_to_dict

from maskline import clock
from maskline.operations import Context
from maskline.store import (
    Store,
    StoreUnusable,
    Transaction,
    connections,
    open_store,
    postgresql,
    steps_done,
)
from maskline.store.greenlets import awaited
from maskline.store.secrets import make_key_file
from maskline.store.transfer import import_store

EARLIER = Path(__file__).parents[2] / "data" / "store" / "export-0001.jsonl"
BENCH = str(Path(__file__).parents[3] / "bench" / "concurrency.py")


async def test_texts_of_any_script_are_kept_whatever_a_database_says(
    url: str, tmp_path: Path
) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = conninfo_to_dict(url)["dbname"]
        connection.execute(f"ALTER DATABASE {name} SET client_encoding = 'LATIN1'".encode())
    store = open_store(url, tmp_path / "key")
    await store.write(add("\u7d44"))
    assert await store.read(lambda tx: tx.one("get_account", account_id="\u7d44"))
    store.close()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_new_database_must_have_all_characters(
    cluster: Cluster, tmp_path: Path, encoding: str
) -> None:
    url = cluster.new_database(f"TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    with pytest.raises(StoreUnusable, match=encoding):
        open_store(url, tmp_path / "key")
    with EARLIER.open("rb") as file, pytest.raises(StoreUnusable, match=encoding):
        import_store(url, tmp_path / "key", file, EARLIER.with_suffix(".key"))
    assert not steps_done(url)


async def test_work_is_done_as_if_it_were_alone(store: Store) -> None:
    """Each adds an account for those it counts: one after the other, no two count the same."""

    def work(tx: Transaction) -> int:
        accounts = count(tx)
        add(f"{accounts}")(tx)
        return accounts

    assert sorted(await asyncio.gather(*(store.write(work) for _ in range(20)))) == [*range(20)]


async def test_work_beside_other_work_waits_for_names_only(store: Store) -> None:
    met = asyncio.Barrier(3)

    def work(tx: Transaction, name: str) -> None:
        tx.lock(name)
        awaited(met.wait())

    names = ("a", "b", "c")
    await asyncio.gather(
        *(store.write(lambda tx, name=name: work(tx, name), beside=True) for name in names)
    )


async def test_who_waited_for_a_name_sees_what_its_holder_did(store: Store) -> None:
    """In whatever order each names them, and whoever else works."""

    def work(tx: Transaction, names: list[str]) -> int:
        tx.lock(*names)
        accounts = count(tx)
        add(f"{accounts}")(tx)
        return accounts

    def names(turn: int) -> list[str]:
        return ["both", f"own {turn}"] if turn % 2 else [f"own {turn}", "both"]

    counted = await asyncio.gather(
        *(store.write(lambda tx, n=n: work(tx, names(n)), beside=True) for n in range(20))
    )
    assert sorted(counted) == [*range(20)]


async def test_by_a_clock_that_is_ahead_nobodys_number_is_free(store: Store) -> None:
    def work(tx: Transaction) -> int:
        return Context(tx, "", ahead, str, clock=lambda: ahead).holding("a").now

    ahead = clock.now() + clock.HOUR
    assert abs(await store.write(work, beside=True) - clock.now()) < clock.MINUTE
    ahead -= 2 * clock.HOUR  # behind, that is
    assert await store.write(work, beside=True) == ahead


async def test_work_alone_waits_for_work_beside_others(store: Store) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    def slow(tx: Transaction) -> None:
        begun.set()
        awaited(go.wait())
        add("1")(tx)

    beside = asyncio.create_task(store.write(slow, beside=True))
    await begun.wait()
    alone = asyncio.create_task(store.write(count))
    await store.read(count)
    assert not alone.done()
    go.set()
    assert await alone == 1
    await beside


async def test_a_name_that_somebody_holds_is_told(store: Store) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    def hold(tx: Transaction) -> None:
        tx.lock("a", "b")
        begun.set()
        awaited(go.wait())

    holding = asyncio.create_task(store.write(hold, beside=True))
    await begun.wait()

    def try_all(tx: Transaction) -> list[set[str]]:
        return [set(tx.lock_free(*names)) for names in (["b"], ["a", "c"], ["c", "d"], [])]

    assert await store.write(try_all, beside=True) == [set(), {"c"}, {"c", "d"}, set()]
    go.set()
    await holding
    assert await store.write(try_all, beside=True) == [{"b"}, {"a", "c"}, {"c", "d"}, set()]


async def test_each_query_of_a_piecemeal_read_sees_what_is_there_then(
    store: Store, url: str
) -> None:
    def twice(tx: Transaction) -> tuple[int, int]:
        before = count(tx)
        awaited(store.write(add("1")))
        return before, count(tx)

    assert await store.read(twice, piecemeal=True) == (0, 1)


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


def test_the_url_has_the_last_word_on_how_to_connect() -> None:
    told = conninfo_to_dict(connections.conninfo("postgresql://db.example/x?connect_timeout=2"))
    assert (told["connect_timeout"], told["keepalives_idle"]) == ("2", "30")
    assert (told["host"], told["dbname"]) == ("db.example", "x")


@pytest.mark.parametrize(("words", "seconds"), [("", "30"), ("keepalives_idle=7", "7")])
async def test_the_server_finds_out_as_soon_that_a_machine_has_died(
    url: str, words: str, seconds: str
) -> None:
    """It kept what that had there for two hours."""
    told = conninfo_to_dict(url)
    url = f"postgresql://postgres@127.0.0.1:{told['port']}/{told['dbname']}?{words}"
    with connections.connect(url) as connection:
        row = connection.execute("SHOW tcp_keepalives_idle").fetchone()
    kept = connections.Connections(url, postgresql.LONGEST_WAIT)
    taken = await kept.take()
    also = await (await taken.execute("SHOW tcp_keepalives_idle")).fetchone()
    kept.give_back(taken)
    kept.close()
    assert row == also == {"tcp_keepalives_idle": seconds}
