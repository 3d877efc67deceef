"""What comes together for the next turn, and who waits to hear of it; what cannot be kept."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec

from maskline.sms.port import Arrival, InboundText, Outcome, Verdict
from maskline.store import StoreFailed

TIMES = 3  # how often something alone makes a turn fail before it is given up
MOST_SUSPECTS = 1_000

Waiting = tuple[Sequence[Arrival], asyncio.Future[list[Verdict]]]
Named = tuple[str, Outcome]  # by our message id
Name = tuple[type, str | int]


class Gathered:
    """Arrivals, with who waits for their verdicts, and outcomes."""

    def __init__(self, outcomes: Sequence[Named] = ()) -> None:
        self.waiting: list[Waiting] = []
        self.outcomes: list[Named] = list(outcomes)

    def __bool__(self) -> bool:
        return bool(self.waiting or self.outcomes)

    @property
    def arrivals(self) -> list[Arrival]:
        return [each for batch, _ in self.waiting for each in batch]

    def answer(self, verdicts: Sequence[Verdict]) -> None:
        start = 0
        for batch, future in self.waiting:
            if not future.done():
                future.set_result(list(verdicts[start : start + len(batch)]))
            start += len(batch)

    def fail(self, error: Exception) -> None:
        """Nothing was kept: carriers are to come again."""
        for _, future in self.waiting:
            if not future.done():
                future.set_exception(StoreFailed(type(error).__name__))


class Suspects:
    """What turns failed by, though the store did not.

    Something is at fault itself if it made turns fail by itself so many times, and others of its
    kind were kept meanwhile. Where none were, the fault is ours, and nothing is given up.
    """

    def __init__(self) -> None:
        self._times: Counter[Name] = Counter()
        self._others: set[Name] = set()  # the suspects after which others of their kind were kept

    def failed(self, item: Arrival | Named) -> bool:
        """Notes that a turn failed by this alone; whether it is to be given up."""
        if len(self._times) >= MOST_SUSPECTS:
            self._times.clear()
            self._others.clear()
        name = name_of(item)
        self._times[name] += 1
        guilty = self._times[name] >= TIMES and name in self._others
        if guilty:
            del self._times[name]
            self._others.discard(name)
        return guilty

    def kept(self, items: Sequence[Arrival | Named]) -> None:
        """Notes that a turn with these was kept."""
        kinds = {type(each) for each in items} if self._times else ()
        self._others |= {name for name in self._times if name[0] in kinds}


def name_of(item: Arrival | Named) -> Name:
    """By what something is known when it comes again, at another time, by another connection."""
    if isinstance(item, tuple):
        return tuple, item[0]
    if isinstance(item, InboundText):
        return InboundText, hash(msgspec.structs.replace(item, received_at=0, connection=""))
    return type(item), hash(msgspec.structs.replace(item, at=0))
