"""Runs a program on a leash: `python leash.py PROGRAM ARGUMENT...`.

The leash ends when standard input ends (whoever started it is gone or wants it stopped) or when
the program ends; with it ends everything the program started. A parent-death signal alone would
not do: it reaches a direct child only, and Kamailio forks a dozen processes. It runs as a script
of its own, on the standard library alone, so that it starts in a moment.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
GRACE_SECONDS = 5.0
# Signals to the whole service are for whoever holds the leash.
NOT_OURS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def main(command: list[str]) -> int:
    """The program's exit status, 128 + number for a signal, as a shell has it."""
    # Orphans of the program become our children, so that none is lost from sight.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in NOT_OURS:
        signal.signal(number, signal.SIG_IGN)
    program = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, process_group=0, preexec_fn=default_signals
    )
    watched = os.pidfd_open(program.pid)
    ready, _, _ = select.select([0, watched], [], [])
    # A byte asks for an end at once, the end of input for an orderly one.
    if watched not in ready and not os.read(0, 1):
        program.terminate()
        select.select([watched], [], [], GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)
    status = program.wait()
    reap_orphans()
    return 128 - status if status < 0 else status


def default_signals() -> None:
    for number in NOT_OURS:
        signal.signal(number, signal.SIG_DFL)


def reap_orphans() -> None:
    """Waits until nothing of the program is left; what left its group is ended one by one."""
    me = os.getpid()
    while True:
        with open(f"/proc/{me}/task/{me}/children") as file:
            for child in file.read().split():
                os.kill(int(child), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
