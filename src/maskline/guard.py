"""Watches over the service from a process of its own, and starts it again when it is killed."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PAUSE_SECONDS = 0.5
STOPS = [signal.SIGTERM, signal.SIGINT]
if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as it is under nohup
    STOPS.append(signal.SIGHUP)  # what a closed terminal says
DRAIN = signal.SIGUSR1  # ignored by who has nothing to finish
RENEW = signal.SIGUSR2  # by who has no keys and certificates
WATCHED = {*STOPS, DRAIN, RENEW, signal.SIGCHLD}
PR_SET_PDEATHSIG = 1  # prctl(2)


def guarded(work: Callable[[], int]) -> int:
    """The exit status of `work`, which runs in a child process and again after each time that
    a signal killed it: out of memory, a crash, `kill -9`. A stop that is asked for is passed on."""
    # Taken where we wait: what a handler were to do just before would wait as long as we do.
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    while True:
        child = start(work)
        status, asked = passed_on(child)
        if status >= 0:
            return status
        if not asked:
            name = signal.Signals(-status).name
            print(f"maskline: killed by {name}; starting again", file=sys.stderr, flush=True)
            asked = stop_asked_for(PAUSE_SECONDS)
        if asked:
            return 128 + asked  # before the service could see to it, as a shell has it


def start(work: Callable[[], int]) -> int:
    """Starts a process that does the work; its id. What comes meanwhile waits."""
    child = os.fork()
    if child == 0:
        for number in STOPS:
            signal.signal(number, signal.SIG_DFL)
        for number in (DRAIN, RENEW):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        os._exit(under_guard(work))
    return child


def passed_on(child: int) -> tuple[int, int]:
    """Passes on to the child what is for it until it ends; its exit status, and the stop that was
    asked for first, 0 for none."""
    asked = 0
    while True:
        number = signal.sigwait(WATCHED)
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status), asked
        else:
            asked = asked or (number if number in STOPS else 0)
            os.kill(child, number)  # it is there, or a zombie of ours


def stop_asked_for(seconds: float) -> int:
    """The stop that is asked for within this time, 0 for none."""
    found = signal.sigtimedwait(STOPS, seconds)
    return found.si_signo if found else 0


def under_guard(work: Callable[[], int]) -> int:
    """Without its guard the service would be one that nobody knows of, so it dies with it."""
    guard = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    status = 1 if os.getppid() != guard else work()
    sys.stdout.flush()
    sys.stderr.flush()
    return status
