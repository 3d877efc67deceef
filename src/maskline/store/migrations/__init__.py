"""The schema as numbered steps, in a folder for each dialect of SQL.

A step is a file `0001_what_it_does.sql`. Steps run in order, each in a transaction of its own
together with the note that it ran. A step that has been released is never edited.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources

LEDGER = "CREATE TABLE IF NOT EXISTS migrations (step INTEGER PRIMARY KEY, name TEXT NOT NULL)"


class StoreTooNew(Exception):
    """The database was migrated by a later version of the program."""


@dataclass(frozen=True)
class Step:
    number: int
    name: str
    script: str


def steps(dialect: str) -> list[Step]:
    """All steps of a dialect in order."""
    folder = resources.files("maskline.store.migrations") / dialect
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = [
        Step(int(name[:4]), name[5:-4], (folder / name).read_text(encoding="utf-8"))
        for name in names
    ]
    assert [step.number for step in found] == list(range(1, len(found) + 1)), names
    return found


def pending(dialect: str, done: Iterable[int]) -> list[Step]:
    """The steps still to run; raises StoreTooNew when one ran that is not known here."""
    known = steps(dialect)
    unknown = set(done) - {step.number for step in known}
    if unknown:
        raise StoreTooNew(f"the database is at step {max(unknown)}, this program at {len(known)}")
    return [step for step in known if step.number not in set(done)]


def migrate(dialect: str, done: Iterable[int], run: Callable[[Step], None]) -> list[Step]:
    """Runs what is pending through `run` and gives the steps that ran."""
    todo = pending(dialect, done)
    for step in todo:
        run(step)
    return todo
