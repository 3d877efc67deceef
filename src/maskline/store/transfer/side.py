"""What an export reads from and an import writes to, whichever database it is."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from maskline.store.migrations import Step
from maskline.store.port import StoreUnusable
from maskline.store.secrets import key_proof
from maskline.store.transfer.archive import Row, Table


class Side(ABC):
    """A database in a transaction of its own, and the key of what is sealed in it."""

    def __init__(self, key_file: Path) -> None:
        self.key_file = key_file

    def key_proof(self) -> bytes:
        """What tells the key from others; raises StoreUnusable where there is none."""
        try:
            return key_proof(self.key_file)
        except (OSError, ValueError) as error:
            raise StoreUnusable(f"cannot use the key of the database: {error}") from None

    def tables_in_order(self) -> list[Table]:
        """All tables, each after those that it refers to; the same order in every database."""
        tables = {table.table: table for table in self.tables()}
        sorter: TopologicalSorter[str] = TopologicalSorter({name: set() for name in tables})
        for name, target in self.references():
            if name in tables:
                sorter.add(name, target)
        sorter.prepare()
        found: list[Table] = []
        while ready := sorted(sorter.get_ready()):
            sorter.done(*ready)
            found += [tables[name] for name in ready]
        return found

    @abstractmethod
    def steps(self) -> dict[int, str]:
        """The steps of the schema that ran here, by number."""

    @abstractmethod
    def tables(self) -> list[Table]:
        """Every table that the steps of the schema make."""

    @abstractmethod
    def references(self) -> list[tuple[str, str]]:
        """Which table refers to which."""

    @abstractmethod
    def rows(self, table: Table) -> Iterator[Row]:
        """The rows of a table in the order of its key."""

    @abstractmethod
    def run(self, step: Step) -> None:
        """Runs a step of the schema."""

    @abstractmethod
    def fill(self, table: Table, rows: Iterable[Row]) -> None:
        """Puts rows into an empty table; its sequence goes on after them."""


def columns_of(table: Table) -> str:
    return ", ".join(table.columns)
