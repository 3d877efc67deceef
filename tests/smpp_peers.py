"""SMPP peers by others: an SMSC in JavaScript (npm smpp), and Kannel, which is a client."""

import asyncio
import fcntl
import json
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from relays import Relay

HOME = Path(__file__).with_name("smpp")
INSTALLED = HOME / "node_modules" / ".package-lock.json"  # npm writes it last

KANNEL = """
group = core
admin-port = {admin}
admin-password = x
smsbox-port = {boxes}
log-file = "bearerbox.log"
log-level = 0
box-allow-ip = "127.0.0.1"
store-type = spool
store-location = "spool"

group = smsc
smsc = smpp
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = "maskline"
smsc-password = "secret"
system-type = ""
address-range = ""
source-addr-ton = 1
source-addr-npi = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
log-file = "smsbox.log"
log-level = 0

group = sms-service
keyword = default
text = "%a"
accept-x-kannel-headers = true
max-messages = 3
concatenation = true
"""


class Peer:
    """A program that tells what happens to it in lines of JSON, and takes such lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.events.append(json.loads(line))

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]

    def say(self, **words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words).encode() + b"\n")


@asynccontextmanager
async def npm_smsc(*files: Path) -> AsyncIterator[tuple[Peer, int]]:
    """The SMSC in JavaScript, and its port; `files` are a key and a certificate, for TLS."""
    if shutil.which("npm") is None:
        pytest.skip("the SMSC in JavaScript needs node and npm")
    with (HOME / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not INSTALLED.exists():
            subprocess.run(["npm", "ci", "--silent"], cwd=HOME, check=True)
    process = await asyncio.create_subprocess_exec(
        "node", "smsc.mjs", "secret", *map(str, files), cwd=HOME, stdin=-1, stdout=-1
    )
    peer = Peer(process)
    reading = asyncio.create_task(peer.read())
    try:
        await Relay().until(lambda: peer.events)
        yield peer, peer.events[0]["port"]
    finally:
        process.kill()
        await process.wait()
        await reading


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def kannel(folder: Path, smsc: int) -> AsyncIterator[None]:
    """Kannel bound to an SMSC, answering each text with itself."""
    if shutil.which("bearerbox") is None:
        pytest.skip("needs Debian's package kannel")
    (folder / "spool").mkdir()
    ports = {"admin": free_port(), "boxes": free_port(), "sendsms": free_port(), "smsc": smsc}
    (folder / "kannel.conf").write_text(KANNEL.format(**ports))
    boxes = []
    try:
        for box in ("bearerbox", "smsbox"):
            path = shutil.which(box) or box
            boxes.append(
                await asyncio.create_subprocess_exec(
                    path, "kannel.conf", cwd=folder, stdout=-3, stderr=-3
                )
            )
            await until_open(ports["boxes"])
        yield
    finally:
        for process in reversed(boxes):
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def until_open(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
