"""`maskline import`: a database from the file of an export."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from maskline.cli.commands import Command, Values
from maskline.cli.database import CONFIG, at, database_of
from maskline.cli.export import STANDARD, tell
from maskline.cli.faults import Fault
from maskline.cli.globals import Globals
from maskline.cli.options import Option


def run(values: Values, bare: list[str], globals_: Globals) -> int:
    """Make the database; the exit code."""
    from maskline.store.transfer import BadArchive, import_store

    database = database_of(values)
    place, key_file = str(values["file"]), Path(str(values["key_file"]))
    with source(place) as file, at(database):
        try:
            ending = import_store(database.url.text, database.key_file, file, key_file)
        except BadArchive as error:
            raise Fault(f"{place} cannot be used: {error}") from None
    tell(ending, sys.stdout)
    sys.stdout.write(f"All of it is in {database.url}, read back and compared.\n")
    return 0


@contextmanager
def source(place: str) -> Iterator[IO[bytes]]:
    if place == STANDARD:
        yield sys.stdin.buffer
        return
    try:
        with open(place, "rb") as file:
            yield file
    except FileNotFoundError:
        raise Fault(f"there is no file {place}") from None
    except OSError as error:
        raise Fault(f"{place} cannot be read: {error.strerror}") from None


COMMAND = Command(
    "import",
    "makes a database from the file of an export",
    (
        "Makes the database that the settings name from a file of maskline export. The database"
        " must be new: for SQLite there is no such file yet, for PostgreSQL it is empty. It is done"
        " whole or not at all: all is read back and compared with the file before it is kept. The"
        " file may be of an earlier version of Maskline.",
        "The key that the database's secrets are sealed with comes with it: name the key file of"
        " the old database, and it is copied to where the new one has its key.",
    ),
    (
        CONFIG,
        Option(
            "file",
            "file",
            required=True,
            documentation="The file of the export; - is the standard input.",
        ),
        Option(
            "key-file",
            "key_file",
            required=True,
            documentation=(
                "The key file of the database that was exported: the path of a SQLite database with"
                " .key after it, or what store.key names."
            ),
        ),
    ),
    run,
)
