"""How fast a carrier may be sent to: a rate it was promised, and pauses that it asks for."""

import random
from collections.abc import Callable

from maskline.domain.bucket import Bucket

BURST_SECONDS = 0.1  # how much of a second's messages may go at once
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class Pace:
    """So many messages a second (None: any number), and pauses that double while it goes on.

    `clock` gives seconds. A pause is as long as the first again when a message was taken since the
    last one.
    """

    def __init__(self, per_second: int | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        burst = max(1.0, (per_second or 0) * BURST_SECONDS)
        self._rate = Bucket(per_second, burst, clock) if per_second else None
        self._pause = FIRST_PAUSE
        self._paused_until = 0.0

    @property
    def paused(self) -> bool:
        return self._clock() < self._paused_until

    @property
    def room(self) -> int | None:
        """How many messages may be sent now; None: any number."""
        if self.paused:
            return 0
        return self._rate.room if self._rate else None

    @property
    def seconds_to_room(self) -> float:
        """How long until something may be sent."""
        pause = max(0.0, self._paused_until - self._clock())
        return max(pause, self._rate.seconds_to_one) if self._rate else pause

    def sent(self, count: int) -> None:
        if self._rate:
            self._rate.take(count)

    def taken(self) -> None:
        """The carrier took a message: it is well."""
        if not self.paused:
            self._pause = FIRST_PAUSE

    def congested(self) -> float:
        """The carrier says that it is too much. How long it is left alone, in seconds."""
        if not self.paused:
            length = self._pause * random.uniform(0.8, 1.2)
            self._paused_until = self._clock() + length
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return self._paused_until - self._clock()
