"""The schema as numbered steps, written for SQLite; `dialect.py` has them for PostgreSQL.

A step is a file `0001_what_it_does.sql`. Steps run in order, each in a transaction of its own
together with the note that it ran. A step that has been released is never edited. Processes of the
version before go on working while a step runs and after it, so a step adds: it takes nothing away
that they read, and what it demands of rows it gives a default.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources

from maskline.store import dialect
from maskline.store.place import sqlite_path
from maskline.store.port import StoreUnusable

LEDGER = "CREATE TABLE IF NOT EXISTS migrations (step INTEGER PRIMARY KEY, name TEXT NOT NULL)"
TABLE = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A change of the schema; `script` is in SQLite's words."""

    number: int
    name: str
    script: str


def steps() -> list[Step]:
    """All steps in order."""
    folder = resources.files("maskline.store.migrations") / "sqlite"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = [
        Step(int(name[:4]), name[5:-4], (folder / name).read_text(encoding="utf-8"))
        for name in names
    ]
    assert [step.number for step in found] == list(range(1, len(found) + 1)), names
    return found


def tables() -> set[str]:
    """The tables that the steps make. Others may be beside them: statistics, an extension's."""
    return {name for step in steps() for name in TABLE.findall(step.script)}


def script_for(url: str, step: Step) -> str:
    """The SQL of a step as the database at this URL gets it."""
    return step.script if sqlite_path(url) else dialect.schema(step.script)


def pending(done: Mapping[int, str]) -> list[Step]:
    """The steps still to run, given the names of those that ran; raises StoreUnusable."""
    known = steps()
    for number, name in done.items():
        if (number, name) not in {(step.number, step.name) for step in known}:
            raise StoreUnusable(
                f"the database is of another version: it ran step {number} ({name}), unknown here"
            )
    return [step for step in known if step.number not in done]


def migrate(done: Mapping[int, str], run: Callable[[Step], None]) -> None:
    """Runs what is pending through `run`."""
    for step in pending(done):
        run(step)
