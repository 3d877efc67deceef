"""The guard, run in a process of its own: what it starts again, what it passes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maskline.guard import DRAIN, RENEW

WORK = """
import os, signal, sys, time
from maskline import guard
guard.PAUSE_SECONDS = float(sys.argv[2])
def work():
    if sys.argv[3] == "heed":
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
    if sys.argv[3] == "end":
        return 5
    while True:
        time.sleep(0.01)  # a handler runs between two of them, never during a long one
sys.exit(guard.guarded(work))
"""

INTERRUPTED = """
import os, signal, sys
from maskline.__main__ import main
class Interrupter:
    def find_spec(self, name, *_):
        if name == "maskline.daemon":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupter())
main(["serve"])
"""


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Guarded:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "pids"
        self.file.touch()

    def start(
        self, how: str, pause: float = 0.01, hang_up: signal.Handlers = signal.SIG_DFL
    ) -> None:
        """`hang_up` is what it inherits for SIGHUP, whatever these tests did."""
        before = signal.signal(signal.SIGHUP, hang_up)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WORK, self.file, str(pause), how], stderr=subprocess.DEVNULL
            )
        finally:
            signal.signal(signal.SIGHUP, before)

    def pid(self, start: int) -> int:
        """The process of the start with this number, once it is there and heeds what it heeds."""
        until(lambda: len(self.file.read_text().split()) >= start)
        return int(self.file.read_text().split()[start - 1])


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    guarded = Guarded(tmp_path)
    yield guarded
    guarded.process.kill()
    guarded.process.wait()


def test_the_status_of_the_work_is_that_of_the_guard(guarded: Guarded) -> None:
    guarded.start("end")
    assert guarded.process.wait(10) == 5


def test_what_is_killed_is_started_again(guarded: Guarded) -> None:
    guarded.start("heed")
    os.kill(guarded.pid(1), signal.SIGKILL)
    os.kill(guarded.pid(2), signal.SIGSEGV)
    assert guarded.pid(3) != guarded.pid(2)


def test_a_stop_is_passed_on(guarded: Guarded) -> None:
    guarded.start("heed")
    guarded.pid(1)
    guarded.process.terminate()
    assert guarded.process.wait(10) == 7


def test_a_closed_terminal_asks_for_a_stop(guarded: Guarded) -> None:
    guarded.start("sleep")
    work = guarded.pid(1)
    guarded.process.send_signal(signal.SIGHUP)
    assert guarded.process.wait(10) == 128 + signal.SIGHUP
    with pytest.raises(ProcessLookupError):
        os.kill(work, 0)


def test_nothing_is_stopped_so_that_is_to_outlive_its_terminal(guarded: Guarded) -> None:
    """What nohup starts ignores the signal, and its children do."""
    guarded.start("heed", hang_up=signal.SIG_IGN)
    guarded.pid(1)
    guarded.process.send_signal(signal.SIGHUP)
    guarded.process.terminate()
    assert guarded.process.wait(10) == 7


@pytest.mark.parametrize("number", [DRAIN, RENEW])
def test_what_concerns_only_some_is_ignored_by_the_others(
    guarded: Guarded, number: signal.Signals
) -> None:
    guarded.start("heed")
    guarded.pid(1)
    guarded.process.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        guarded.process.wait(0.2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_that_the_work_does_not_heed_is_a_stop(
    guarded: Guarded, number: signal.Signals
) -> None:
    guarded.start("ignore")
    guarded.pid(1)
    guarded.process.send_signal(number)
    assert guarded.process.wait(10) == 128 + number
    assert len(guarded.file.read_text().split()) == 1


def test_a_stop_between_two_starts_is_a_stop(guarded: Guarded) -> None:
    guarded.start("heed", pause=20)
    os.kill(served := guarded.pid(1), signal.SIGKILL)
    until(lambda: not Path(f"/proc/{served}").exists())  # now it pauses
    guarded.process.terminate()
    assert guarded.process.wait(10) == 128 + signal.SIGTERM
    assert len(guarded.file.read_text().split()) == 1


def test_control_c_before_the_guard_is_there_is_a_stop_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_the_work_dies_with_its_guard(guarded: Guarded) -> None:
    guarded.start("heed")
    served = guarded.pid(1)
    guarded.process.kill()
    until(lambda: not alive(served))


def alive(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False
