"""`maskline export`: a whole installation into a file."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from maskline.cli.commands import Command, Values
from maskline.cli.database import CONFIG, at, database_of
from maskline.cli.faults import Fault
from maskline.cli.globals import Globals
from maskline.cli.options import Option

if TYPE_CHECKING:
    from maskline.store.transfer import Ending

STANDARD = "-"


def run(values: Values, bare: list[str], globals_: Globals) -> int:
    """Write the file; the exit code."""
    from maskline.store.transfer import export_store

    database = database_of(values)
    place = str(values["file"])
    with at(database), output(place) as file:
        ending = export_store(database.url.text, database.key_file, file)
    tell(ending, sys.stderr if place == STANDARD else sys.stdout)
    return 0


@contextmanager
def output(place: str) -> Iterator[IO[bytes]]:
    """Where the export goes: a new file, for its owner only, that is there when it is whole."""
    if place == STANDARD:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except OSError as error:  # who reads half an export has to know it
            raise Fault(f"standard output cannot be written: {error.strerror}") from None
        return
    path, growing = Path(place), Path(f"{place}.part")
    if path.exists():
        raise Fault(f"{path} is there already; name another file")
    try:
        growing.unlink(missing_ok=True)  # of somebody else, who could read it, or of one killed
        descriptor = os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        growing.rename(path)
    except OSError as error:
        raise Fault(f"{place} cannot be written: {error.strerror}") from None
    finally:
        growing.unlink(missing_ok=True)


def tell(ending: "Ending", stream: IO[str]) -> None:
    """How much there is of everything, and the digest that tells two exports apart."""
    for table, rows in sorted(ending.rows.items()):
        stream.write(f"{rows:>9} {table}\n")
    stream.write(f"SHA-256 {ending.sha256}\n")
    stream.flush()


COMMAND = Command(
    "export",
    "writes all that the database holds into a file",
    (
        "Writes everything that the service's database holds, at one moment, into a file that"
        " maskline import can make a database from: the same kind or the other, SQLite or"
        " PostgreSQL. The service may go on meanwhile, but what it writes from then on is not in"
        " the file: to move an installation, stop it first.",
        "The secrets of access keys are sealed in the file as they are in the database: it gives"
        " none away without the key file, which you carry apart. It does hold phone numbers.",
    ),
    (
        CONFIG,
        Option(
            "file",
            "file",
            required=True,
            documentation=(
                "The file to write, which must not be there yet; - is the standard output, for a"
                " program that encrypts, say."
            ),
        ),
    ),
    run,
)
