"""Keeps an engine running: starts it, asks whether it answers, starts it again when it does not.

An engine is a program that does its part of the work in processes of its own (Kamailio, rtpengine).
It runs on a leash (`leash.py`), so it ends with the service however the service ends.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from maskline.domain.health import State
from maskline.engines.ground import DAEMON_PATH
from maskline.engines.speech import heard

LEASH = Path(__file__).with_name("leash.py")
# Every process of an engine carries the engine's directory in its environment, which its children
# inherit: so what is left of an engine can be found, also by a later start of the service.
MARK = "MASKLINE_RUN"
# Ours is not passed on: it may hold secrets of whoever started us.
PLAIN_ENVIRONMENT = {"PATH": DAEMON_PATH, "LANG": "C.UTF-8"}

PROBE_SECONDS = 0.5
PATIENCE = 3  # probes in a row without an answer before an engine that once answered is ended
# An engine that works and does not come to answer is overloaded: to end it would lose all that it
# has in hand, and what waits would come again. Such a one is let be for as many probes.
PATIENCE_WITH_THE_BUSY = 20
BUSY_SECONDS = 0.03  # of the processor, from one probe to the next; one that is hung takes none
# Who comes back so late from a pause has no processor for itself either, and cannot judge others.
LATE_SECONDS = 0.2
MOST_PARDONS = 20  # in a row: on a machine that is always late, who is hung must be ended, too
START_SECONDS = 15.0  # within which a new engine must answer for the first time
STEADY_SECONDS = 10.0  # a life this long makes the next restart immediate again
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
STOP_SECONDS = 8.0  # more than the leash's own grace

log = structlog.get_logger()


@dataclass(frozen=True)
class Program:
    """What to run: the command, its environment, and how to ask whether it works."""

    command: list[str]
    environment: dict[str, str]
    answers: Callable[[], Awaitable[bool]]


def pauses() -> Iterator[float]:
    """Seconds to wait before each restart of an engine that keeps failing."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE)


