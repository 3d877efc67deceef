"""Watches over the service from a process of its own, and starts it again when it is killed."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

PAUSE_SECONDS = 0.5
STOPS = [signal.SIGTERM, signal.SIGINT]
if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as it is under nohup
    STOPS.append(signal.SIGHUP)  # what a closed terminal says
DRAIN = signal.SIGUSR1  # ignored by who has nothing to finish
RENEW = signal.SIGUSR2  # by who has no keys and certificates
PR_SET_PDEATHSIG = 1  # prctl(2)


def guarded(work: Callable[[], int]) -> int:
    """The exit status of `work`, which runs in a child process and again after each time that
    a signal killed it: out of memory, a crash, `kill -9`. A stop that is asked for is passed on."""
    asked: list[int] = []
    for number in (DRAIN, RENEW):
        signal.signal(number, signal.SIG_IGN)
    while not asked:
        child = start(work)
        pass_on_stops(child, asked)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status >= 0:
            return status
        if not asked:
            name = signal.Signals(-status).name
            print(f"maskline: killed by {name}; starting again", file=sys.stderr, flush=True)
            time.sleep(PAUSE_SECONDS)
    return 128 + asked[0]  # stopped before the service could see to it, as a shell has it


def start(work: Callable[[], int]) -> int:
    """Starts a process that does the work; its id. A stop asked for meanwhile waits."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    child = os.fork()
    if child == 0:
        for number in STOPS:
            signal.signal(number, signal.SIG_DFL)
        for number in (DRAIN, RENEW):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        os._exit(under_guard(work))
    return child


def pass_on_stops(child: int, asked: list[int]) -> None:
    """Passes a stop on to the child and notes it; those that waited come now."""

    def stop(number: int, _frame: object) -> None:
        asked.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    def pass_on(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in STOPS:
        signal.signal(number, stop)
    for number in (DRAIN, RENEW):
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def under_guard(work: Callable[[], int]) -> int:
    """Without its guard the service would be one that nobody knows of, so it dies with it."""
    guard = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    status = 1 if os.getppid() != guard else work()
    sys.stdout.flush()
    sys.stderr.flush()
    return status
