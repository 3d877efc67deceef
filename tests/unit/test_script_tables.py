"""Tables of the script: what Kamailio's memory gives is believed when it is what was put there."""

import hashlib
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fake_kamailio import loaded


class Memory:
    """Kamailio's tables. `instead` is what is read at first, in place of what is there."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], str] = {}
        self.instead: list[Any] = []

    def sht_sets(self, table: str, name: str, value: str) -> None:
        self.cells[table, name] = value

    def sht_get(self, table: str, name: str) -> str | None:
        if self.instead:
            wrong = self.instead.pop(0)
            if isinstance(wrong, bytes):
                return wrong.decode()
            return str(wrong)
        return self.cells.get((table, name))

    def sht_rm(self, table: str, name: str) -> None:
        self.cells.pop((table, name), None)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def tables(memory: Memory) -> ModuleType:
    return loaded("tables", SimpleNamespace(htable=memory))


@pytest.mark.parametrize("value", ["", "1", "a b\nc", "x" * 2000])
def test_what_was_put_is_there_until_it_is_dropped(tables: ModuleType, value: str) -> None:
    table = tables.Table("ready")
    assert table.get("one") is None
    table.put("one", value)
    assert table.get("one") == value
    assert tables.Table("other").get("one") is None
    table.drop("one")
    assert table.get("one") is None


def test_a_value_that_came_torn_is_read_again(tables: ModuleType, memory: Memory) -> None:
    table = tables.Table("ready")
    table.put("one", "of this call")
    memory.instead = [b"\xff\xfe", "of another"]
    assert table.get("one") == "of this call"


def test_what_is_another_entrys_is_not_believed(tables: ModuleType, memory: Memory) -> None:
    table = tables.Table("ready")
    table.put("other", "of another call")
    memory.cells["ready", "one"] = memory.cells["ready", "other"]
    assert table.get("one") is None
    memory.instead = [b"\xff"] * 3
    assert table.get("other") is None


def test_the_hash_is_the_one_that_kamailio_works_out(tables: ModuleType) -> None:
    expected = hashlib.sha256(b"name value with blanks").hexdigest()
    assert tables.digest("name", "value with blanks") == expected
