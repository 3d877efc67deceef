"""What all parts of one process share, and what a part is."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol
from uuid import uuid4

from maskline import clock
from maskline.daemon.pulse import Pulse
from maskline.domain.health import State
from maskline.domain.limits import Places, Rate
from maskline.engines.ground import GroundError, node_of
from maskline.operations import Announcement, Context, Policy
from maskline.operations.policy import policy_of
from maskline.settings import Settings
from maskline.sms.limits import Limits
from maskline.sms.relay import Relay
from maskline.store import Store, Transaction, open_store


class Part(Protocol):
    """What a role runs. Made only where it can run: making one raises GroundError elsewhere."""

    @property
    def place(self) -> str:
        """What it is and where it can be reached, for the line that says that all is up."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Runs the part inside the block; nothing of it is left when the block is done."""

    async def up(self) -> None:
        """Returns when it does its work."""

    def renew(self) -> None:
        """Reads its keys and certificates anew; raises GroundError or OSError for those that cannot
        be used, and keeps what it has."""

    def health(self) -> dict[str, str]:
        """The state of each of its engines: `up`, `starting` or `down`; `away` for a carrier."""


class House:
    """The settings, the store, the relay of texts and the parts of this process."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.node = node_of(settings.data_dir)
        # The role that keeps trunks goes on changing this set; decisions go by it.
        self.carriers_down = {one.name for one in settings.carriers if one.sip is None}
        self.announcements: dict[str, Announcement] = {}  # filled by the role that can play them
        policy = replace(
            policy_of(settings),
            carriers_down=self.carriers_down,
            rate=Rate(steady),
            announcements=self.announcements,
            announcing=Places(steady, settings.announcements.most_at_once),
        )
        self.context = contexts(policy, self.node)
        self.relay = Relay(
            store,
            self.context,
            self.node,
            limits=Limits(settings.texts.max_per_sender_minute),
            most_queued=settings.texts.max_queued,
        )
        self.pulse = Pulse(store)
        self.parts: list[Part] = []

    def health(self) -> dict[str, str]:
        """The state of the store and of each engine of this process; others tell of theirs."""
        engines = {name: state for part in self.parts for name, state in part.health().items()}
        clocks = {} if self.pulse.clock is State.UP else {"clock": self.pulse.clock}
        return {"store": self.pulse.state} | clocks | engines


def contexts(policy: Policy, node: str) -> Callable[[Transaction], Context]:
    """Gives the context for work of the service's own, which belongs to no account.

    The ids it gives out, those of calls, begin with the node's.
    """
    return lambda tx: Context(
        tx=tx,
        account_id="",
        now=clock.now(),
        clock=clock.now,
        new_id=lambda: node + str(uuid4())[len(node) :],
        policy=policy,
    )


def steady() -> int:
    """Milliseconds by a clock that nobody sets back."""
    return time.monotonic_ns() // 1_000_000


def open_data(chosen: Settings) -> Store:
    """The store; raises GroundError when it cannot be used, whatever the reason."""
    assert chosen.store.url is not None
    try:
        return open_store(
            chosen.store.url.text, chosen.store.key, cache_mebibytes=chosen.store.cache_mebibytes
        )
    except Exception as error:
        told = chosen.store.url.without_password(str(error))
        raise GroundError(f"store.url: cannot use {chosen.store.url}: {told}") from error


@asynccontextmanager
async def at_work(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Does all the works inside the block and cancels at its end those that are not done."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
