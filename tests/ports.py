"""Ports of the loopback that are free, and stay so until they are used.

Those that Linux gives to connections, and to whoever asks for any, may be given away meanwhile, by
the other processes that tests run in as well.
"""

import itertools
import os
import socket
from collections.abc import Iterator

MOST_PROCESSES = 8
FIRST, EACH = 61_000, 560  # above those that Linux gives away


def process_number() -> int:
    """Which of the processes that tests run in this is."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MOST_PROCESSES


def ports_of_process() -> Iterator[int]:
    """Ports of its own for each of the processes that tests run in, one after the other."""
    first = FIRST + process_number() * EACH
    return itertools.cycle(range(first, first + EACH))


PORTS = ports_of_process()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for TCP and for UDP."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in PORTS:
        with (
            socket.socket(family, socket.SOCK_STREAM) as tcp,
            socket.socket(family, socket.SOCK_DGRAM) as udp,
        ):
            try:
                tcp.bind((host, port))
                udp.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable")
