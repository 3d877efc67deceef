"""What only PostgreSQL does: many processes, and work that is run again."""

import asyncio
import random
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from accounts import add, count
from cluster import Cluster
from psycopg.conninfo import conninfo_to_dict

from maskline.store import (
    Store,
    StoreFailed,
    StoreUnusable,
    Transaction,
    connections,
    dialect,
    open_store,
    postgresql,
    steps_done,
)
from maskline.store.greenlets import awaited
from maskline.store.secrets import make_key_file
from maskline.store.statements import QUERIES
from maskline.store.transfer import import_store

EARLIER = Path(__file__).parents[1] / "data" / "store" / "export-0001.jsonl"
SLEPT = b"SELECT 7 AS accounts FROM pg_sleep(0.2)"
BREAK_ONE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
)
BENCH = str(Path(__file__).parents[2] / "bench" / "concurrency.py")


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.new_database()


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    store = open_store(url, tmp_path / "key")
    yield store
    store.close()


async def test_a_server_that_takes_no_changes_has_failed_and_is_left(store: Store) -> None:
    """It has become a standby, say, or its disk is full and its operator has closed it."""
    closed = b"SET default_transaction_read_only = on"
    await store.write(lambda tx: awaited(tx._connection.execute(closed)))  # type: ignore[attr-defined]
    with pytest.raises(StoreFailed, match="read-only"):
        await store.write(add("1"))
    assert store.failing
    await store.write(add("2"))
    assert not store.failing
    assert await store.read(count) == 1


async def test_a_small_change_does_not_say_that_a_full_disk_is_well(
    url: str, tmp_path: Path
) -> None:
    """The server keeps it, and has no room for a mebibyte; played by a bound of its own."""
    store = open_store(url, tmp_path / "key")
    with psycopg.connect(url, autocommit=True) as other:
        name = conninfo_to_dict(url)["dbname"]
        other.execute(f"ALTER DATABASE {name} SET temp_file_limit = '1000kB'".encode())
        with pytest.raises(StoreFailed, match="temp_file_limit"):
            await store.touch()
        assert store.failing
        store.close()
        other.execute(f"ALTER DATABASE {name} SET temp_file_limit = '1100kB'".encode())
    store = open_store(url, tmp_path / "key")
    await store.touch()
    store.close()


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


async def test_a_server_that_says_nothing_leaves_time_for_the_next(url: str) -> None:
    place = conninfo_to_dict(url)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{place['port']}"
        several = f"postgresql://postgres@{hosts}/{place['dbname']}?target_session_attrs=read-write"
        found = connections.Connections(several, "SELECT 1")
        found.give_back(await found.take())
        found.close()


async def test_where_there_is_no_place_for_more_connections_fewer_will_do(
    cluster: Cluster, url: str
) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 1")
    place = conninfo_to_dict(url)
    few = connections.Connections(
        f"postgresql://few@/{place['dbname']}?host={place['host']}&port={place['port']}", "SELECT 1"
    )
    first = await few.take()
    second = asyncio.create_task(few.take())
    await asyncio.sleep(2 * connections.CONNECT_AGAIN_SECONDS)
    few.give_back(first)
    assert await second is first
    few.give_back(first)
    few.close()


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


async def connected_and_cut_off(store: Store, url: str) -> None:
    """Eight accounts, and every connection by which they were written lost while nobody uses it."""
    await asyncio.gather(*(store.write(add(f"{number}"), beside=True) for number in range(8)))
    await asyncio.gather(*(store.read(count) for _ in range(8)))
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle'"
            " AND datname = current_database()"
        )


async def test_a_restart_of_the_server_between_two_pieces_of_work_is_not_noticed(
    store: Store, url: str
) -> None:
    await connected_and_cut_off(store, url)
    await asyncio.gather(*(store.write(add(f"later {number}")) for number in range(8)))
    assert await store.read(count) == 16