class Engine:
    """One supervised program, in a directory that bears its name.

    `prepare` makes what the program needs afresh before each start; `came_up` is called when it
    answers for the first time after one.
    """

    def __init__(
        self,
        directory: Path,
        prepare: Callable[[], Program],
        came_up: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = directory.name
        self.state = State.DOWN
        self.up = asyncio.Event()
        self._directory = directory
        self._prepare, self._came_up = prepare, came_up
        self._renewed = asyncio.Event()

    def renew(self) -> None:
        """Stops the program in order, to be started again with what `prepare` makes then."""
        self._renewed.set()

    async def keep(self) -> None:
        """Runs the engine again and again until cancelled; it is stopped when this returns."""
        pause = pauses()
        while True:
            born = time.monotonic()
            try:
                await self._live()
            except Exception:  # a full disk, say; it may not be for ever
                log.exception("engine cannot be started", engine=self.name)
            if time.monotonic() - born > STEADY_SECONDS:
                pause = pauses()
            await asyncio.sleep(next(pause))

    async def _live(self) -> None:
        """One life of the program, from its start until it ends or no longer answers."""
        self._renewed.clear()  # before: what is prepared may be old when the next one comes
        program = self._prepare()
        process = await self._start(program)
        told = asyncio.create_task(self._tell(process))
        ended = asyncio.create_task(end_of(process.pid))
        ailing = asyncio.create_task(self._watch(program.answers))
        renewed = asyncio.create_task(self._renewed.wait())
        try:
            await asyncio.wait({ended, ailing, renewed}, return_when=asyncio.FIRST_COMPLETED)
            if renewed.done():
                log.info("engine renewed", engine=self.name)
            else:
                log.error("engine lost", engine=self.name, ended=ended.done())
        finally:
            renewed.cancel()
            ailing.cancel()
            self._become(State.DOWN)
            await end(process, ended, at_once=ailing.done() and not ailing.cancelled())
            end_leftovers(self._directory)
            await process.wait()
            await told

    async def _start(self, program: Program) -> asyncio.subprocess.Process:
        self._become(State.STARTING)
        mark = {MARK: str(self._directory)}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(LEASH), *program.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=PLAIN_ENVIRONMENT | mark | program.environment,
            start_new_session=True,
        )  # fmt: skip

    async def _watch(self, answers: Callable[[], Awaitable[bool]]) -> None:
        """Returns when the program has stopped answering, or never began to."""
        deadline = time.monotonic() + START_SECONDS
        misses, answered, busy, pardons, late, spent = 0, False, False, 0, False, 0.0
        while misses < (PATIENCE_WITH_THE_BUSY if busy else PATIENCE):
            if await answers():
                self._become(State.UP)
                if not answered:
                    self._came_up()
                misses, pardons, answered = 0, 0, True
            elif late and pardons < MOST_PARDONS:
                pardons += 1
            elif answered or time.monotonic() > deadline:
                misses += 1
                before, spent = spent, processor_seconds(self._directory)
                busy = spent - before > BUSY_SECONDS
            if misses > 1:
                self._become(State.DOWN)
            late = await pause_is_late(PROBE_SECONDS if answered else PROBE_SECONDS / 5)

    def _become(self, state: State) -> None:
        if state is not self.state:
            log.info("engine", engine=self.name, state=state.value)
            self.state = state
            (self.up.set if state is State.UP else self.up.clear)()

    async def _tell(self, process: asyncio.subprocess.Process) -> None:
        """Passes on what the program says, so that its pipe never fills."""
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._tell_line(line.decode(errors="replace"))
            rest = rest[-4096:]
        if rest:
            self._tell_line(rest.decode(errors="replace"))

    def _tell_line(self, line: str) -> None:
        said = heard(line, starting=self.state is State.STARTING)
        if said is None:
            return
        if said.spent and self.state is State.UP:
            log.error("engine has a process without memory", engine=self.name)
            self._become(State.DOWN)
            self.renew()
        # What it complains of while it is being stopped is of no interest.
        tell = log.warning if said.grave and self.state is not State.DOWN else log.debug
        tell("engine says", engine=self.name, line=said.text)


async def pause_is_late(seconds: float) -> bool:
    """Pauses; whether it took much longer."""
    begin = time.monotonic()
    await asyncio.sleep(seconds)
    return time.monotonic() - begin > seconds + LATE_SECONDS


async def end_of(pid: int) -> None:
    """Returns when a child of ours has ended, whoever still holds its end of a pipe."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(watched, ended.set)
    try:
        await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(watched)
        os.close(watched)


async def end(
    process: asyncio.subprocess.Process, ended: asyncio.Task[None], *, at_once: bool
) -> None:
    """Ends a leash: its program is asked to end, or `at_once` is not asked."""
    assert process.stdin is not None
    if at_once:
        process.stdin.write(b"!")
    process.stdin.close()
    await asyncio.wait({ended}, timeout=STOP_SECONDS)
    if not ended.done():
        process.kill()
        await ended


def processor_seconds(directory: Path) -> float:
    """How long the processes of the engine in this directory have had a processor."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        if belongs(process, directory):
            with contextlib.suppress(OSError):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])  # utime, stime: proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def end_leftovers(directory: Path) -> int:
    """Ends every process of the engine in this directory, or of the engines in those below it,
    whoever started it; how many there were."""
    found = [process for process in Path("/proc").glob("[0-9]*") if belongs(process, directory)]
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process.name), signal.SIGKILL)
    while any(belongs(process, directory) for process in found):
        time.sleep(0.01)
    return len(found)


def belongs(process: Path, directory: Path) -> bool:
    """Whether a process, by its place in /proc, carries the mark of an engine here or below."""
    mark = f"{MARK}={directory}".encode()
    try:
        variables = (process / "environ").read_bytes().split(b"\0")
    except OSError:  # ended meanwhile, or somebody else's
        return False
    return any(variable == mark or variable.startswith(mark + b"/") for variable in variables)
