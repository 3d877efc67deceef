"""What keeps a carrier from taking texts, as far as anybody knows."""

import time
from collections.abc import Callable

import structlog

# Longer than a text waits that a carrier puts off: what is still so is seen again in this time.
NEWS_SECONDS = 600.0
QUIET_SECONDS = 60.0  # in which the log hears of the same trouble once

log = structlog.get_logger()


class Trouble:
    """Why the last text was not taken, until another one is, or until that is long ago: no text may
    come for hours that would show that the carrier is well again. `clock` gives seconds."""

    def __init__(self, carrier: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._carrier, self._clock = carrier, clock
        self._why = ""
        self._seen_at = 0.0
        self._told: dict[str, float] = {}  # of which trouble, when

    @property
    def why(self) -> str:
        """Empty where there is no trouble."""
        return self._why if self._clock() - self._seen_at < NEWS_SECONDS else ""

    def seen(self, why: str) -> None:
        """Remembers what is wrong, and tells of it, though not of the same all the time."""
        self._why, self._seen_at = why, self._clock()
        lately = self._seen_at - QUIET_SECONDS
        self._told = {what: at for what, at in self._told.items() if at > lately}
        if why not in self._told:
            self._told[why] = self._seen_at
            log.warning("carrier in trouble", carrier=self._carrier, reason=why)

    def over(self) -> None:
        self._why = ""
