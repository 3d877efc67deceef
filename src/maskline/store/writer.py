"""SQLite's one writer, which commits in groups.

A commit costs a flush of the disk, whatever it holds. So while the disk is busy with one group of
writes the next one gathers. The work itself runs on the event loop, in turn with all other: in a
thread of its own each of its statements would wait for the interpreter, which the loop holds. The
flush alone is in a thread, and the loop goes on meanwhile.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from maskline.store.port import StoreFailed, Transaction

T = TypeVar("T")

LARGEST_GROUP = 64
LONGEST_GROUP = 0.05  # seconds of work after which a group ends: reads, and calls, wait for it
# Somebody else's program may have the database for a moment; the loop does not stand still for it.
BUSY_SECONDS = 10.0
RETRY_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work waiting to be written, and who waits for it."""

    work: Callable[[Transaction], Any]
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class Done:
    value: Any
    changed: bool  # whether there was anything to be kept


Outcome = Done | Exception


class Writer:
    """The only writer of a database, for one event loop at a time. `change` is called before each
    group, in the loop's thread."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        transaction: Transaction,
        change: Callable[[], None],
    ) -> None:
        connection.execute("PRAGMA busy_timeout = 0")
        # What a job changes is copied before, to be put back if it fails; by default into a file,
        # and twice as much is written there as to the log.
        connection.execute("PRAGMA temp_store = MEMORY")
        self._connection = connection
        self._transaction = transaction
        self._change = change
        self._jobs: deque[Job] = deque()
        self.failing = False  # whether the latest changes could not be kept
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="store-flusher")
        self._loop: asyncio.AbstractEventLoop | None = None  # whose group is under way

    @property
    def busy(self) -> bool:
        """Whether a group is under way, or begins in this round of the loop."""
        return self._loop is not None

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """What `work` gives, once its changes are on the disk."""
        loop = asyncio.get_running_loop()
        job = Job(work, loop.create_future())
        self._jobs.append(job)
        if self._loop is not None and self._loop.is_closed():
            self._flusher.submit(int).result()  # what it left under way
            self._loop = None
        if self._loop is None:
            self._loop = loop
            loop.call_soon(self._begin, loop)  # with all others that this round of the loop has
        done: T = await job.future
        return done

    def close(self) -> None:
        """Finishes what was asked for."""
        self._flusher.shutdown()
        while self._jobs:
            group: list[Job] = []
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                outcomes = self._carry_out(group)
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                group = group or self._next_group()
                outcomes = self._take_back(group, error)
            tell(group, outcomes)
        self._connection.close()

    def _begin(self, loop: asyncio.AbstractEventLoop, patience: float = BUSY_SECONDS) -> None:
        """Carries a group out and hands it over to be flushed."""
        if not self._jobs:  # closed meanwhile
            self._loop = None
            return
        group: list[Job] = []
        try:
            self._change()
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = self._carry_out(group)
        except sqlite3.Error as error:
            if not group and is_busy(error) and patience > 0:
                loop.call_later(RETRY_SECONDS, self._begin, loop, patience - RETRY_SECONDS)
                return
            group = group or self._next_group()
            self._end(loop, group, self._take_back(group, error))
            return
        flush = loop.run_in_executor(self._flusher, self._flush, group, outcomes)
        flush.add_done_callback(lambda flushed: self._end(loop, group, outcomes_of(flushed, group)))

    def _next_group(self) -> list[Job]:
        return [self._jobs.popleft() for _ in range(min(LARGEST_GROUP, len(self._jobs)))]

    def _carry_out(self, group: list[Job]) -> list[Outcome]:
        """Takes jobs into the group and does them, until it is large or has taken long enough."""
        outcomes: list[Outcome] = []
        end = time.monotonic() + LONGEST_GROUP
        while self._jobs and len(group) < LARGEST_GROUP and (not group or time.monotonic() < end):
            group.append(self._jobs.popleft())
            outcomes.append(self._attempt(group[-1]))
        return outcomes

    def _attempt(self, job: Job) -> Outcome:
        """One job inside the group's transaction; what fails takes only itself back."""
        self._connection.execute("SAVEPOINT job")
        before = self._connection.total_changes
        try:
            value = job.work(self._transaction)
            outcome: Outcome = Done(value, self._connection.total_changes > before)
        except Exception as error:
            self._connection.execute("ROLLBACK TO job")
            outcome = failure_of(error)
        self._connection.execute("RELEASE job")
        return outcome

    def _flush(self, group: list[Job], outcomes: list[Outcome]) -> list[Outcome]:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            return self._take_back(group, error)
        return outcomes

    def _take_back(self, group: list[Job], error: sqlite3.Error) -> list[Outcome]:
        """Nothing of the group was kept."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        return [failed(error)] * len(group)

    def _end(
        self, loop: asyncio.AbstractEventLoop, group: list[Job], outcomes: list[Outcome]
    ) -> None:
        """Answers a group that is on the disk, and begins the next."""
        if any(isinstance(outcome, StoreFailed) for outcome in outcomes):
            self.failing = True
        elif any(isinstance(outcome, Done) and outcome.changed for outcome in outcomes):
            self.failing = False  # what changes nothing is kept on a full disk, too
        tell(group, outcomes)
        if self._jobs:
            self._begin(loop)
        else:
            self._loop = None


def tell(group: list[Job], outcomes: list[Outcome]) -> None:
    """Tells every waiting task how its job went."""
    for job, outcome in zip(group, outcomes, strict=True):
        if job.future.done() or job.future.get_loop().is_closed():
            continue  # whoever waited was cancelled
        if isinstance(outcome, Done):
            job.future.set_result(outcome.value)
        else:
            job.future.set_exception(outcome)


def outcomes_of(flushed: asyncio.Future[list[Outcome]], group: list[Job]) -> list[Outcome]:
    """How the jobs of a group went that was to be flushed, also where not even that can be said:
    those who wait are told in any case, and the next group begins."""
    error = flushed.exception()
    if error is None:
        return flushed.result()
    return [failed(error)] * len(group)


def failure_of(error: Exception) -> Exception:
    """The error, as StoreFailed where the disk is at fault (full, say) and not the work."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if not isinstance(error, sqlite3.OperationalError) or code == sqlite3.SQLITE_ERROR:
        return error
    return failed(error)


def failed(error: BaseException) -> StoreFailed:
    failure = StoreFailed(str(error))
    failure.__cause__ = error
    return failure


def is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
