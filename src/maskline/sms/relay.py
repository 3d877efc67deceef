"""The relay: what arrived is kept, what is kept is sent, and what became of it is written down.

Everything goes through turns, one at a time in a process (see `turn.py`): while one is being
written, the next one gathers. So a turn holds much when there is much, and little when there is
little, and the disk is flushed no more often than it can be.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from maskline import clock
from maskline.logs import whereabouts
from maskline.operations import Context
from maskline.sms.border import digest, fit_arrival, fit_outcome
from maskline.sms.gathering import Gathered, Named, Suspects
from maskline.sms.limits import Limits
from maskline.sms.port import (
    Arrival,
    InboundText,
    Link,
    Outcome,
    Refused,
    TryLater,
    Unknown,
    Verdict,
)
from maskline.sms.turn import Done, Work
from maskline.sms.works import give_up, take_over, take_turn, tend
from maskline.store import Store, StoreFailed, Transaction

LOOK_SECONDS = 0.5  # how often texts are looked for that another process or time has made due
TEND_SECONDS = 5.0
TELL_SECONDS = 60.0
STOP_SECONDS = 10.0
PAUSE_SECONDS = 1.0  # after a turn that failed
RENEW_SECONDS = 5.0  # after which a text that a link still has is claimed anew, or recalled
NOT_KEPT = TryLater(reason="not-kept")
ENOUGH = 5  # failures one after the other, to see that all fail

log = structlog.get_logger()


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
        self._gathered = Gathered()
        self._suspects = Suspects()
        self._looked_at = 0.0
        self._backlog: set[str] = set()
        self._blocked: set[str] = set()
        self._pending: Counter[str] = Counter()
        self._open_parts: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._sent_to: dict[str, tuple[str, float]] = {}  # the carrier, and when
        self._news = asyncio.Event()
        self._stopping = False
        self.counts: Counter[str] = Counter()

    async def take(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        future: asyncio.Future[list[Verdict]] = asyncio.get_running_loop().create_future()
        self._gathered.waiting.append(([fit_arrival(each) for each in arrivals], future))
        self._news.set()
        return await future

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> None:
        for message_id, outcome in outcomes:
            sent = self._sent_to.pop(message_id, None)
            if sent is not None:
                self._under_way[sent[0]] -= 1
            self._gathered.outcomes.append((message_id, fit_outcome(outcome)))
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
            except Exception as error:
                log.error("link failed", carrier=link.carrier, **whereabouts(error))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _turns(self) -> None:
        taken_over = False
        while not (self._stopping and self._idle()):
            try:
                if not taken_over:
                    await self._write(self._work(Gathered()), take_over)
                    taken_over = True
                await self._wait()
                await self._turn()
            except Exception as error:  # what was under way stays claimed until that ends
                log.error("turn failed", **whereabouts(error))
                await asyncio.sleep(PAUSE_SECONDS)

    def _idle(self) -> bool:
        return not (self._gathered or self._sent_to)

    async def _wait(self) -> None:
        """Until something has come together, or it is time to look into the store."""
        try:
            async with asyncio.timeout_at(self._looked_at + LOOK_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    async def _turn(self) -> None:
        gathered, self._gathered = self._gathered, Gathered()
        try:
            work = self._work(gathered, self._time_to_look())
            if not (gathered or any(work.room.get(name) for name in work.claimable)):
                return
            done = await self._write(work, take_turn)
        except Exception as error:
            await self._failed(error, gathered)
        else:
            gathered.answer(done.verdicts)
            self._suspects.kept([*gathered.arrivals, *gathered.outcomes])
            self._go_on(work, done)
        finally:
            gathered.fail(StoreFailed("stopping"))  # whoever was not answered

    def _work(self, gathered: Gathered, look: Collection[str] = ()) -> Work:
        room = {} if self._stopping else {name: link.room for name, link in self._links.items()}
        return Work(
            holder=self._holder,
            node=self._node,
            arrivals=gathered.arrivals,
            outcomes=gathered.outcomes,
            room=room,
            backlog=frozenset(self._backlog),
            claimable=self._backlog | self._blocked | set(look),
            full=self._over(self._pending),
            crowded=self._over(self._open_parts),
            connections=self._connections(),
            limits=self._limits,
        )

    def _over(self, counts: Counter[str]) -> set[str]:
        return {name for name, many in counts.items() if many >= self._most_queued}

    def _time_to_look(self) -> set[str]:
        """All carriers once in a while, however much news there is: other processes, time and
        operators make texts due."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at < LOOK_SECONDS:
            return set()
        self._looked_at = now
        return set(self._links)

    def _connections(self) -> dict[str, int]:
        links = self._links.values()
        return {name: until for link in links for name, until in link.connections.items()}

    async def _write(self, work: Work, what: Callable[[Context, Work], Done]) -> Done:
        return await self._store.write(lambda tx: what(self._context(tx), work), beside=True)

    async def _failed(self, error: Exception, gathered: Gathered) -> None:
        """Nothing of the turn was kept. If that is the store's fault, carriers are to come again,
        and outcomes wait; else something in it may be at fault, and each is tried by itself."""
        log.error("texts not kept", **whereabouts(error))
        if isinstance(error, StoreFailed):
            back = gathered.outcomes
            gathered.fail(error)
        else:
            gathered.answer(await self._each_alone(gathered.arrivals))
            back = await self._each_settled_alone(gathered.outcomes)
        self._gathered.outcomes[:0] = back
        if isinstance(error, StoreFailed) or not gathered or back:
            await asyncio.sleep(PAUSE_SECONDS)
        self._news.set()

    async def _each_alone(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        """Where the first few cannot be kept, the fault is ours: the others are not tried."""
        verdicts: list[Verdict] = []
        for arrival in arrivals:
            vain = len(verdicts) >= ENOUGH and all(each == NOT_KEPT for each in verdicts[:ENOUGH])
            verdicts.append(NOT_KEPT if vain else await self._kept_alone(arrival))
        return verdicts

    async def _each_settled_alone(self, outcomes: Sequence[Named]) -> list[Named]:
        """Those that could not be settled, likewise."""
        back: list[Named] = []
        for outcome in outcomes:
            if len(back) >= ENOUGH or not await self._settled_alone(outcome):
                back.append(outcome)
        return back

    async def _kept_alone(self, arrival: Arrival) -> Verdict:
        alone = Gathered()
        alone.waiting.append(([arrival], asyncio.get_running_loop().create_future()))
        try:
            return (await self._alone(alone)).verdicts[0]
        except StoreFailed:
            return NOT_KEPT
        except Exception as error:
            given_up = self._suspects.failed(arrival)
            log.error("not kept", carrier=arrival.carrier, given_up=given_up, **whereabouts(error))
            return await self._given_up(arrival) if given_up else NOT_KEPT

    async def _given_up(self, arrival: Arrival) -> Verdict:
        """What the carrier is told that it need not bring again, it does not bring for ever. Of a
        text there is a record or, if not even that can be written, a line in the log."""
        try:
            if isinstance(arrival, InboundText):
                await self._write(replace(self._work(Gathered()), arrivals=[arrival]), give_up)
        except StoreFailed:
            return NOT_KEPT
        except Exception as error:
            known_by = digest(arrival.message_id) if arrival.message_id else None
            told = {"carrier": arrival.carrier, "known_by": known_by}
            log.error("given up without a record", **told, **whereabouts(error))
        return Refused(reason="unusable")

    async def _settled_alone(self, outcome: Named) -> bool:
        """Whether it is settled or given up. The latter leaves its text claimed, so that it comes
        in doubt and is sent again."""
        try:
            await self._alone(Gathered([outcome]))
        except Exception as error:
            log.error("outcome not kept", message_id=outcome[0], **whereabouts(error))
            return not isinstance(error, StoreFailed) and self._suspects.failed(outcome)
        return True

    async def _alone(self, gathered: Gathered) -> Done:
        work = replace(self._work(gathered), claimable=())
        done = await self._write(work, take_turn)
        self._suspects.kept([*gathered.arrivals, *gathered.outcomes])
        self._go_on(work, done)
        return done

    def _go_on(self, work: Work, done: Done) -> None:
        if done.limits is not None:
            done.limits.keep(clock.now())
        self._submit(done)
        self._remember(work, done)

    def _submit(self, done: Done) -> None:
        for carrier, texts in done.outgoing.items():
            link = self._links.get(carrier)
            if link is None:  # it was taken away meanwhile
                gone = TryLater(after=0, reason="stopping")
                self.settle([(text.message_id, gone) for text in texts])
                continue
            self._under_way[carrier] += len(texts)
            for text in texts:
                self._sent_to[text.message_id] = carrier, time.monotonic()
            try:
                link.submit(texts)
            except Exception as error:
                log.error("link failed", carrier=carrier, **whereabouts(error))
                self.settle([(text.message_id, Unknown(reason="failure")) for text in texts])

    def _remember(self, work: Work, done: Done) -> None:
        self._backlog = (self._backlog - set(work.backlog)) | done.backlog
        for carrier in list(self._blocked):
            if not self._under_way[carrier]:
                self._blocked.discard(carrier)
        self._blocked |= done.blocked
        self._pending.update(done.queued)
        self._pending = +self._pending  # what another process has kept was not counted here
        self.counts.update(done.counts)
        if any(self._links[name].room > 0 for name in self._backlog if name in self._links):
            self._news.set()

    def _refuse_arrivals(self) -> None:
        self._gathered.answer([TryLater(reason="stopping")] * len(self._gathered.arrivals))

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
                await self._tend_once()
            except Exception as error:
                log.error("texts not tended", **whereabouts(error))
            await asyncio.sleep(TEND_SECONDS)

    async def _tend_once(self) -> None:
        """Sends nothing: turns have the links' room, so they send what has become due."""
        long_ago = time.monotonic() - RENEW_SECONDS
        held = [each for each, (_, since) in self._sent_to.items() if since <= long_ago]
        work = replace(self._work(Gathered()), room={}, held=held)
        done = await self._write(work, tend)
        for link in self._links.values():
            link.recall(done.recalled)
        self._backlog |= done.backlog
        self.counts.update(done.counts)
        rows = await self._store.read(lambda tx: tx.all("count_pending"))
        self._pending = Counter({row["outbound_carrier"]: row["texts"] for row in rows})
        rows = await self._store.read(lambda tx: tx.all("count_open_parts"))
        self._open_parts = Counter({row["carrier"]: row["parts"] for row in rows})
        if done.backlog:
            self._news.set()


def by_name(counts: Counter[str]) -> dict[str, int]:
    """Counts as members of a log line."""
    return {name.lower().replace(" ", "_"): many for name, many in sorted(counts.items())}
