"""The schema's steps, on a database in which there is something."""

import asyncio
import io
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cluster import Cluster
from databases import DATABASES, new_store_url
from installation import ANN, CAT, Installation

from maskline.store import StoreUnusable, migrations, open_store, steps_done
from maskline.store.sqlite import connect, prepare, statements
from maskline.store.transfer import archive, export_store, import_store, source

DATA = Path(__file__).parents[1] / "data" / "store"
# Of versions before, with something in every table that they had; each by its last step.
EXPORTS = {int(path.stem[-4:]): path for path in sorted(DATA.glob("export-*.jsonl"))}
FIRST = migrations.steps()[:1]
LATER = migrations.Step(
    len(migrations.steps()) + 1,
    "colour_of_connectors",
    "CREATE TABLE colours (colour TEXT PRIMARY KEY) STRICT;\n"
    "ALTER TABLE proxy_sessions ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';\n"
    "CREATE INDEX proxy_sessions_of_colour ON proxy_sessions (colour);\n",
)


def test_a_new_database_runs_every_step_once(tmp_path: Path) -> None:
    connection = connect(tmp_path / "db")
    prepare(connection)
    prepare(connection)
    done = [row["step"] for row in connection.execute("SELECT step FROM migrations")]
    assert done == [step.number for step in migrations.steps()]
    connection.close()


def test_no_table_that_the_steps_make_is_overlooked(tmp_path: Path) -> None:
    connection = connect(tmp_path / "db")
    prepare(connection)
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert {row["name"] for row in found} == migrations.tables() | {"migrations"}
    connection.close()


def test_only_what_is_missing_runs() -> None:
    ran: list[migrations.Step] = []
    known = migrations.steps()
    done = {step.number: step.name for step in known[1:]}
    migrations.migrate(done, ran.append)
    assert ran == known[:1]


@pytest.mark.parametrize("done", [{1: "schema", 999: "later"}, {1: "another"}])
def test_a_database_of_another_version_is_left_alone(done: dict[int, str]) -> None:
    with pytest.raises(StoreUnusable):
        migrations.migrate(done, lambda step: None)


class Earlier:
    """A database as the version of an export left it, with something in every table."""

    def __init__(self, url: str, folder: Path, export: Path) -> None:
        self.url, self._export = url, export
        path = url.removeprefix("sqlite:")
        self.key = folder / "key" if path == url else Path(f"{path}.key")
        with export.open("rb") as file:
            import_store(url, self.key, file, export.with_suffix(".key"))

    def rows(self) -> list[bytes]:
        """Every row of its tables, with the columns they had, as lines of an export."""
        tally = archive.Tally()
        with self._export.open("rb") as file:
            reader = archive.Reader(file)
            tables = []
            for table, rows in reader.tables():
                assert list(rows)
                tables.append(table)
        with source(self.url, self.key) as side:
            return list(
                archive.lines(reader.header, [(each, side.rows(each)) for each in tables], tally)
            )

    def exported(self) -> list[bytes]:
        """The same as they were."""
        return self._export.read_bytes().splitlines(keepends=True)[:-1]


