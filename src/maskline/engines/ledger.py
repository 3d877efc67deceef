"""The ledger: what is to be kept of calls, written in the background and in groups.

Neither a ringing phone nor a worker of Kamailio waits for the disk. What is told of a call within a
moment is written at once, with what is told of all others, in one transaction. Until then it stands
in the journal.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial, reduce
from itertools import islice

import structlog

from maskline import clock
from maskline.domain.call import Call, CallEvent, apply
from maskline.domain.limits import Underway
from maskline.engines.journal import NAMES, Entry, Journal
from maskline.operations import Context, Policy
from maskline.operations.call_limits import count_call
from maskline.operations.calls import Recorded, Told, record_calls, recorded_ids
from maskline.store import Store, StoreFailed, Transaction

GATHER_SECONDS = 0.05
AGAIN_SECONDS = 0.5  # after which is tried again what the database could not keep
# For which a call without a record is waited for: the node that decided it may not have come to
# write it yet.
UNKNOWN_SECONDS = 5.0
DRAIN_SECONDS = 5.0  # after which it is left in the journal
RECOVER_SECONDS = 30.0
GROUP = 200  # calls; a transaction holds some locks for each, and PostgreSQL has only so many

log = structlog.get_logger()


class Ledger:
    """`context` gives the context for work that belongs to no account; `underway` is told of
    calls that are written."""

    def __init__(
        self,
        store: Store,
        context: Callable[[Transaction], Context],
        journal: Journal,
        underway: Underway | None = None,
    ) -> None:
        self._store = store
        self._context = context
        self._journal = journal
        self._underway = underway or Underway()
        self._told: dict[str, Told] = {}
        self._keeping: dict[str, Told] = {}  # what is being written
        self._early: dict[str, list[CallEvent]] = {}  # what is told of calls without a record
        self._unknown: dict[str, float] = {}  # these, and since when
        self._unnoted: set[str] = set()  # calls of which the journal has not all that was told
        self._writing: asyncio.Task[None] | None = None

    async def recover(self) -> None:
        """Writes what an earlier process was told and did not come to write. Call it first. Raises
        StoreFailed where that does not come about."""
        for entry in self._journal.left():
            self._tell(entry)
        told, self._told = self._told, {}
        if told:
            there = await self._store.read(lambda tx: recorded_ids(self._context(tx), told))
            for call_id in there:  # the record may know more by now than its first state
                told[call_id].call = None
            await self._keep_by_now(told)
            log.info("recorded what an earlier process was told of calls", calls=len(told))
        self._journal.clear()

    async def _keep_by_now(self, told: dict[str, Told]) -> None:
        try:
            async with asyncio.timeout(RECOVER_SECONDS):
                await self._keep(told)
        except TimeoutError:
            raise StoreFailed(
                f"it does not keep what {' and '.join(NAMES)} in data_dir hold of calls"
            ) from None

    def open(self, call: Call) -> None:
        """A call that has no record yet."""
        self._note(Entry(call.call_id, call=call))

    def add(self, call_id: str, event: CallEvent) -> None:
        self._note(Entry(call_id, event=event))

    def known(self, call_id: str, recorded: Call | None) -> Call | None:
        """A call's record with all that is told of it and not written yet."""
        for told in (self._keeping.get(call_id), self._told.get(call_id)):
            if told is not None:
                recorded = recorded or told.call
                recorded = recorded and reduce(apply, told.events, recorded)
        return recorded

    def live(self, recorded: Sequence[Call]) -> list[Call]:
        """The calls that are up, by their records and by all that is told and not written yet."""
        by_id = {call.call_id: call for call in recorded}
        ids = by_id.keys() | self._keeping.keys() | self._told.keys()
        found = (self.known(call_id, by_id.get(call_id)) for call_id in ids)
        return [call for call in found if call and call.live]

    async def drain(self) -> None:
        """Waits until all is written, or cannot be for now. What neither the database nor the
        journal keeps is lost."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=DRAIN_SECONDS)
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing
        self._early.clear()
        if self._unnoted:
            log.error("calls are lost, the journal had no room for them", calls=len(self._unnoted))

    def _note(self, entry: Entry) -> None:
        if not self._journal.note(entry):
            self._unnoted.add(entry.call_id)
        self._tell(entry)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    def _tell(self, entry: Entry) -> None:
        told = self._told.setdefault(entry.call_id, Told())
        if entry.call:
            told.call = entry.call
        if entry.event:
            told.events.append(entry.event)

    async def _write(self) -> None:
        try:
            while self._told:
                await asyncio.sleep(GATHER_SECONDS)
                self._keeping, self._told = self._told, {}
                self._journal.turn()
                await self._keep(self._keeping)
                self._keeping = {}
                self._unnoted &= self._told.keys()
                self._journal.forget()
        finally:
            self._writing, self._keeping = None, {}

    async def _keep(self, told: dict[str, Told]) -> None:
        """Records all in groups. Goes on trying while the database keeps nothing."""
        left = iter(told.items())
        while group := dict(islice(left, GROUP)):
            await self._keep_group(group)

    async def _keep_group(self, told: dict[str, Told]) -> None:
        """Records all together, or what is wrong with one harms no other."""
        try:
            await self._record(told)
        except Exception:
            for call_id, one in told.items():
                try:
                    await self._record({call_id: one})
                except Exception:
                    log.exception("call not recorded", call_id=call_id)

    async def _record(self, told: dict[str, Told]) -> None:
        policy, recorded = await self._insist(partial(self._recorded, told))
        self._underway.store(told, clock.now())
        for carrier in recorded.taken_by:  # here: the transaction may have been begun twice
            count_call(policy, carrier)
        for call_id in told:
            if call_id in recorded.missing:
                self._put_off(call_id, told[call_id].events)
            else:
                self._unknown.pop(call_id, None)

    def _put_off(self, call_id: str, events: list[CallEvent]) -> None:
        """What is told of a call that has no record is told again a little later, for a while."""
        now = time.monotonic()
        if now - self._unknown.setdefault(call_id, now) >= UNKNOWN_SECONDS:
            del self._unknown[call_id]
            log.warning("report of no call", call_id=call_id)
            return
        if call_id not in self._early:
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._tell_again, call_id)
        self._early.setdefault(call_id, []).extend(events)

    def _tell_again(self, call_id: str) -> None:
        for event in self._early.pop(call_id, []):
            self.add(call_id, event)

    async def _insist(
        self, work: Callable[[Transaction], tuple[Policy, Recorded]]
    ) -> tuple[Policy, Recorded]:
        while True:
            try:
                return await self._store.write(work, beside=True)
            except StoreFailed as error:
                log.warning("calls not recorded yet", reason=str(error))
                await asyncio.sleep(AGAIN_SECONDS)

    def _recorded(self, told: dict[str, Told], tx: Transaction) -> tuple[Policy, Recorded]:
        context = self._context(tx)
        return context.policy, record_calls(context, told)
