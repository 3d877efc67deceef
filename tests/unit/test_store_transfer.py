"""Whole installations from database to database."""

import asyncio
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cluster import Cluster
from databases import new_store_url
from installation import ANN, CAT, Installation

from maskline.operations import find_access_key
from maskline.store import StoreUnusable, migrations, open_store, steps_done
from maskline.store.secrets import make_key_file
from maskline.store.transfer import BadArchive, export_store, import_store

EARLIER = Path(__file__).parents[1] / "data" / "store" / "export-0001.jsonl"
EARLIER_KEY = EARLIER.with_suffix(".key")
LINES = EARLIER.read_bytes().splitlines(keepends=True)
# Of a later version: something is in all of its tables, and in the newer ones when these have run.
FULL = EARLIER.with_name("export-0025.jsonl")
NEWER = ["INSERT INTO legs_left VALUES ('call', 'name', '{\"From\": \"\\u00e4\"}', 1, 3, 2)"]


class Place:
    """A database and its key."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        path = url.removeprefix("sqlite:")
        self.key = folder / "key" if path == url else Path(f"{path}.key")

    def export(self) -> bytes:
        file = io.BytesIO()
        export_store(self.url, self.key, file)
        return file.getvalue()

    def take_in(self, content: bytes, key: Path) -> None:
        import_store(self.url, self.key, io.BytesIO(content), key)

    @property
    def empty(self) -> bool:
        return not steps_done(self.url)


@pytest.fixture
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Place, Place, Place]:
    """Three new places; which databases, the test's parameter says."""
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    urls = [
        new_store_url(request, kind, folder)
        for kind, folder in zip(request.param, folders, strict=True)
    ]
    first, second, third = (Place(url, folder) for url, folder in zip(urls, folders, strict=True))
    return first, second, third


EACH_TO_EACH = pytest.mark.parametrize(
    "places",
    [
        ("sqlite", "postgresql", "sqlite"),
        ("postgresql", "sqlite", "postgresql"),
        ("sqlite", "sqlite", "sqlite"),
        ("postgresql", "postgresql", "postgresql"),
    ],
    ids="-".join,
    indirect=True,
)


@EACH_TO_EACH
async def test_nothing_is_lost_on_the_way_there_and_back(places: tuple[Place, ...]) -> None:
    here, there, back = places
    store = open_store(here.url, here.key)
    installation = Installation(store)
    connector = await installation.furnish()
    sessions = await installation.sessions(connector)
    keys = await installation.call("ListAccessKeys", "maskline", AccountId=installation.account_id)
    key_id = keys["AccessKeys"][0]["AccessKeyId"]
    secret = await store.read(lambda tx: find_access_key(tx, key_id))
    store.close()
    left = here.export()
    rows = json.loads(left.splitlines()[-1])["rows"]
    assert all(rows[table] for table in json.loads(LINES[-1])["rows"])
    there.take_in(left, here.key)
    assert there.export() == left
    back.take_in(there.export(), there.key)
    assert back.export() == left
    store = open_store(there.url, there.key)
    assert await store.read(lambda tx: find_access_key(tx, key_id)) == secret
    moved = Installation(store, account_id=installation.account_id)
    assert await moved.sessions(connector) == sessions
    newest = await moved.open(connector, ANN, CAT)
    assert await moved.sessions(connector) == [newest["ProxySessionId"], *sessions]
    store.close()


@EACH_TO_EACH
def test_every_table_travels(places: tuple[Place, ...]) -> None:
    here, there, back = places
    here.take_in(FULL.read_bytes(), FULL.with_suffix(".key"))
    beside(here.url, *NEWER)
    left = here.export()
    rows = json.loads(left.splitlines()[-1])["rows"]
    assert all(rows.values()), rows
    there.take_in(left, here.key)
    assert there.export() == left
    back.take_in(there.export(), there.key)
    assert back.export() == left


@pytest.fixture
def target(store_url: str, tmp_path: Path) -> Place:
    return Place(store_url, tmp_path)


