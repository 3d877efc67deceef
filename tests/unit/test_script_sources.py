"""Strangers, as the script counts them: each address, and each network of IPv6."""

from collections import Counter
from types import ModuleType, SimpleNamespace

import pytest
from fake_kamailio import loaded

from maskline.engines.kamailio import MOST_STRANGE


class Counts:
    """Kamailio's table of strangers."""

    def __init__(self) -> None:
        self.cells: Counter[str] = Counter()
        self.seconds: dict[str, int] = {}

    def sht_inc(self, _table: str, name: str) -> int:
        self.cells[name] += 1
        return self.cells[name]

    def sht_setxi(self, _table: str, name: str, count: int, seconds: int) -> None:
        self.cells[name] = count
        self.seconds[name] = seconds

    def sht_sets(self, _table: str, _name: str, _value: str) -> None:
        pass

    def sht_rm(self, _table: str, name: str) -> None:
        self.cells.pop(name, None)


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def sources(counts: Counts) -> ModuleType:
    return loaded("sources", SimpleNamespace(htable=counts))


def test_addresses_of_one_customer_are_counted_together(sources: ModuleType) -> None:
    for number in range(1, MOST_STRANGE + 1):
        assert not sources.is_flooding(f"2001:db8:0:1::{number:x}", MOST_STRANGE)
    assert sources.is_flooding("2001:db8:0:1:a::1", MOST_STRANGE)
    assert not sources.is_flooding("2001:db8:0:2::1", MOST_STRANGE)


def test_ipv4_addresses_are_counted_each_for_itself(sources: ModuleType, counts: Counts) -> None:
    assert not any(sources.is_flooding(f"192.0.2.{number}", MOST_STRANGE) for number in range(200))
    assert set(counts.cells.values()) == {1}


def test_a_new_count_has_a_new_time(sources: ModuleType, counts: Counts) -> None:
    """Else Kamailio would begin to count with each message, once the first time was over."""
    for _ in range(2):
        sources.is_flooding("2001:db8::7", MOST_STRANGE)
        assert counts.seconds == {"2001:db8::7": 30, "2001:db8::/64": 30}
        counts.seconds.clear()
        counts.cells.clear()
    sources.is_flooding("2001:db8::7", MOST_STRANGE)
    counts.seconds.clear()
    sources.is_flooding("2001:db8::7", MOST_STRANGE)
    assert not counts.seconds


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_a_carriers_address_is_no_strangers_any_more(
    sources: ModuleType, counts: Counts, address: str
) -> None:
    """Before it was told, after a start of Kamailio, its messages were a stranger's."""
    sources.is_flooding(address, MOST_STRANGE)
    sources.admit("acme", f"{address}\n".encode())
    assert not counts.cells
