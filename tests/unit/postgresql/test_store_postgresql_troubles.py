"""PostgreSQL that is away, hangs, or takes no changes: who waits, and for how long."""

import asyncio
import random
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from accounts import add, count
from cluster import Cluster
from psycopg.conninfo import conninfo_to_dict

from maskline.store import Store, StoreFailed, Transaction, connections, open_store, postgresql
from maskline.store.greenlets import awaited

SLEPT = b"SELECT 7 AS accounts FROM pg_sleep(0.2)"
BREAK_ONE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
)


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


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(psycopg.OperationalError):
        open_store(f"postgresql:///x?host={tmp_path}", tmp_path / "key")
