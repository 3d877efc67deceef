"""Access keys at hand: those in use need no look into the store for every request."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from maskline.operations import AccessKey, find_access_key
from maskline.store import Store

KEPT_SECONDS = 2.0  # how long a key that another process changed may still be taken as it was
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
        self._changes = 0

    async def find(self, access_key_id: str) -> AccessKey | None:
        """The key of that id, active or not."""
        now = self._clock()
        kept = self._kept.get(access_key_id)
        if kept is not None and now < kept.until:
            return kept.key
        changes = self._changes
        key = await self._look_up(access_key_id)
        if changes == self._changes:  # else it may have been read before it was changed
            if len(self._kept) >= MOST_KEPT:  # somebody is trying ids
                self._kept.clear()
            self._kept[access_key_id] = Kept(key, now + KEPT_SECONDS)
        return key

    def changed(self, access_key_id: str) -> None:
        """To be told when a key was changed here: it counts as it is from now on."""
        self._changes += 1
        self._kept.pop(access_key_id, None)

    async def _look_up(self, access_key_id: str) -> AccessKey | None:
        return await self._store.read(lambda tx: find_access_key(tx, access_key_id))
