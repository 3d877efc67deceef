"""Limits on calls: how many at once and how many a second, counted where they are decided."""

import heapq
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

SECOND = 1000


@dataclass
class Rate:
    """Counts what happens, by key, within the last second. Times are milliseconds."""

    clock: Callable[[], int]
    _times: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))

    def full(self, key: str, most: int) -> bool:
        """Whether there may be no more of this key now."""
        now = self.clock()
        times = self._times[key]
        while times and times[0] <= now - SECOND:
            times.popleft()
        return len(times) >= most

    def allows(self, key: str, most: int) -> bool:
        """Whether there may be one more of this key now; it is counted if so."""
        if self.full(key, most):
            return False
        self._times[key].append(self.clock())
        return True

    def forget_old(self) -> None:
        """Drops keys that nobody has used for a second."""
        now = self.clock()
        for key in [
            k for k, times in self._times.items() if not times or times[-1] <= now - SECOND
        ]:
            del self._times[key]


@dataclass(frozen=True)
class Announcement:
    """A sound file that a refused caller hears, as rtpengine finds it."""

    file: str
    milliseconds: int


@dataclass
class Places:
    """So many places, each taken for a time that is known beforehand. Times are milliseconds."""

    clock: Callable[[], int]
    most: int
    _until: list[int] = field(default_factory=list)

    def take(self, milliseconds: int) -> bool:
        """Whether there was a place; it is taken if so."""
        now = self.clock()
        while self._until and self._until[0] <= now:
            heapq.heappop(self._until)
        if len(self._until) >= self.most:
            return False
        heapq.heappush(self._until, now + milliseconds)
        return True
