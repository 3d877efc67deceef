"""The ledger: what is to be kept of calls, written in the background and in groups.

Neither a ringing phone nor a worker of Kamailio waits for the disk. What is told of a call within a
moment is written at once, with what is told of all others, in one transaction.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import structlog

from maskline.domain.call import Call, CallEvent
from maskline.domain.limits import Underway
from maskline.operations import Context, Policy
from maskline.operations.call_limits import count_call
from maskline.operations.calls import Recorded, Told, record_calls
from maskline.store import Store, Transaction

GATHER_SECONDS = 0.05

log = structlog.get_logger()


class Ledger:
    """`context` gives the context for work that belongs to no account; `underway` is told of
    calls that are written."""

    def __init__(
        self,
        store: Store,
        context: Callable[[Transaction], Context],
        underway: Underway | None = None,
    ) -> None:
        self._store = store
        self._context = context
        self._underway = underway or Underway()
        self._told: dict[str, Told] = {}
        self._writing: asyncio.Task[None] | None = None

    def open(self, call: Call) -> None:
        """A call that has no record yet."""
        self._of(call.call_id).call = call

    def add(self, call_id: str, event: CallEvent) -> None:
        self._of(call_id).events.append(event)

    async def drain(self) -> None:
        """Waits until all is written."""
        while self._writing is not None:
            await asyncio.wait({self._writing})

    def _of(self, call_id: str) -> Told:
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return self._told.setdefault(call_id, Told())

    async def _write(self) -> None:
        while self._told:
            await asyncio.sleep(GATHER_SECONDS)
            told, self._told = self._told, {}
            if not await self._record(told):
                for call_id, one in told.items():  # what is wrong with one harms no other
                    await self._record({call_id: one}, last=True)
        self._writing = None

    async def _record(self, told: dict[str, Told], last: bool = False) -> bool:
        try:
            policy, recorded = await self._store.write(partial(self._recorded, told), beside=True)
        except Exception:
            if last:
                log.exception("call not recorded", call_ids=list(told))
            return False
        self._underway.store(told, time.time_ns() // 1_000_000)
        for carrier in recorded.taken_by:  # here: the transaction may have been begun twice
            count_call(policy, carrier)
        for call_id in recorded.missing:
            log.warning("report of no call", call_id=call_id)
        return True

    def _recorded(self, told: dict[str, Told], tx: Transaction) -> tuple[Policy, Recorded]:
        context = self._context(tx)
        return context.settings, record_calls(context, told)
