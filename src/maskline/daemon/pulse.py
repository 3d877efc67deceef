"""Whether the database answers and keeps what it is given, and goes by the same time as we do, for
all who ask how a process does."""

import asyncio
from collections.abc import Callable

import structlog

from maskline import clock
from maskline.domain.health import State
from maskline.engines.ground import GroundError
from maskline.store import Store, Transaction

SECONDS = 2.0  # between two looks
PATIENCE = 3.0  # seconds that a look may take before the database counts as away
FAR_APART = 5000  # milliseconds between two clocks, of which one must be wrong then

log = structlog.get_logger()


class Pulse:
    """Looks now and then; `state` is what was seen last, so that telling it costs nothing, and
    `clock` is down where our clock and that of the database's machine are far apart."""

    def __init__(
        self,
        store: Store,
        seconds: float = SECONDS,
        patience: float = PATIENCE,
        now: Callable[[], int] = clock.now,
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._patience = patience
        self._now = now
        self.state = self.clock = State.UP  # the store has been opened

    async def watch(self) -> None:
        """Until cancelled. A look that hangs is waited for: there is never a second beside it."""
        while True:
            look = asyncio.create_task(self._look())
            done, _ = await asyncio.wait({look}, timeout=self._patience)
            if not done:
                self.state = State.DOWN
            self.state = State.UP if await look else State.DOWN
            await asyncio.sleep(self._seconds)

    async def require_same_time(self) -> None:
        """Raises GroundError where one of the clocks must be wrong: by one that is ahead, sessions
        are over, and their numbers free, that are open to all others."""
        if fault := apart(await self._lead()):
            raise GroundError(fault)

    async def _look(self) -> bool:
        try:
            # Once down, whatever is kept by chance does not say that all is: a full disk, say, on
            # which there is room for a small change.
            if self._store.failing or self.state is State.DOWN:
                await self._store.touch()
            self._compare(await self._lead())
            return True
        except Exception:  # whatever it is, who asked for it tells more in the log
            return False

    async def _lead(self) -> int:
        """By how many milliseconds our clock is ahead, below 0 where it is behind: as far as is
        certain, for the answer takes a while."""
        before = self._now()
        there = await self._store.read(time_of)
        return max(before - there, 0) or min(self._now() - there, 0)

    def _compare(self, lead: int) -> None:
        fault = apart(lead)
        if fault and self.clock is State.UP:
            log.error("clocks apart", reason=fault)
        self.clock = State.DOWN if fault else State.UP


def time_of(tx: Transaction) -> int:
    """The time there, from a database that answers."""
    assert tx.one("look") is not None
    return tx.time()


def apart(lead: int) -> str | None:
    """What is wrong with clocks of which ours has this lead, in milliseconds, if anything is."""
    if abs(lead) <= FAR_APART:
        return None
    which = "ahead of" if lead > 0 else "behind"
    return (
        f"the clock of this machine is {abs(lead) // 1000} s {which} that of the database's"
        " machine; set both by NTP"
    )
