"""How fast something may go: a token bucket."""

from collections.abc import Callable


class Bucket:
    """So many a second, and up to `burst` at once after a pause. `clock` gives seconds."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._left = burst
        self._counted = clock()

    @property
    def room(self) -> int:
        """How many may go now; below 0 where more went than might."""
        now = self._clock()
        earned = (now - self._counted) * self._per_second
        self._left, self._counted = min(self._burst, self._left + earned), now
        return int(self._left)

    @property
    def seconds_to_one(self) -> float:
        """How long after the last look at `room` one may go."""
        return max(0.0, 1 - self._left) / self._per_second

    def take(self, count: int) -> None:
        self._left -= count
