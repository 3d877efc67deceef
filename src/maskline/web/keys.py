"""Access keys at hand: those in use need no look into the store for every request."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from maskline.operations import AccessKey, find_access_key
from maskline.store import Store

KEPT_SECONDS = 2.0  # how long a key that was disabled or changed may still be taken as it was
MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Kept:
    key: AccessKey | None
    until: float


class KeyRing:
    """The store's access keys, each as it was at most KEPT_SECONDS ago. So is their absence."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    async def find(self, access_key_id: str) -> AccessKey | None:
        """The active key of that id."""
        now = self._clock()
        kept = self._kept.get(access_key_id)
        if kept is None or kept.until <= now:
            kept = Kept(await self._look_up(access_key_id), now + KEPT_SECONDS)
            if len(self._kept) >= MOST_KEPT:  # somebody is trying ids
                self._kept.clear()
            self._kept[access_key_id] = kept
        return kept.key

    async def _look_up(self, access_key_id: str) -> AccessKey | None:
        key = await self._store.read(lambda tx: find_access_key(tx, access_key_id))
        return key if key is not None and key.active else None
