"""What this node knows of itself and the others: a file that the control plane writes anew when
something changes."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

import KSR


class Engine(NamedTuple):
    """Another node's media engine: where it is controlled, and what addresses its sound has."""

    host: str
    port: int
    addresses: tuple[str, ...]


class Others:
    """Reads the file again when it is another one than last time. Of Kamailio's shared memory it
    leaves `reserve` bytes to the calls that it has."""

    def __init__(self, path: str, reserve: int) -> None:
        self._path, self._reserve = path, reserve
        self._seen: tuple[int, int] | None = None
        self._draining = self._closed = False
        self._refused = 0
        self._engines: dict[str, Engine] = {}

    @property
    def draining(self) -> bool:
        """Whether this node wants no more calls."""
        self._look()
        return self._draining

    @property
    def closed(self) -> bool:
        """Whether it takes none: who asked has been told for long enough."""
        self._look()
        return self._closed

    def refuses(self) -> bool:
        """Whether the new call at hand is one of those that it cannot carry beside all others."""
        self._look()
        return self.short or 0 < self._refused > int(KSR.pv.get("$(ci{s.corehash,1000})"))

    @property
    def short(self) -> bool:
        """Whether no memory is left for anything new."""
        return int(KSR.pv.get("$stat(free_size)")) < self._reserve

    @property
    def engines(self) -> dict[str, Engine]:
        """The engines of the other nodes, by the name of the node."""
        self._look()
        return self._engines

    def _look(self) -> None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return
        seen = found.st_ino, found.st_mtime_ns
        if seen == self._seen:
            return
        with open(self._path, encoding="utf-8") as file:
            told = json.load(file)
        self._engines = {node: _engine(**one) for node, one in told["engines"].items()}
        self._draining, self._closed = told["draining"], told["closed"]
        self._refused = told["refused"]
        KSR.pv.seti("$shv(refused)", self._refused)
        self._seen = seen


def _engine(control: str, addresses: list[str]) -> Engine:
    host, _, port = control.rpartition(":")
    return Engine(host.strip("[]"), int(port), tuple(addresses))
