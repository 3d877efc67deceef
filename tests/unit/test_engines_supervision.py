"""Supervision with real processes: a stand-in engine that forks, as Kamailio does."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from waiting import until

from maskline.domain.health import State
from maskline.engines import supervision
from maskline.engines.supervision import LEASH, MARK, Engine, Program, end_leftovers

# Forks a worker, writes both process ids, sleeps. The worker survives its parent's death.
FORKING = """
import os, sys, time
if os.fork() == 0:
    os.setpgid(0, 0) if "leave-group" in sys.argv else None
    time.sleep(60)
open(sys.argv[1] + ".new", "w").write(f"{os.getpid()} ")
os.rename(sys.argv[1] + ".new", sys.argv[1])
while "busily" in sys.argv:
    pass
while "complaining" in sys.argv:
    time.sleep(0.1)
    print(" 3(12) ERROR: pv [pv_svar.c:132]: set_var_value(): out of pkg mem!", flush=True)
time.sleep(60)
"""


def alive(mark: Path) -> set[int]:
    """The processes that carry the mark of this directory, zombies left out."""
    return {
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if supervision.belongs(process, mark)
    }


class StandIn:
    """An engine of our own making whose health is a flag."""

    def __init__(self, run: Path, *arguments: str) -> None:
        self.run = run
        self.file = run / "pid"
        self.healthy = True
        self.starts, self.came_up = 0, list[int]()
        self.arguments = arguments
        self.engine = Engine(run, self.prepare, lambda: self.came_up.append(self.starts))

    def prepare(self) -> Program:
        self.starts += 1
        self.file.unlink(missing_ok=True)
        command = [sys.executable, "-I", "-S", "-c", FORKING, str(self.file), *self.arguments]
        return Program(command, {}, self.answers)

    async def answers(self) -> bool:
        return self.healthy and self.file.exists()

    @property
    def pid(self) -> int:
        return int(self.file.read_text())

    def up(self, starts: int) -> bool:
        return self.starts == starts and self.engine.state is State.UP

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        keeping = asyncio.create_task(self.engine.keep())
        try:
            await until(lambda: self.up(1))
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.01)


@pytest.mark.parametrize("arguments", [(), ("leave-group",)])
async def test_an_engine_is_stopped_with_all_it_started(
    tmp_path: Path, arguments: tuple[str]
) -> None:
    stand_in = StandIn(tmp_path, *arguments)
    async with stand_in.running():
        assert len(alive(tmp_path)) == 3  # the leash, the engine, its worker
    assert alive(tmp_path) == set()
    assert stand_in.engine.state is State.DOWN


async def test_a_killed_engine_comes_back_without_its_old_workers(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path)
    async with stand_in.running():
        old = alive(tmp_path)
        os.kill(stand_in.pid, signal.SIGKILL)
        await until(lambda: stand_in.up(2))
        assert not old & alive(tmp_path)
    assert stand_in.came_up == [1, 2]


async def test_a_renewed_engine_is_started_again_with_what_is_prepared_then(
    tmp_path: Path,
) -> None:
    stand_in = StandIn(tmp_path)
    async with stand_in.running():
        old = alive(tmp_path)
        stand_in.engine.renew()
        await until(lambda: stand_in.up(2))
        assert not old & alive(tmp_path)
        stand_in.engine.renew()
        await until(lambda: stand_in.up(3))


async def test_an_engine_with_a_process_without_memory_is_started_again(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path, "complaining")
    async with stand_in.running():
        old = alive(tmp_path)
        stand_in.arguments = ()
        await until(lambda: stand_in.up(2))
        assert not old & alive(tmp_path)


async def test_a_renewal_that_comes_while_an_engine_is_started_is_none_too_few(
    tmp_path: Path,
) -> None:
    stand_in = StandIn(tmp_path)
    prepare = stand_in.prepare

    def prepared() -> Program:
        if stand_in.starts == 1:
            stand_in.engine.renew()
        return prepare()

    stand_in.engine = Engine(tmp_path, prepared)
    async with stand_in.running():
        stand_in.engine.renew()
        await until(lambda: stand_in.up(3))


async def test_an_engine_that_stops_answering_is_started_again(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path)
    async with stand_in.running():
        os.kill(stand_in.pid, signal.SIGSTOP)
        stand_in.healthy = False
        await until(lambda: stand_in.starts == 2)
        stand_in.healthy = True
        await until(lambda: stand_in.up(2))


async def test_an_engine_that_works_and_does_not_answer_is_given_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def a_second_more(_: Path) -> float:
        looks.append(len(looks) + 1.0)
        return looks[-1]

    monkeypatch.setattr(supervision, "processor_seconds", a_second_more)
    stand_in = StandIn(tmp_path)
    async with stand_in.running():
        stand_in.healthy = False
        await until(lambda: len(looks) > supervision.PATIENCE + 2)
        assert stand_in.starts == 1
        await until(lambda: stand_in.starts == 2)  # but not for ever
        assert len(looks) == supervision.PATIENCE_WITH_THE_BUSY
        stand_in.healthy = True


async def test_what_an_engine_works_is_seen(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path, "busily")
    async with stand_in.running():
        await until(lambda: supervision.processor_seconds(tmp_path) > 0.1)
        os.kill(stand_in.pid, signal.SIGSTOP)
        so_far = supervision.processor_seconds(tmp_path)
        await asyncio.sleep(0.1)
        assert supervision.processor_seconds(tmp_path) - so_far < supervision.BUSY_SECONDS
        stand_in.healthy = False


async def test_an_engine_does_not_outlive_its_leash(tmp_path: Path) -> None:
    """Not even one that is stopped, so that no signal but the last reaches it."""
    stand_in = StandIn(tmp_path)
    async with stand_in.running():
        old = alive(tmp_path)
        os.kill(stand_in.pid, signal.SIGSTOP)
        os.kill(leash_of(stand_in.pid), signal.SIGKILL)
        await until(lambda: stand_in.up(2))
        assert not old & alive(tmp_path)


async def test_a_signal_to_all_of_a_service_is_not_for_its_engines_leashes(
    tmp_path: Path,
) -> None:
    """systemd, say, sends one to all processes unless it is told otherwise."""
    stand_in = StandIn(tmp_path)
    async with stand_in.running():
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGINT):
            os.kill(leash_of(stand_in.pid), number)
        await asyncio.sleep(0.2)
        assert stand_in.up(1)
        assert len(alive(tmp_path)) == 3


def leash_of(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_one_missed_answer_is_forgiven(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path)
    async with stand_in.running():
        stand_in.healthy = False
        await asyncio.sleep(0.03)
        stand_in.healthy = True
        await asyncio.sleep(0.2)
        assert stand_in.up(1)


async def late(_seconds: float) -> bool:
    await asyncio.sleep(0.01)
    return True


async def test_who_is_always_late_ends_a_hung_engine_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "pause_is_late", late)
    stand_in = StandIn(tmp_path)
    async with stand_in.running():
        stand_in.healthy = False
        await until(lambda: stand_in.starts > 1)
        stand_in.healthy = True


async def test_who_comes_late_himself_does_not_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "MOST_PARDONS", 1000)
    stand_in = StandIn(tmp_path)
    async with stand_in.running():
        with monkeypatch.context() as patched:
            patched.setattr(supervision, "pause_is_late", late)
            await asyncio.sleep(0.1)
            stand_in.healthy = False
            await asyncio.sleep(0.3)
            stand_in.healthy = True
            await asyncio.sleep(0.1)
        assert stand_in.up(1)
        stand_in.healthy = False
        await until(lambda: stand_in.starts > 1)
        stand_in.healthy = True


async def test_a_pause_is_late_when_the_loop_is() -> None:
    assert not await supervision.pause_is_late(0.01)
    asyncio.get_running_loop().call_soon(time.sleep, supervision.LATE_SECONDS + 0.1)
    assert await supervision.pause_is_late(0.01)


async def test_an_engine_that_cannot_start_is_tried_again(tmp_path: Path) -> None:
    lives = []

    async def never() -> bool:
        return False

    def prepare() -> Program:
        lives.append(None)
        return Program(["/bin/false"], {}, never)

    keeping = asyncio.create_task(Engine(tmp_path, prepare).keep())
    await until(lambda: len(lives) >= 3)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert alive(tmp_path) == set()


@pytest.mark.parametrize("victim", ["the one who holds the leash", "the leash"])
async def test_nothing_survives_a_kill(tmp_path: Path, victim: str) -> None:
    """The holder dies as by `kill -9`, or the leash does and the next start cleans up."""
    pid_file = tmp_path / "pid"
    leashed = [sys.executable, str(LEASH), sys.executable, "-c", FORKING, str(pid_file)]
    holder = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *leashed],
        stdin=subprocess.PIPE,
        env=os.environ | {MARK: str(tmp_path)},
    )
    assert holder.stdin is not None
    await until(lambda: pid_file.exists() and len(alive(tmp_path)) == 4)
    if victim == "the leash":
        leash = int(Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text())
        os.kill(leash, signal.SIGKILL)
        holder.wait()
        assert end_leftovers(tmp_path) == 2
    else:
        holder.kill()
        holder.stdin.close()
        holder.wait()
        await until(lambda: not alive(tmp_path))
    holder.stdin.close()
    assert alive(tmp_path) == set()


def test_pauses_grow_to_a_limit() -> None:
    pauses = supervision.pauses()
    seen = [next(pauses) for _ in range(12)]
    assert seen == sorted(seen)
    assert seen[-1] == supervision.LONGEST_PAUSE
