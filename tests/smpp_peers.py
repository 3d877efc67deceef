"""An SMSC by others, in JavaScript (npm smpp)."""

import asyncio
import fcntl
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from relays import Relay

HOME = Path(__file__).with_name("smpp")
INSTALLED = HOME / "node_modules" / ".package-lock.json"  # npm writes it last


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
