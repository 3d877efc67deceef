"""Watches over the service from a process of its own, and starts it again when it is killed."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

PAUSE_SECONDS = 0.5
PR_SET_PDEATHSIG = 1  # prctl(2)


def guarded(work: Callable[[], int]) -> int:
    """The exit status of `work`, which runs in a child process and again after each time that
    a signal killed it: out of memory, a crash, `kill -9`. A stop that is asked for is passed on."""
    while True:
        child = os.fork()
        if child == 0:
            os._exit(under_guard(work))
        pass_on_stops(child)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status >= 0:
            return status
        name = signal.Signals(-status).name
        print(f"maskline: killed by {name}; starting again", file=sys.stderr, flush=True)
        time.sleep(PAUSE_SECONDS)


def pass_on_stops(child: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda asked, _frame: os.kill(child, asked))


def under_guard(work: Callable[[], int]) -> int:
    """Without its guard the service would be one that nobody knows of, so it dies with it."""
    guard = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    status = 1 if os.getppid() != guard else work()
    sys.stdout.flush()
    sys.stderr.flush()
    return status
