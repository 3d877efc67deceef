"""What keeps a carrier from taking texts, as far as anybody knows."""

import time
from collections.abc import Callable

# Longer than a text waits that a carrier puts off: what is still so is seen again in this time.
NEWS_SECONDS = 600.0


class Trouble:
    """Why the last text was not taken, until another one is, or until that is long ago: no text may
    come for hours that would show that the carrier is well again. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._why = ""
        self._seen_at = 0.0

    @property
    def why(self) -> str:
        """Empty where there is no trouble."""
        return self._why if self._clock() - self._seen_at < NEWS_SECONDS else ""

    def seen(self, why: str) -> None:
        self._why, self._seen_at = why, self._clock()

    def over(self) -> None:
        self._why = ""
