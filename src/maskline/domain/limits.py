"""Limits on calls: how many at once and how many a second, counted where they are decided."""

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

SECOND = 1000
MANY = 10_000  # keys that are kept before it is looked which of them are old
LONGEST_WRITE = 30_000  # milliseconds after which what was to be stored is so, or never will be


@dataclass
class Rate:
    """Counts what happens, by key, within the last second. Times are milliseconds."""

    clock: Callable[[], int]
    _times: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    _look_at: int = MANY

    def full(self, key: str, most: int) -> bool:
        """Whether there may be no more of this key now."""
        return len(self._latest(key)) >= most

    def allows(self, key: str, most: int) -> bool:
        """Whether there may be one more of this key now; it is counted if so."""
        times = self._latest(key)
        if len(times) >= most:
            return False
        times.append(self.clock())
        return True

    def _latest(self, key: str) -> deque[int]:
        now = self.clock()
        if len(self._times) > self._look_at:
            self._forget_old(now)
        times = self._times[key]
        while times and times[0] <= now - SECOND:
            times.popleft()
        return times

    def _forget_old(self, now: int) -> None:
        """Drops keys that nobody has used for a second."""
        kept = {
            key: times for key, times in self._times.items() if times and times[-1] > now - SECOND
        }
        self._times = defaultdict(deque, kept)
        self._look_at = max(MANY, 2 * len(kept))


@dataclass
class Underway:
    """Calls that were let through of which the store does not tell yet, by the keys that they
    count for. Times are milliseconds.

    Who decides knows what the store held at some moment. A call that was stored after it counts
    here: for a moment it may count twice, but it never counts not at all.
    """

    _taken: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    _stored: dict[str, int] = field(default_factory=dict)

    def take(self, call_id: str, seen_at: int, room: Mapping[str, int]) -> str | None:
        """Counts a call for each key, if there is room; else gives the first key without. `room` is
        what the store left free when it was looked at, not before `seen_at`."""
        if not room:
            return None
        self._forget_old(seen_at)
        taken = Counter(
            key
            for call, (_, keys) in self._taken.items()
            if self._stored.get(call, seen_at) >= seen_at
            for key in keys
        )
        full = next((key for key, most in room.items() if taken[key] >= most), None)
        if full is None:
            _, keys = self._taken.get(call_id, (seen_at, ()))
            self._taken[call_id] = seen_at, (*keys, *room)
        return full

    def free(self, call_id: str, key: str | None = None) -> None:
        """The call was not let through after all, or does not count for this key."""
        at, keys = self._taken.pop(call_id, (0, ()))
        rest = tuple(one for one in keys if key is not None and one != key)
        if rest:
            self._taken[call_id] = at, rest

    def store(self, call_ids: Iterable[str], now: int) -> None:
        """The store tells of these calls from now on."""
        for call in call_ids:
            if call in self._taken:
                self._stored.setdefault(call, now)

    def _forget_old(self, now: int) -> None:
        """Nor does what the clock had long before it until it was set back count any more."""
        coming = now + LONGEST_WRITE
        old = [call for call, at in self._stored.items() if not now - SECOND < at < coming]
        old += [
            call for call, (at, _) in self._taken.items() if not now - LONGEST_WRITE < at < coming
        ]
        for call in old:
            self._taken.pop(call, None)
            self._stored.pop(call, None)


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
