"""Tables in Kamailio's memory (its module htable), which all workers share.

Kamailio gives what a table holds as a pointer into the table, and another worker may change or take
away the entry before it is copied from there. What is read may so be parts of two values, or
whatever took its place: something of another call. So every value is kept with a hash of it and of
its name, and what does not fit its hash is not believed.
"""

from __future__ import annotations

import hashlib

import KSR

ATTEMPTS = 3  # an entry that was being changed is there the next time


class Table:
    """Texts by names. `name` is the table's in Kamailio's configuration, which tells how long."""

    def __init__(self, name: str) -> None:
        self._table = name

    def put(self, name: str, value: str) -> None:
        KSR.htable.sht_sets(self._table, name, f"{digest(name, value)} {value}")

    def get(self, name: str) -> str | None:
        """The value, None where there is none."""
        for _ in range(ATTEMPTS):
            try:
                found = KSR.htable.sht_get(self._table, name)
            except UnicodeDecodeError:
                continue
            if found is None:
                break
            told, _, value = str(found).partition(" ")
            if told == digest(name, value):
                return value
        return None

    def drop(self, name: str) -> None:
        KSR.htable.sht_rm(self._table, name)


def digest(name: str, value: str) -> str:
    """What Kamailio's own language works out, too (`route[READY]`)."""
    return hashlib.sha256(f"{name} {value}".encode()).hexdigest()
