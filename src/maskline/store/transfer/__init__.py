"""A whole installation from one database to another: `export_store` and `import_store`.

An export is one moment of the database. An import happens whole or not at all: it is read back and
compared with the export before it is kept.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from maskline.store import migrations
from maskline.store.migrations import Step
from maskline.store.place import of_postgresql, sqlite_path
from maskline.store.port import StoreUnusable
from maskline.store.secrets import key_proof, make_key_file
from maskline.store.transfer import archive, sqlite
from maskline.store.transfer.archive import BadArchive, Ending, Header, Reader, Table, Tally
from maskline.store.transfer.side import Side

POSTGRESQL = "maskline.store.transfer.postgresql"

__all__ = ["BadArchive", "Ending", "export_store", "import_store"]


def export_store(url: str, key_file: Path, file: IO[bytes]) -> Ending:
    """Writes all that the database at `url` holds; how many rows of each table, and their digest.

    Raises StoreUnusable for a database that is not there, or that has not run all steps of the
    schema that this program knows.
    """
    with source(url, key_file) as side:
        done = side.steps()
        if migrations.pending(done):
            raise StoreUnusable(
                "the database is of an earlier version: export it with that one, or run"
                " `maskline migrate --apply` first"
            )
        header = Header(archive.FORMAT, archive.VERSION, sorted(done.items()), side.key_proof())
        tables = side.tables_in_order()
        return archive.write(header, ((table, side.rows(table)) for table in tables), file)


def import_store(url: str, key_file: Path, file: IO[bytes], its_key: Path) -> Ending:
    """Makes the database at `url` from an export and the key file of where it comes from.

    The schema is first made as it was there, and brought up to date at the end, so that an export
    of an earlier version will do. Raises BadArchive, and StoreUnusable for a database that is not
    empty, for a wrong key, or for what cannot be kept there.
    """
    reader = Reader(file)
    require_key(reader.header, its_key)
    then, since = split_steps(reader.header)
    with target(url, key_file) as side:
        bring_key(its_key, side.key_file)
        for step in then:
            side.run(step)
        tables = fill(side, reader)
        compare(side, reader, tables)
        for step in since:
            side.run(step)
    assert reader.ending is not None
    return reader.ending


def fill(side: Side, reader: Reader) -> list[Table]:
    known = {table.table: table for table in side.tables()}
    tables = []
    for table, rows in reader.tables():
        own = known.pop(table.table, None)
        if own is None or columns(own) != columns(table):
            raise BadArchive(f"the schema has no such table {table.table}")
        if own.key != table.key:
            raise BadArchive(f"{table.table} is not in the order of its key")
        side.fill(table, rows)
        tables.append(table)
    if known:
        raise BadArchive(f"the table {min(known)} is missing")
    return tables


def columns(table: Table) -> dict[str, str]:
    return dict(zip(table.columns, table.kinds, strict=True))


def compare(side: Side, reader: Reader, tables: list[Table]) -> None:
    """Reads everything back; raises StoreUnusable where it is not what the export holds."""
    tally = Tally()
    for _ in archive.lines(reader.header, ((table, side.rows(table)) for table in tables), tally):
        pass
    if tally.ending() != reader.ending:
        raise StoreUnusable("what was written does not read back the same; nothing is kept")


def require_key(header: Header, its_key: Path) -> None:
    try:
        if key_proof(its_key) == header.key_proof:
            return
    except (OSError, ValueError) as error:
        raise StoreUnusable(f"cannot use the key file: {error}") from None
    raise StoreUnusable(f"{its_key} is not the key of the database that was exported")


def split_steps(header: Header) -> tuple[list[Step], list[Step]]:
    """The steps that the exported database had run, and those that this program knows besides."""
    since = migrations.pending(dict(header.steps))
    known = migrations.steps()
    return known[: len(known) - len(since)], since


def bring_key(its_key: Path, own_key: Path) -> None:
    """Puts the key where the new database looks for it; raises StoreUnusable if another is there.

    It comes before the data: without it they would be of no use.
    """
    key = its_key.read_bytes()
    if not own_key.exists():
        own_key.parent.mkdir(parents=True, exist_ok=True)
        make_key_file(own_key, key)
    elif own_key.read_bytes() != key:
        raise StoreUnusable(f"{own_key} is there already and holds another key")


def source(url: str, key_file: Path) -> AbstractContextManager[Side]:
    if path := sqlite_path(url):
        return sqlite.source(path)
    found: AbstractContextManager[Side] = of_postgresql(POSTGRESQL).source(url, key_file)
    return found


def target(url: str, key_file: Path) -> AbstractContextManager[Side]:
    if path := sqlite_path(url):
        return sqlite.target(path)
    found: AbstractContextManager[Side] = of_postgresql(POSTGRESQL).target(url, key_file)
    return found
