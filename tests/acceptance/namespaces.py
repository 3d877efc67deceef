"""Machines on one network, as network namespaces: each with an address of its own on one bridge."""

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NETWORK = "10.77.0"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Network:
    """The bridge is in a namespace, too, so that nothing of the machine's own network changes."""

    def __init__(self) -> None:
        if shutil.which("ip") is None:
            raise PermissionError("there is no ip (iproute2)")
        self._prefix = f"mk{os.getpid()}-"
        self._made: list[str] = []
        self._hub = self._add("hub")
        self._ip("-n", self._hub, "link", "add", "br0", "type", "bridge")
        self._ip("-n", self._hub, "link", "set", "br0", "up")

    def machine(self, name: str, *last: int) -> str:
        """A machine with the addresses that end in these numbers; the name of its namespace."""
        own = self._add(name)
        port = f"v{len(self._made)}"
        self._ip("-n", self._hub, "link", "add", port, "type", "veth", "peer", "eth0", "netns", own)
        self._ip("-n", self._hub, "link", "set", port, "master", "br0", "up")
        for number in last:
            self._ip("-n", own, "addr", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
        self._ip("-n", own, "link", "set", "eth0", "up")
        return own

    def close(self) -> None:
        for name in self._made:
            self._ip("netns", "del", name)

    def _add(self, name: str) -> str:
        full = self._prefix + name
        self._ip("netns", "add", full)
        self._made.append(full)
        self._ip("-n", full, "link", "set", "lo", "up")
        return full

    def _ip(self, *arguments: str) -> None:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise PermissionError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def within(namespace: str) -> list[str]:
    """What a command begins with to run there."""
    return ["ip", "netns", "exec", namespace]


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Sockets that this thread makes in the block are that namespace's."""
    home = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
    there = os.open(Path("/run/netns") / namespace, os.O_RDONLY)
    try:
        enter(there)
        yield
    finally:
        enter(home)
        os.close(there)
        os.close(home)


def enter(place: int) -> None:
    if _libc.setns(place, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
