"""The media engines of all nodes, as one.

The sound of a call stays with the engine that its first offer went to: that of the node that took
the call, whose name its id begins with; or, where that one is down, another node's. Then the
reference that the call's legs hold names that node behind the id.

What comes late, such as an answer that is repeated when its call was hung up, an engine takes for
the same call or for a new one, and keeps ports for it. So each end is noted before the engine hears
of it, and looked for after all else that it is told: whatever comes first, the end is the last.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from . import sdp
from .media import Media, MediaDown
from .others import Engine, Others

NODE_LENGTH = 8
APART = "~"
MOST_TRIED = 3
WARY_SECONDS = 3.0  # after a failure, in which an engine is the last to be asked for a new call


def call_of(reference: str) -> str:
    """The call's id."""
    return reference.partition(APART)[0]


def node_of(reference: str) -> str:
    """The node whose engine has the call's sound."""
    call, _, node = reference.partition(APART)
    return node or call[:NODE_LENGTH]


class Notes(Protocol):
    """Texts by names that all workers know; see `tables`."""

    def put(self, name: str, value: str) -> None: ...
    def get(self, name: str) -> str | None: ...


class Engines:
    """`over` has the references of the calls that ended of late."""

    def __init__(self, node: str, own: Media, others: Others, over: Notes) -> None:
        self._node, self._own, self._others, self._over = node, own, others, over
        self._known: dict[Engine, Media] = {}
        self._failed_at: dict[str, float] = {}

    def references(self, call: str) -> list[str]:
        """What a new call may be referred to by, the best first: each leaves its sound to another
        engine, our own before those of other nodes."""
        others = self._others.engines
        if not others:
            return [call]
        chosen = random.sample(sorted(others), min(len(others), MOST_TRIED - 1))
        references = [call, *(f"{call}{APART}{node}" for node in chosen)]
        return sorted(references, key=lambda one: self._failed_lately(node_of(one)))

    def _failed_lately(self, node: str) -> bool:
        failed_at = self._failed_at.get(node)
        return failed_at is not None and time.monotonic() - failed_at < WARY_SECONDS

    def offer(self, reference: str, *given: Any) -> sdp.Description:
        try:
            with self._minding_the_end(reference):
                return self._of(reference).offer(call_of(reference), *given)
        except MediaDown:
            self._failed_at[node_of(reference)] = time.monotonic()
            raise

    def answer(self, reference: str, *given: Any) -> sdp.Description:
        with self._minding_the_end(reference):
            return self._of(reference).answer(call_of(reference), *given)

    @contextmanager
    def _minding_the_end(self, reference: str) -> Iterator[None]:
        """Ends what the engine is told of a call that is over, or may come to read only later."""
        try:
            yield
        finally:
            if self._over.get(reference):
                self.delete(reference)

    def places(self, reference: str, *given: Any) -> list[tuple[str, int]]:
        return self._of(reference).places(call_of(reference), *given)

    def signalled_at(self, reference: str, *given: Any) -> float:
        return self._of(reference).signalled_at(call_of(reference), *given)

    def knows(self, reference: str, *given: Any) -> bool:
        return self._of(reference).knows(call_of(reference), *given)

    def delete(self, reference: str, *given: Any) -> None:
        """Ends the call's media; nothing is waited for, nor lost when its engine is gone."""
        self._over.put(reference, "1")
        with suppress(OSError):
            self._of(reference).delete(call_of(reference), *given)

    def delete_second(self, reference: str) -> None:
        with suppress(OSError):
            self._of(reference).delete_second(call_of(reference))

    def _of(self, reference: str) -> Media:
        node = node_of(reference)
        if node == self._node:
            return self._own
        engine = self._others.engines.get(node)
        if engine is None:
            raise MediaDown("the node that has the sound is gone")
        if engine not in self._known:
            self._forget_the_gone()
            self._known[engine] = Media((engine.host, engine.port), list(engine.addresses))
        return self._known[engine]

    def _forget_the_gone(self) -> None:
        for engine in self._known.keys() - set(self._others.engines.values()):
            self._known.pop(engine).close()

    def close(self) -> None:
        for media in (self._own, *self._known.values()):
            media.close()
