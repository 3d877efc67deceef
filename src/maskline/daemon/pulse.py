"""Whether the database answers and keeps what it is given, for all who ask how a process does."""

import asyncio

from maskline.domain.health import State
from maskline.store import Store

SECONDS = 2.0  # between two looks
PATIENCE = 3.0  # seconds that a look may take before the database counts as away


class Pulse:
    """Looks now and then; `state` is what was seen last, so that telling it costs nothing."""

    def __init__(self, store: Store, seconds: float = SECONDS, patience: float = PATIENCE) -> None:
        self._store = store
        self._seconds = seconds
        self._patience = patience
        self.state = State.UP  # the store has been opened

    async def watch(self) -> None:
        """Until cancelled. A look that hangs is waited for: there is never a second beside it."""
        while True:
            look = asyncio.create_task(self._look())
            done, _ = await asyncio.wait({look}, timeout=self._patience)
            if not done:
                self.state = State.DOWN
            self.state = State.UP if await look else State.DOWN
            await asyncio.sleep(self._seconds)

    async def _look(self) -> bool:
        try:
            # Once down, whatever is kept by chance does not say that all is: a full disk, say, on
            # which there is room for a small change.
            if self._store.failing or self.state is State.DOWN:
                await self._store.touch()
            return await self._store.read(lambda tx: tx.one("look") is not None)
        except Exception:  # whatever it is, who asked for it tells more in the log
            return False
