"""How many requests an access key may send: a token bucket each, so none starves the others."""

import math
from collections.abc import Callable

from maskline.domain.refusals import Throttled

MOST_KEPT = 10_000  # buckets, unless so many keys are in use at once


class Throttle:
    """At most `rate` requests a second for each key, and as many at once after a pause.

    `clock` gives seconds. Only keys that exist are counted; those that were deleted are forgotten,
    with all that sent nothing for a second, when there are too many.
    """

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and when they were counted

    def take(self, access_key_id: str) -> None:
        """Counts a request; raises Throttled when it is one too many."""
        now = self._clock()
        tokens, at = self._buckets.get(access_key_id, (self._rate, now))
        tokens = min(self._rate, tokens + (now - at) * self._rate)
        if tokens < 1:
            raise Throttled(
                f"The access key has sent more than {self._rate} requests a second",
                retry_after=math.ceil((1 - tokens) / self._rate),
            )
        self._buckets[access_key_id] = (tokens - 1, now)
        if len(self._buckets) > MOST_KEPT:
            self._forget_full(now)

    def _forget_full(self, now: float) -> None:
        """A bucket that nobody drew from for a second is as full as a new one."""
        self._buckets = {key: each for key, each in self._buckets.items() if now - each[1] < 1}