@pytest.fixture
def knows(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the steps that the program knows."""
    return lambda steps: monkeypatch.setattr(migrations, "steps", lambda: steps)


@pytest.fixture(params=DATABASES)
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_store_url(request, request.param, tmp_path)


@pytest.fixture
def earlier(new_url: str, tmp_path: Path, knows: Any) -> Earlier:
    return left_by(1, new_url, tmp_path, knows)


def left_by(last_step: int, url: str, folder: Path, knows: Any) -> Earlier:
    every_step = migrations.steps()
    knows(every_step[:last_step])
    found = Earlier(url, folder, EXPORTS[last_step])
    knows(every_step)
    return found


@pytest.mark.parametrize("last_step", EXPORTS)
def test_every_row_of_an_earlier_version_is_kept(
    last_step: int, new_url: str, tmp_path: Path, knows: Any
) -> None:
    earlier = left_by(last_step, new_url, tmp_path, knows)
    assert len(steps_done(earlier.url)) == last_step
    open_store(earlier.url, earlier.key).close()
    assert not migrations.pending(steps_done(earlier.url))
    assert earlier.rows() == earlier.exported()


@pytest.mark.parametrize("deleted", [False, True])
def test_what_a_deleted_connector_kept_is_deleted(tmp_path: Path, deleted: bool) -> None:
    connection = connect(tmp_path / "db")
    leftovers = next(step for step in migrations.steps() if step.name == "leftovers")
    prepare(connection)
    connection.execute("INSERT INTO accounts VALUES ('1', 'a', 0, NULL, NULL, NULL, 0)")
    connection.execute(
        "INSERT INTO voice_connectors (voice_connector_id, account_id, region, name,"
        " require_encryption, network_type, created_at, updated_at, deleted_at)"
        " VALUES ('v', '1', 'r', 'n', 0, 'IPV4_ONLY', 0, 0, ?)",
        [1 if deleted else None],
    )
    connection.execute("INSERT INTO connector_documents VALUES ('v', 'Origination', '{}')")
    connection.execute("INSERT INTO termination_credentials VALUES ('v', 'anna', x'00')")
    for statement in statements(leftovers.script):
        connection.execute(statement)
    for table in ("connector_documents", "termination_credentials"):
        (row,) = connection.execute(f"SELECT count(*) AS found FROM {table}")
        assert row["found"] == (0 if deleted else 1)
    connection.close()


def test_a_database_of_an_earlier_version_is_not_exported(earlier: Earlier, knows: Any) -> None:
    knows([*FIRST, migrations.Step(2, "later", "SELECT 1;")])
    with pytest.raises(StoreUnusable, match="maskline migrate"):
        export_store(earlier.url, earlier.key, io.BytesIO())


def test_a_step_that_fails_leaves_the_database_as_it_was(earlier: Earlier, knows: Any) -> None:
    knows([*FIRST, migrations.Step(2, "broken", "CREATE TABLE a (a TEXT) STRICT;\nNONSENSE;\n")])
    before = earlier.rows()
    with pytest.raises(Exception, match=r"(?i)syntax error"):
        open_store(earlier.url, earlier.key)
    assert steps_done(earlier.url) == {1: "schema"}
    assert earlier.rows() == before


async def test_services_of_the_version_before_go_on_while_a_step_runs(
    cluster: Cluster, tmp_path: Path, knows: Any
) -> None:
    """Requests of the version before, before, during and after a step of the next one: none fails,
    nothing that was answered is lost."""
    url, key = cluster.new_database(), tmp_path / "key"
    store = open_store(url, key)
    installation = Installation(store)
    connector = await installation.prepare("+19135550100", "+19135550101")
    made: list[str] = []
    stop = asyncio.Event()

    async def customer() -> None:
        while not stop.is_set():
            session = await installation.open(connector, ANN, CAT)
            made.append(session["ProxySessionId"])
            await installation.close(connector, session["ProxySessionId"])
            await installation.sessions(connector)

    async def at_least(sessions: int) -> None:
        while len(made) < sessions and not customers.done():
            await asyncio.sleep(0.01)

    customers = asyncio.gather(customer(), customer())
    await at_least(20)  # by now the driver has prepared the statements
    knows([*migrations.steps(), LATER])
    await asyncio.to_thread(lambda: open_store(url, key).close())
    await at_least(len(made) + 20)
    stop.set()
    await customers
    found = await store.read(
        lambda tx: tx.all(
            "list_proxy_sessions", voice_connector_id=connector, before=2**62, limit=10**6
        )
    )
    store.close()
    assert {row["proxy_session_id"] for row in found} == set(made)
    assert {row["colour"] for row in found} == {"red"}


def test_a_step_waits_for_its_locks_only_so_long(
    cluster: Cluster, tmp_path: Path, knows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody reads for long: others are let through in between, and the step runs in the end."""
    monkeypatch.setattr("maskline.store.postgresql.LOCK_MILLISECONDS", 50)
    url, key = cluster.new_database(), tmp_path / "key"
    open_store(url, key).close()
    knows([*migrations.steps(), LATER])
    with psycopg.connect(url) as reader, psycopg.connect(url, autocommit=True) as other:
        reader.execute("SELECT count(*) FROM proxy_sessions")
        migrating = threading.Thread(target=lambda: open_store(url, key).close())
        migrating.start()
        for _ in range(3):
            other.execute("SELECT count(*) FROM proxy_sessions")
        assert migrating.is_alive()
        reader.rollback()
        migrating.join()
    assert steps_done(url)[LATER.number] == LATER.name
