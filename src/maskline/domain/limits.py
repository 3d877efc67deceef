"""Limits on calls: how many at once and how many a second, counted where they are decided."""

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
