"""The relay: what arrived is kept, what is kept is sent, and what became of it is written down.

Everything goes through turns, one at a time in a process (see `turn.py`): while one is being
written, the next one gathers. So a turn holds much when there is much, and little when there is
little, and the disk is flushed no more often than it can be.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog

from maskline.operations import Context
from maskline.sms import claims, intake, parts, repetition
from maskline.sms.limits import Limits
from maskline.sms.outcomes import report, settle
from maskline.sms.port import (
    Accepted,
    Arrival,
    InboundText,
    Link,
    Outcome,
    Receipt,
    TryLater,
    Verdict,
)
from maskline.sms.turn import Done, Turn, Work
from maskline.store import Store, StoreFailed, Transaction

LOOK_SECONDS = 0.5  # how often texts are looked for that another process or time has made due
TEND_SECONDS = 5.0
TELL_SECONDS = 60.0
STOP_SECONDS = 10.0
PAUSE_SECONDS = 1.0  # after a turn that failed
# Turns of several processes are done one after the other: what one claims, no other claims.
TEXTS = "texts"
TAKEN = Accepted(message_ids=())

log = structlog.get_logger()


def take_turn(context: Context, work: Work) -> Done:
    """Does the work of a turn in its transaction; repeating it does no harm."""
    turn = Turn(context.holding(TEXTS), work)
    settle(turn, work.outcomes)
    receipts = [each for each in work.arrivals if isinstance(each, Receipt)]
    report(turn, receipts)
    claims.claim(turn)
    texts = [(n, each) for n, each in enumerate(work.arrivals) if isinstance(each, InboundText)]
    verdicts = intake.take_in(turn, texts)
    turn.done.verdicts = [verdicts.get(n, TAKEN) for n in range(len(work.arrivals))]
    turn.write_events()
    return turn.done


def tend(context: Context, work: Work) -> Done:
    """What time asks for."""
    turn = Turn(context.holding(TEXTS), work)
    for name in work.connections:
        repetition.see(turn, name)
    claims.abandon(turn)
    intake.take_late(turn, parts.overdue(turn))
    turn.write_events()
    return turn.done


class Relay:
    """Carries texts between the links of this process and the store; an `Inbox` to them.

    `context` gives the context for work that belongs to no account. `node` is this process among
    those that share the store: the same after a restart, and no other's.
    """

    def __init__(
        self,
        store: Store,
        context: Callable[[Transaction], Context],
        node: str,
        *,
        limits: Limits | None = None,
        most_queued: int = 100_000,
    ) -> None:
        self._store = store
        self._context = context
        self._links: dict[str, Link] = {}
        self._node = f"{node}."
        self._holder = f"{self._node}{time.time_ns():x}"
        self._limits = limits
        self._most_queued = most_queued
        self._arrivals: list[tuple[Sequence[Arrival], asyncio.Future[list[Verdict]]]] = []
        self._outcomes: list[tuple[str, Outcome]] = []
        self._backlog: set[str] = set()
        self._blocked: set[str] = set()
        self._pending: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._sent_to: dict[str, str] = {}
        self._news = asyncio.Event()
        self._stopping = False
        self.counts: Counter[str] = Counter()

    async def take(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        future: asyncio.Future[list[Verdict]] = asyncio.get_running_loop().create_future()
        self._arrivals.append((arrivals, future))
        self._news.set()
        return await future

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> None:
        for message_id, _ in outcomes:
            carrier = self._sent_to.pop(message_id, None)
            if carrier is not None:
                self._under_way[carrier] -= 1
        self._outcomes += outcomes
        self._news.set()

    def ready(self) -> None:
        self._news.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works inside the block; all that came and went is written down when it is left."""
        works = [asyncio.create_task(work) for work in (self._turns(), self._tend(), self._tell())]
        try:
            yield
        finally:
            self._stopping = True
            self._news.set()
            # What has no outcome by then stays claimed: the next life takes it up.
            await asyncio.wait(works[:1], timeout=STOP_SECONDS)
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            self._refuse_arrivals()

    @asynccontextmanager
    async def carrying(self, links: Sequence[Link]) -> AsyncIterator[None]:
        """Sends by these links inside the block; nothing is under way when it is left."""
        self._links |= {link.carrier: link for link in links}
        self._backlog |= set(self._links)
        works = [asyncio.create_task(self._keep_running(link)) for link in links]
        try:
            yield
        finally:
            drains = [asyncio.create_task(link.drain()) for link in links]
            if drains:
                await asyncio.wait(drains, timeout=STOP_SECONDS)
            for task in (*drains, *works):
                task.cancel()
            await asyncio.gather(*drains, *works, return_exceptions=True)
            for link in links:
                del self._links[link.carrier]

    async def _keep_running(self, link: Link) -> None:
        """Runs a link, whatever befalls it, until cancelled."""
        while True:
            try:
                await link.run(self)
            except Exception:
                log.exception("link failed", carrier=link.carrier)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _turns(self) -> None:
        taken_over = False
        while not (self._stopping and self._idle()):
            try:
                if not taken_over:
                    await self._write(self._work(), take_over)
                    taken_over = True
                await self._wait()
                await self._turn()
            except Exception:  # what was under way stays claimed, and is taken up when that ends
                log.exception("turn failed")
                await asyncio.sleep(PAUSE_SECONDS)

    def _idle(self) -> bool:
        return not (self._arrivals or self._outcomes or self._sent_to)

    async def _wait(self) -> None:
        """Until something has come together, or it is time to look into the store."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._news.wait()
        except TimeoutError:
            self._backlog |= set(self._links)
        self._news.clear()

    async def _turn(self) -> None:
        waiting, self._arrivals = self._arrivals, []
        outcomes, self._outcomes = self._outcomes, []
        arrivals = [each for batch, _ in waiting for each in batch]
        work = self._work(arrivals, outcomes)
        if not (arrivals or outcomes or any(work.room.get(name) for name in work.claimable)):
            return
        try:
            done = await self._write(work, take_turn)
        except Exception as error:
            self._failed(error, waiting, outcomes)
            await asyncio.sleep(PAUSE_SECONDS)
            return
        self._answer(waiting, done.verdicts)
        self._submit(done)
        self._remember(work, done)

    def _work(
        self, arrivals: Sequence[Arrival] = (), outcomes: Sequence[tuple[str, Outcome]] = ()
    ) -> Work:
        room = {} if self._stopping else {name: link.room for name, link in self._links.items()}
        return Work(
            holder=self._holder,
            node=self._node,
            arrivals=arrivals,
            outcomes=outcomes,
            room=room,
            backlog=frozenset(self._backlog),
            claimable=self._backlog | self._blocked,
            full={name for name, many in self._pending.items() if many >= self._most_queued},
            connections={
                name: until
                for link in self._links.values()
                for name, until in link.connections.items()
            },
            limits=self._limits,
        )

    async def _write(self, work: Work, what: Callable[[Context, Work], Done]) -> Done:
        return await self._store.write(lambda tx: what(self._context(tx), work), beside=True)

    def _failed(
        self,
        error: Exception,
        waiting: Sequence[tuple[Sequence[Arrival], asyncio.Future[list[Verdict]]]],
        outcomes: list[tuple[str, Outcome]],
    ) -> None:
        """Nothing of the turn was kept: carriers are to come again, outcomes wait."""
        log.error("texts not kept", error=str(error) or type(error).__name__)
        self._outcomes = outcomes + self._outcomes
        self._news.set()
        for _, future in waiting:
            if not future.done():
                future.set_exception(StoreFailed(str(error)))

    def _answer(
        self,
        waiting: Sequence[tuple[Sequence[Arrival], asyncio.Future[list[Verdict]]]],
        verdicts: list[Verdict],
    ) -> None:
        start = 0
        for batch, future in waiting:
            if not future.done():
                future.set_result(verdicts[start : start + len(batch)])
            start += len(batch)

    def _submit(self, done: Done) -> None:
        for carrier, texts in done.outgoing.items():
            link = self._links.get(carrier)
            if link is None:  # it was taken away meanwhile
                gone = TryLater(after=0, reason="stopping")
                self.settle([(text.message_id, gone) for text in texts])
                continue
            self._under_way[carrier] += len(texts)
            for text in texts:
                self._sent_to[text.message_id] = carrier
            link.submit(texts)

    def _remember(self, work: Work, done: Done) -> None:
        self._backlog = (self._backlog - set(work.backlog)) | done.backlog
        for carrier in list(self._blocked):
            if not self._under_way[carrier]:
                self._blocked.discard(carrier)
        self._blocked |= done.blocked
        self._pending.update(done.queued)
        self.counts.update(done.counts)
        if any(self._links[name].room > 0 for name in self._backlog if name in self._links):
            self._news.set()

    def _refuse_arrivals(self) -> None:
        for batch, future in self._arrivals:
            if not future.done():
                future.set_result([TryLater(reason="stopping") for _ in batch])

    async def _tell(self) -> None:
        """Says in the log what has been done, once in a while, until cancelled."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            counts, self.counts = self.counts, Counter()
            if counts:
                log.info("texts", pending=sum(self._pending.values()), **by_name(counts))

    async def _tend(self) -> None:
        """Does what time asks for, until cancelled."""
        while True:
            try:
                done = await self._write(self._work(), tend)
                self.counts.update(done.counts)
                rows = await self._store.read(lambda tx: tx.all("count_pending"))
                self._pending = Counter({row["outbound_carrier"]: row["texts"] for row in rows})
            except Exception as error:
                log.error("texts not tended", error=str(error) or type(error).__name__)
            await asyncio.sleep(TEND_SECONDS)


def by_name(counts: Counter[str]) -> dict[str, int]:
    """Counts as members of a log line."""
    return {name.lower().replace(" ", "_"): many for name, many in sorted(counts.items())}


def take_over(context: Context, work: Work) -> Done:
    turn = Turn(context.holding(TEXTS), work)
    claims.take_over(turn)
    turn.write_events()
    return turn.done