@pytest.mark.parametrize("export", [EARLIER, FULL], ids=lambda path: path.stem)
def test_an_export_of_an_earlier_version_is_brought_up_to_date(target: Place, export: Path) -> None:
    target.take_in(export.read_bytes(), export.with_suffix(".key"))
    assert not migrations.pending(steps_done(target.url))
    told = json.loads(export.read_bytes().splitlines()[-1])["rows"]
    now = json.loads(target.export().splitlines()[-1])["rows"]
    assert {table: now[table] for table in told} == told


def test_a_key_that_is_there_is_taken_if_it_is_the_same(target: Place) -> None:
    make_key_file(target.key, EARLIER_KEY.read_bytes())
    target.take_in(EARLIER.read_bytes(), EARLIER_KEY)
    assert not target.empty


def test_another_key_is_not_written_over(target: Place) -> None:
    make_key_file(target.key)
    with pytest.raises(StoreUnusable, match="holds another key"):
        target.take_in(EARLIER.read_bytes(), EARLIER_KEY)
    assert target.empty


def test_the_log_of_a_database_that_was_moved_away_spoils_no_import(tmp_path: Path) -> None:
    """As a service leaves it that was killed: nothing of it has been written back yet."""
    here, target = (Place(f"sqlite:{tmp_path}/{name}.db", tmp_path) for name in ("old", "new"))
    store = open_store(here.url)
    asyncio.run(Installation(store).furnish())
    log = tmp_path / "new.db-wal"
    log.write_bytes((tmp_path / "old.db-wal").read_bytes())
    store.close()
    with pytest.raises(StoreUnusable, match=r"new\.db-wal is there"):
        target.take_in(EARLIER.read_bytes(), EARLIER_KEY)
    log.unlink()
    target.take_in(EARLIER.read_bytes(), EARLIER_KEY)


async def test_a_copy_made_of_a_database_in_use_is_whole(tmp_path: Path) -> None:
    """As docs/guides/postgresql.md has backups made."""
    here, copy = (Place(f"sqlite:{tmp_path}/{name}.db", tmp_path) for name in ("here", "copy"))
    store = open_store(here.url)
    await Installation(store).furnish()
    beside(here.url, f"VACUUM INTO '{tmp_path}/copy.db'")
    make_key_file(copy.key, here.key.read_bytes())
    assert copy.export() == here.export()
    store.close()


def test_the_key_must_be_that_of_the_export(target: Place, tmp_path: Path) -> None:
    make_key_file(tmp_path / "other")
    with pytest.raises(StoreUnusable, match="is not the key of the database"):
        target.take_in(EARLIER.read_bytes(), tmp_path / "other")
    with pytest.raises(StoreUnusable, match="cannot use the key file"):
        target.take_in(EARLIER.read_bytes(), tmp_path / "missing")
    assert target.empty
    assert not target.key.exists()


def test_a_database_in_use_is_not_imported_into(target: Place) -> None:
    open_store(target.url, target.key).close()
    with pytest.raises(StoreUnusable, match=r"there already|not empty"):
        target.take_in(EARLIER.read_bytes(), EARLIER_KEY)


def spoilt() -> Iterator[tuple[str, bytes]]:
    """The export, wrong in one place each time."""
    whole = b"".join(LINES)
    yield "nothing", b""
    yield "no export", b'{"format":"other","version":1,"steps":[],"key_proof":""}\n' + whole
    yield "no JSON", b"PK\x03\x04\n"
    yield "a later format", whole.replace(b'"version":1', b'"version":2', 1)
    yield "cut at a line", b"".join(LINES[:-1])
    yield "cut in a line", whole[:-30]
    yield "a row missing", b"".join(line for line in LINES if ANN.encode() not in line)
    yield "a row twice", b"".join([*LINES[:3], *LINES[2:]])
    yield "a value changed", whole.replace(b"acme", b"acmf", 1)
    yield "a bit changed", whole.replace(b"acme", b"acm\xe5", 1)
    yield "a number too large", whole.replace(b",1,null", b",9223372036854775808,null", 1)
    yield "another table", whole.replace(b'{"table":"accounts"', b'{"table":"acounts"', 1)
    yield "a table missing", b"".join(line for line in LINES if b'"table":"tags"' not in line)
    yield "a row too short", b"".join([*LINES[:2], b"[1]\n", *LINES[2:]])
    yield "something after it", whole + b"[]\n"


