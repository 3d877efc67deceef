"""How many requests an access key, or an account, may send: a bucket each, so none starves the
others."""

import math
from collections.abc import Callable

from maskline.domain.bucket import Bucket
from maskline.domain.refusals import Throttled

MOST_KEPT = 10_000  # buckets, unless so many senders are there at once


class Throttle:
    """At most `rate` requests a second for each sender, and as many at once after a pause.

    `clock` gives seconds, `sender` is what they are in words. Only those that exist are counted;
    those that were deleted are forgotten, with all that sent nothing for a second, when there are
    too many.
    """

    def __init__(self, rate: int, clock: Callable[[], float], sender: str) -> None:
        self._rate = rate
        self._clock = clock
        self._sender = sender
        self._buckets: dict[str, Bucket] = {}

    def take(self, sender_id: str) -> None:
        """Counts a request; raises Throttled when it is one too many."""
        bucket = self._buckets.get(sender_id)
        if bucket is None:
            bucket = self._buckets[sender_id] = Bucket(self._rate, self._rate, self._clock)
        if bucket.room < 1:
            raise Throttled(
                f"The {self._sender} has sent more than {self._rate} requests a second",
                retry_after=math.ceil(bucket.seconds_to_one),
            )
        bucket.take(1)
        if len(self._buckets) > MOST_KEPT:
            self._forget_full()

    def _forget_full(self) -> None:
        """A bucket that is full is as good as a new one."""
        kept = self._buckets.items()
        self._buckets = {sender: bucket for sender, bucket in kept if bucket.room < self._rate}
