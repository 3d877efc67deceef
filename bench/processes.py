"""Processes of others: what CPU time they have used, and how one is started so that it surely
ends."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from acceptance.service import carries

from maskline.engines.supervision import LEASH, MARK

Groups = Mapping[str, list[int]]


def cpu_seconds(pids: list[int]) -> float:
    """The exact CPU time of processes, all threads that live now; from /proc/PID/task."""
    return sum(_thread_nanoseconds(pid) for pid in pids) / 1e9


def _thread_nanoseconds(pid: int) -> int:
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(task.read_text().split()[0])
        except OSError:
            continue  # the thread has ended
    return total


def whole_seconds(pid: int) -> float:
    """The CPU time of a process with that of its threads that ended, to a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def named(run: Path, name: str) -> list[int]:
    """The processes of a program among those that carry the mark of a run directory."""
    mark = f"{MARK}={run}".encode()
    return [
        int(path.name)
        for path in Path("/proc").glob("[0-9]*")
        if carries(path, mark) and _name(path) == name
    ]


def service(parent: int) -> list[int]:
    """The service's own processes: the one that was started, and those it forked from itself."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    forked = [int(child) for child in children if _command(int(child)) == _command(parent)]
    return [parent, *forked]


def descendants(pid: int) -> list[int]:
    """A process and all that come from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in descendants(int(child)))]


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return ""


class Meter:
    """How much CPU time groups of processes use between two readings."""

    def __init__(self, groups: Callable[[], Groups]) -> None:
        self._groups = groups()
        self._begin = self._read()

    def spent(self) -> dict[str, float]:
        """Seconds of CPU by group since the meter was made."""
        return {name: now - self._begin[name] for name, now in self._read().items()}

    @property
    def whole(self) -> bool:
        """Whether all these processes still live: the CPU time of one that ended is lost, and with
        it what was measured."""
        return all(Path(f"/proc/{pid}").exists() for pids in self._groups.values() for pid in pids)

    def _read(self) -> dict[str, float]:
        return {name: cpu_seconds(pids) for name, pids in self._groups.items()}


@contextmanager
def on_leash(command: list[str], run: Path) -> Iterator[None]:
    """Runs a program inside the block, marked with a run directory; nothing of it stays behind,
    even if the bench is killed."""
    with (run / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LEASH), *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=os.environ | {MARK: str(run)},
            start_new_session=True,
        )
    assert process.stdin is not None
    try:
        yield
    finally:
        process.stdin.close()
        process.wait()