async def test_work_fails_with_its_connection_and_the_next_gets_another(
    store: Store, url: str
) -> None:
    def cut_off(tx: Transaction) -> None:
        add("1")(tx)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE state = 'idle in transaction' AND datname = current_database()"
            )
        count(tx)

    with pytest.raises(StoreFailed):
        await store.write(cut_off)
    assert await store.read(count) == 0
    await store.write(add("1"))


async def test_while_there_is_no_server_all_who_wait_are_told_together(
    store: Store, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.5)
    nowhere = connections.Connections(cluster.url("no_such_database"), "")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    told = await asyncio.gather(*(nowhere.take() for _ in range(20)), return_exceptions=True)
    assert {type(one) for one in told} == {psycopg.OperationalError}
    assert loop.time() - begun < 2
    with pytest.raises(psycopg.OperationalError):  # asked later, so it is tried again
        await nowhere.take()
    assert loop.time() - begun > 1


async def test_while_there_is_no_server_reads_apart_do_not_wait_for_each_other(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take turns, and one turn after the other would wait for the server anew."""
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.5)
    await store.read(count, apart=True)
    name = conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url, dbname="postgres", autocommit=True) as other:
        other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
    loop = asyncio.get_running_loop()
    begun = loop.time()
    reads = [store.read(count, apart=True) for _ in range(10)]
    told = await asyncio.gather(*reads, return_exceptions=True)
    assert {type(one) for one in told} == {StoreFailed}
    assert loop.time() - begun < 2


@pytest.mark.parametrize("runs", [1, 4])
async def test_a_batch_that_fails_spoils_nothing_that_is_written_later(
    store: Store, runs: int
) -> None:
    """psycopg counts what it skipped, once it was run before, among what is prepared."""
    kept = {"account_id": "1", "name": "n", "subject": "s", "happened_at": 2**40}
    refused = kept | {"account_id": None, "happened_at": 1}
    await store.write(add("1"))
    for _ in range(runs):
        await store.write(lambda tx: tx.run("insert_event", **kept))
    with pytest.raises(psycopg.errors.NotNullViolation):
        await store.write(lambda tx: tx.run_each("insert_event", [refused, kept]))
    for _ in range(3):
        await store.write(lambda tx: tx.run_each("insert_event", [kept]))


async def test_work_that_is_given_up_and_connections_that_break_harm_no_other(
    store: Store, url: str
) -> None:
    kept, dice = set(), random.Random(1)

    async def client(name: str) -> None:
        for number in range(40):
            work = asyncio.create_task(
                store.write(add(f"{name}{number}"), beside=dice.random() < 0.5)
            )
            if dice.random() < 0.2:
                await asyncio.sleep(dice.random() * 0.005)
                work.cancel()
            with suppress(asyncio.CancelledError, StoreFailed):
                await work
                kept.add(f"{name}{number}")

    async def break_some() -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
            while True:
                await asyncio.sleep(0.02)
                await other.execute(BREAK_ONE)

    breaking = asyncio.create_task(break_some())
    await asyncio.gather(*map(client, "abcdefgh"))
    breaking.cancel()
    rows = await store.read(lambda tx: tx.all("list_accounts", after="", limit=10**6))
    assert kept <= {row["account_id"] for row in rows}
    assert len(kept) > 100
    await store.write(add("afterwards"))  # no lock is left


async def test_nobody_waits_for_ever_behind_work_that_hangs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a server that is frozen: who asks is gone by the time that it answers."""
    monkeypatch.setattr(connections, "TURN_SECONDS", 0.2)
    monkeypatch.setattr(postgresql, "APART_SECONDS", 0.2)

    hanging = [asyncio.create_task(store.write(hang, beside=True)) for _ in range(connections.MOST)]
    hanging += [asyncio.create_task(store.read(hang, apart=True))]
    await asyncio.sleep(0)
    with pytest.raises(StoreFailed, match="in use"):
        await store.write(add("1"), beside=True)
    with pytest.raises(StoreFailed, match="does not answer"):
        await store.read(count, apart=True)
    assert await store.read(count) == 0
    store.break_off()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_changes_that_wait_for_each_other_leave_connections_for_calls(
    url: str, store: Store
) -> None:
    held = b"SELECT pg_advisory_lock_shared(%d)" % postgresql.HOUSE
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
        await other.execute(held)
        changes = [asyncio.create_task(store.write(add(str(number)))) for number in range(20)]
        await until_waiting(other, "ExclusiveLock")
        call = asyncio.create_task(store.write(count, beside=True))
        await until_waiting(other, "ShareLock")
    await asyncio.gather(*changes, call)
    assert await store.read(count) == 20


async def until_waiting(other: psycopg.AsyncConnection[Any], mode: str) -> None:
    """Until somebody waits at the server for an advisory lock of this kind."""
    async with asyncio.timeout(30):
        while True:
            found = await other.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND mode = %s"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                (mode,),
            )
            if await found.fetchone():
                return


