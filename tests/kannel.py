"""Kannel, an SMPP client by others, for tests and for the bench: its bearerbox, which speaks SMPP,
and its smsbox, which does something with texts.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ports import free_port

BOXES = "/usr/sbin"  # where Debian puts them
START_SECONDS = 30

CORE = """
group = core
admin-port = {admin}
admin-password = x
smsbox-port = {boxes}
log-file = "bearerbox.log"
log-level = {log_level}
box-allow-ip = "127.0.0.1"
store-type = spool
store-location = "spool"

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
log-file = "smsbox.log"
log-level = {log_level}
"""
BIND = """
group = smsc
smsc = smpp
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = "maskline"
smsc-password = "secret"
system-type = ""
address-range = ""
source-addr-ton = 1
source-addr-npi = 1
dest-addr-ton = 1
dest-addr-npi = 1
"""
ECHO = """
group = sms-service
keyword = default
text = "%a"
accept-x-kannel-headers = true
max-messages = 3
concatenation = true
"""


@dataclass(frozen=True)
class Kannel:
    """`pid` is the bearerbox's; `sendsms` is the port at which the smsbox takes texts by HTTP."""

    pid: int
    sendsms: int


def bind(port: int, **more: object) -> str:
    """A bind to the SMSC at a port, `more` in the words of Kannel, `_` for its `-`."""
    lines = [f"{name.replace('_', '-')} = {value}\n" for name, value in more.items()]
    return BIND.format(port=port) + "".join(lines)


def installed() -> bool:
    return shutil.which("bearerbox", path=BOXES) is not None


@contextmanager
def kannel(folder: Path, *binds: str, service: str = "", log_level: int = 0) -> Iterator[Kannel]:
    """Kannel with these binds, at work. `service` are its groups about what to do with texts;
    without them no smsbox runs."""
    (folder / "spool").mkdir()
    ports = {name: free_port() for name in ("admin", "boxes", "sendsms")}
    core = CORE.format(log_level=log_level, **ports)
    (folder / "kannel.conf").write_text("".join([core, *binds, service]))
    with ExitStack() as stack:
        bearerbox = stack.enter_context(box("bearerbox", folder))
        until_open(ports["boxes"])
        if service:
            stack.enter_context(box("smsbox", folder))
            until_open(ports["sendsms"])
        yield Kannel(bearerbox.pid, ports["sendsms"])


@contextmanager
def box(name: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [f"{BOXES}/{name}", "kannel.conf"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until_open(port: int) -> None:
    ends = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < ends, "Kannel does not start"
            time.sleep(0.05)
        else:
            return
