"""Access keys at hand: those in use need no look into the store for every request.

Nobody needs a key to make us look for one. So ids that are none are not looked for, those that were
not found are remembered, and keys never seen before are looked for a few at a time: strangers get
in the way of each other, not of the keys in use.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from maskline.domain.refusals import Unavailable
from maskline.operations import AccessKey, find_access_key, is_access_key_id
from maskline.store import Store

KEPT_SECONDS = 2.0  # how long a key that another process changed may still be taken as it was
MOST_KEPT = 10_000
MOST_LOOKED_FOR = 2  # at once, of those never seen before
MOST_WAITING = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """An access key as it was read, and until when that is good enough, in the clock's seconds."""

    key: AccessKey
    until: float


class KeyRing:
    """The store's access keys, each as it was at most KEPT_SECONDS ago. So is their absence."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._missed: dict[str, float] = {}  # ids of no key, and until when they count as such
        self._changes = 0
        self._looking: dict[str, asyncio.Task[AccessKey | None]] = {}
        self._waiting = 0  # of what is looked for, so many were never seen before
        self._turns = asyncio.Semaphore(MOST_LOOKED_FOR)

    async def find(self, access_key_id: str) -> AccessKey | None:
        """The key of that id, active or not; raises Unavailable when too many look for new ones."""
        now = self._clock()
        kept = self._kept.get(access_key_id)
        if kept is not None and now < kept.until:
            return kept.key
        if kept is None and (
            not is_access_key_id(access_key_id) or now < self._missed.get(access_key_id, now)
        ):
            return None
        return await self._looked_for(access_key_id, seen=kept is not None)

    def changed(self, access_key_id: str) -> None:
        """To be told when a key was changed here: it counts as it is from now on."""
        self._changes += 1
        self._missed.pop(access_key_id, None)
        self._looking.pop(access_key_id, None)
        if kept := self._kept.get(access_key_id):
            self._kept[access_key_id] = replace(kept, until=0)

    async def _looked_for(self, access_key_id: str, seen: bool) -> AccessKey | None:
        """What whoever looks for it first finds."""
        looking = self._looking.get(access_key_id)
        if looking is None:
            looking = self._looking[access_key_id] = self._begin(access_key_id, seen)
        return await asyncio.shield(looking)

    def _begin(self, access_key_id: str, seen: bool) -> asyncio.Task[AccessKey | None]:
        if seen:
            task = asyncio.create_task(self._read(access_key_id))
        elif self._waiting < MOST_WAITING:
            self._waiting += 1
            task = asyncio.create_task(self._read_in_turn(access_key_id))
        else:
            raise Unavailable("Too many access keys are looked for at once", retry_after=1)
        task.add_done_callback(lambda done: self._end(access_key_id, done))
        return task

    def _end(self, access_key_id: str, task: asyncio.Task[AccessKey | None]) -> None:
        if self._looking.get(access_key_id) is task:  # else it was changed meanwhile
            del self._looking[access_key_id]

    async def _read_in_turn(self, access_key_id: str) -> AccessKey | None:
        try:
            async with self._turns:
                return await self._read(access_key_id)
        finally:
            self._waiting -= 1

    async def _read(self, access_key_id: str) -> AccessKey | None:
        """The key as it is in the store, kept from now on."""
        now, changes = self._clock(), self._changes
        key = await self._look_up(access_key_id)
        if changes == self._changes:  # else it may have been read before it was changed
            self._keep(access_key_id, key, now + KEPT_SECONDS)
        return key

    def _keep(self, access_key_id: str, key: AccessKey | None, until: float) -> None:
        for full in (self._kept, self._missed):
            if len(full) >= MOST_KEPT:
                full.clear()
        if key is None:
            self._kept.pop(access_key_id, None)
            self._missed[access_key_id] = until
        else:
            self._kept[access_key_id] = Kept(key, until)

    async def _look_up(self, access_key_id: str) -> AccessKey | None:
        return await self._store.read(lambda tx: find_access_key(tx, access_key_id))