async def test_a_change_does_not_wait_for_ever_for_those_before_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "TURN_SECONDS", 0.2)
    hanging = asyncio.create_task(store.write(hang))
    await asyncio.sleep(0)
    with pytest.raises(StoreFailed, match="in use"):
        await store.write(add("1"))
    store.break_off()
    await asyncio.gather(hanging, return_exceptions=True)


def hang(tx: Transaction) -> None:
    awaited(tx._connection.execute(b"SELECT pg_sleep(20)"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", [{}, {"piecemeal": True}, {"apart": True}])
async def test_a_read_is_done_again_where_its_connection_is_lost(
    store: Store, how: dict[str, bool]
) -> None:
    """As by a restart of the server."""
    lost: list[bool] = []

    def read(tx: Transaction) -> int:
        found = count(tx)
        if not lost:
            lost.append(True)
            awaited(tx._connection.execute(b"SELECT pg_terminate_backend(pg_backend_pid())"))  # type: ignore[attr-defined]
        return found

    assert await store.read(read, **how) == 0
    assert lost


@pytest.mark.parametrize("how", [{}, {"piecemeal": True}, {"apart": True}])
async def test_a_read_that_is_not_answered_is_given_up(
    store: Store, monkeypatch: pytest.MonkeyPatch, how: dict[str, bool]
) -> None:
    """As by a server that is frozen. What comes afterwards asks over other connections."""
    await asyncio.gather(*(store.read(count, **how) for _ in range(connections.MOST)))
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.1)
    with pytest.raises(StoreFailed, match="does not answer"):
        await store.read(hang, **how)
    monkeypatch.undo()
    assert not store._reading._idle or "apart" in how  # type: ignore[attr-defined]
    assert await store.read(count, **how) == 0


async def test_a_write_that_is_not_answered_is_given_up(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that has not begun: it would fare no better over another connection."""
    with psycopg.connect(url, autocommit=True) as other:
        await store.write(add("1"))
        monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.1)
        with pytest.raises(StoreFailed, match="does not answer"):
            await store.write(lambda tx: (add("2")(tx), hang(tx)))
        other.execute(BREAK_ONE)  # a server that is frozen does not go on
        other.execute("SELECT pg_advisory_lock(%s)", (postgresql.HOUSE,))
        with pytest.raises(StoreFailed, match="does not answer"):
            await store.write(add("3"))
    monkeypatch.undo()
    assert store.failing
    await store.write(add("4"))
    assert await store.read(count) == 2


async def test_who_stood_still_for_too_long_in_the_midst_of_a_change_has_failed(
    store: Store,
) -> None:
    """The server has taken the change back: a machine that slept, say."""

    def sleep(tx: Transaction) -> None:
        hurry = b"SET LOCAL idle_in_transaction_session_timeout = 20"
        awaited(tx._connection.execute(hurry))  # type: ignore[attr-defined]
        time.sleep(0.1)
        add("1")(tx)

    with pytest.raises(StoreFailed, match="idle-in-transaction"):
        await store.write(sleep)
    assert await store.read(count) == 0


@pytest.mark.parametrize("closing", [False, True])
async def test_work_under_way_is_broken_off_and_no_more_is_taken_on(
    store: Store, closing: bool
) -> None:
    """Of reads in a thread of their own also where the store is closed: it would wait for them."""
    waiting = threading.Event()

    def work(tx: Transaction) -> None:
        count(tx)
        waiting.set()
        awaited(tx._connection.execute(b"SELECT pg_sleep(20)"))  # type: ignore[attr-defined]

    reads = [asyncio.create_task(store.read(work, apart=True))]
    if not closing:
        reads += [asyncio.create_task(store.read(work)), asyncio.create_task(store.write(work))]
    while not waiting.is_set():
        await asyncio.sleep(0.01)
    if closing:
        store.close()
    else:
        store.break_off()
    for read in reads:
        with pytest.raises(StoreFailed, match=r"closed the connection|broken off"):
            await read
    with pytest.raises((StoreFailed, RuntimeError)):
        await store.read(count, apart=True)


@pytest.mark.parametrize("piecemeal", [False, True])
async def test_a_read_that_takes_too_long_is_broken_off(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piecemeal: bool
) -> None:
    monkeypatch.setattr(postgresql, "READ_ONLY", postgresql.READ_ONLY.replace("30s", "50ms"))
    store = open_store(url, tmp_path / "key")
    with monkeypatch.context() as slow:
        slow.setitem(postgresql.STATEMENTS, "count_accounts", b"SELECT pg_sleep(60)")
        with pytest.raises(StoreFailed, match="statement timeout"):
            await store.read(count, piecemeal=piecemeal)
    with monkeypatch.context() as slow:  # who writes may take his time
        slow.setitem(postgresql.STATEMENTS, "count_accounts", SLEPT)
        assert await store.write(count) == 7
    assert await store.read(count, piecemeal=piecemeal) == 0
    store.close()


async def test_a_piecemeal_read_is_done_again_over_another_connection(
    store: Store, url: str
) -> None:
    await connected_and_cut_off(store, url)
    found = await asyncio.gather(*(store.read(count, piecemeal=True) for _ in range(8)))
    assert found == [8] * 8


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


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(psycopg.OperationalError):
        open_store(f"postgresql:///x?host={tmp_path}", tmp_path / "key")


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


def test_queries_in_the_words_of_psycopg() -> None:
    assert dialect.query("SELECT x::text, :a, 7 % 2") == "SELECT x::text, %(a)s, 7 %% 2"


def test_a_page_is_a_range_of_its_owner_s_index() -> None:
    """That of a list ordered by its owner, too, and no other."""
    ranges = {name for name, query in QUERIES.items() if dialect.PAGE.search(query)}
    assert ranges == {
        "list_audit_records", "list_closed_proxy_sessions", "list_open_proxy_sessions",
        "list_opt_outs", "list_phone_number_orders", "list_proxy_sessions",
        "list_voice_connector_groups", "list_voice_connectors",
    }  # fmt: skip
    orders = dialect.query(QUERIES["list_phone_number_orders"])
    assert orders.split("WHERE ")[1].split("ORDER")[0] == (
        "account_id >= %(account_id)s AND (account_id, sequence) < (%(account_id)s, %(before)s)\n"
    )


POOL = b"""
    INSERT INTO phone_numbers
        (phone_number, account_id, carrier, country, area_code, toll_free, shared, created_at,
         updated_at)
    SELECT '+1' || n, '1', 'acme', 'US', '913', 0, 1, 1, 1
    FROM generate_series(9130000000, 9130019999) AS n
"""


async def test_a_large_pool_is_not_read_to_find_out_whose_it_is(store: Store, url: str) -> None:
    """By a connector that has none of it, as PostgreSQL would: most numbers of a table are of few
    pools, so one is soon found, it thinks."""
    await store.write(add("1"))
    query = postgresql.STATEMENTS["get_connector_for_sessions"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(POOL)
        connection.execute("ANALYZE")
        asked = {"voice_connector_id": "other", "account_id": "1"}
        plan = connection.execute(b"EXPLAIN " + query, asked).fetchall()
    assert not [line for (line,) in plan if "Seq Scan on phone_numbers" in line], plan


@pytest.mark.parametrize("name", ["unused_number_of_country", "unused_number_of_area"])
async def test_numbers_of_carriers_that_will_not_do_are_passed_over_in_the_order_of_the_index(
    store: Store, url: str, name: str
) -> None:
    """And not joined with the carriers that will, which may take all of them and a sort."""
    await store.write(add("1"))
    asked = {"pool": "1", "country": "US", "area_code": "913", "window": 256, "fit": '"acme"'}
    asked |= {"mine": "+14015550101", "theirs": "+13035550102"}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(POOL)
        connection.execute("ANALYZE")
        found = connection.execute(b"EXPLAIN " + postgresql.STATEMENTS[name], asked).fetchall()
    plan = "\n".join(line for (line,) in found)
    assert "Index Scan using phone_numbers_of_" in plan, plan
    assert "Sort" not in plan, plan
    assert "Semi Join" not in plan, plan


ROWS = {
    "proxy_sessions": """
        INSERT INTO proxy_sessions
            (proxy_session_id, account_id, voice_connector_id, expiry_minutes, capabilities,
             first_number, first_proxy_number, second_number, second_proxy_number, created_at,
             updated_at, expires_at)
        SELECT gen_random_uuid(), '1', %(of)s, 720, 'Voice', '1', '2', '3', '2', n, n, 10000000
        FROM generate_series(1, %(rows)s) AS n
    """,
    "audit_records": """
        INSERT INTO audit_records (account_id, recorded_at, action, request_id, outcome)
        SELECT %(of)s, n, 'chime:CreateProxySession', n, 'Success'
        FROM generate_series(1, %(rows)s) AS n
    """,
    "calls": """
        INSERT INTO calls
            (call_id, account_id, carrier, dialled, decision, reason, received_at, legs,
             max_call_seconds)
        SELECT gen_random_uuid(), %(of)s, 'acme', '1', 'Connect', '', n, '{}', 60
        FROM generate_series(1, %(rows)s) AS n
    """,
}
FOREIGN_ROWS = re.compile(r"Rows Removed by Filter: (\d+)")


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("list_proxy_sessions", "proxy_sessions"),
        ("list_open_proxy_sessions", "proxy_sessions"),
        ("list_audit_records", "audit_records"),
        ("list_calls", "calls"),
    ],
)
async def test_a_page_of_old_rows_is_not_sought_among_all_that_came_later(
    store: Store, url: str, name: str, table: str
) -> None:
    await store.write(add("1"))
    asked = {"voice_connector_id": "b", "account_id": "b", "before": 2**62, "limit": 9, "now": 1}
    asked |= {"received_from": 0, "latest": 2**60}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # they refer to nothing
        for owner in "bbaca":
            connection.execute(ROWS[table].encode(), {"of": owner, "rows": 5000})
        connection.execute("ANALYZE")
        rows = connection.execute(postgresql.STATEMENTS[name], asked).fetchall()
        explain = b"EXPLAIN ANALYZE " + postgresql.STATEMENTS[name]
        plan = [line for (line,) in connection.execute(explain, asked).fetchall()]
    assert len(rows) == 9
    assert not [line for line in plan for read in FOREIGN_ROWS.findall(line) if int(read) > 9], plan