@pytest.mark.parametrize("content", [pytest.param(text, id=name) for name, text in spoilt()])
def test_a_spoilt_export_leaves_nothing_behind(target: Place, content: bytes) -> None:
    with pytest.raises((BadArchive, StoreUnusable)):
        target.take_in(content, EARLIER_KEY)
    assert target.empty
    target.take_in(EARLIER.read_bytes(), EARLIER_KEY)


def test_an_export_of_a_later_version_is_refused(target: Place) -> None:
    content = EARLIER.read_bytes().replace(b'[1,"schema"]', b'[1,"schema"],[999,"later"]', 1)
    with pytest.raises(StoreUnusable, match="another version"):
        target.take_in(content, EARLIER_KEY)


def test_what_postgresql_cannot_keep_is_told(cluster: Cluster, tmp_path: Path) -> None:
    here = Place(f"sqlite:{tmp_path}/maskline.db", tmp_path)
    store = open_store(here.url, here.key)
    asyncio.run(
        store.write(
            lambda tx: tx.run("insert_account", account_id="1", name="a\0b", operator=1, now=1)
        )
    )
    store.close()
    there = Place(cluster.new_database(), tmp_path)
    with pytest.raises(StoreUnusable, match=r"accounts: .*NUL"):
        there.take_in(here.export(), here.key)
    assert there.empty


def beside(url: str, *statements: str) -> None:
    """What somebody else does in the database."""
    path = url.removeprefix("sqlite:")
    connection: Any = (
        psycopg.connect(url, autocommit=True)
        if path == url
        else sqlite3.connect(path, isolation_level=None)
    )
    with closing(connection):
        for statement in statements:
            connection.execute(statement)


def test_what_others_keep_in_the_database_is_left_there(target: Place, tmp_path: Path) -> None:
    """Statistics, a table of somebody's, the view of an extension."""
    target.take_in(EARLIER.read_bytes(), EARLIER_KEY)
    before = target.export()
    beside(
        target.url,
        "ANALYZE",
        "CREATE TABLE notes (account_id TEXT REFERENCES accounts, weight NUMERIC)",
        "CREATE VIEW usage AS SELECT 1.5 AS load",
    )
    assert target.export() == before


def test_the_views_of_an_extension_do_not_make_a_database_used(
    cluster: Cluster, tmp_path: Path
) -> None:
    target = Place(cluster.new_database(), tmp_path)
    beside(target.url, "CREATE EXTENSION pg_stat_statements")
    target.take_in(EARLIER.read_bytes(), EARLIER_KEY)
    assert not target.empty


def test_a_database_of_somebody_else_is_not_imported_into(cluster: Cluster, tmp_path: Path) -> None:
    target = Place(cluster.new_database(), tmp_path)
    beside(target.url, "CREATE TABLE notes (note TEXT)")
    with pytest.raises(StoreUnusable, match="it has the table notes"):
        target.take_in(EARLIER.read_bytes(), EARLIER_KEY)


def test_a_database_that_is_not_there_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="there is no database"):
        Place(f"sqlite:{tmp_path}/maskline.db", tmp_path).export()
    assert not list(tmp_path.iterdir())


async def test_an_export_is_one_moment_of_a_database_in_use(store_url: str, tmp_path: Path) -> None:
    here = Place(store_url, tmp_path)
    store = open_store(here.url, here.key)
    installation = Installation(store)
    connector = await installation.furnish()
    content = await asyncio.to_thread(here.export)
    assert len(await installation.sessions(connector)) == 2
    await installation.open(connector, CAT, "+15035550104")
    assert await asyncio.to_thread(here.export) != content
    store.close()
