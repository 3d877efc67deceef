"""Customers of the API, over HTTP and signed: they open, change and close sessions at random.

    python -m crowd.client SPEC.json

A line in the history for each request, written when its fate is known: what was asked and when,
what was answered and when, or that no answer came. Times are milliseconds of the machine's clock,
`sent` rounded down and `answered` up.
"""

import asyncio
import json
import math
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import msgspec

from maskline.cli.signer import AccessKey, sign

REGION = "us-east-1"
PATIENCE = 60.0
# Shares of what is done with a session that is open; the rest of all turns opens another.
CLOSE, UPDATE, GET = 0.35, 0.40, 0.45


class Spec(msgspec.Struct):
    """What one process of customers does: `creates` at each of the URLs, `at_once` requests."""

    urls: list[str]
    key_id: str
    secret: str
    connectors: list[str]
    people: list[str]
    creates: int
    at_once: int
    seed: int
    history: str


class Connection:
    """One HTTP/1.1 connection, opened anew when it was lost."""

    def __init__(self, url: str, key: AccessKey) -> None:
        place = urlsplit(url)
        assert place.hostname is not None
        assert place.port is not None
        self._place = place.hostname, place.port
        self._host = place.netloc
        self._key = key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, target: str, content: Any) -> tuple[int, str, Any]:
        """Status, request id and content of the answer; raises OSError when there is none."""
        body = b"" if content is None else json.dumps(content).encode()
        headers = sign(self._key, REGION, method, target, {"Host": self._host}, body)
        headers["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items())]
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = self._streams or await self._open()
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                return await read_answer(reader)
        except (OSError, EOFError) as error:
            self.close()
            raise OSError(str(error)) from error

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._streams = await asyncio.open_connection(*self._place)
        return self._streams

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, str, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(start.split()[1]), headers["x-amzn-requestid"], json.loads(body) if body else None


@dataclass
class Quota:
    """How many creates are still to be answered."""

    left: int


class Customer:
    """Does one thing after the other; what it opened is its own alone."""

    def __init__(
        self, spec: Spec, connection: Connection, quota: Quota, history: IO[str], seed: int
    ) -> None:
        self._spec = spec
        self._connection = connection
        self._quota = quota
        self._history = history
        self._draw = random.Random(seed)
        self._open: list[tuple[str, str]] = []

    async def live(self) -> None:
        while self._quota.left > 0:
            turn = self._draw.random()
            if not self._open or turn >= GET:
                await self._create()
            elif turn < CLOSE:
                await self._close()
            else:
                await self._touch(update=turn < UPDATE)
        self._connection.close()

    async def _create(self) -> None:
        connector = self._draw.choice(self._spec.connectors)
        pair = self._draw.sample(self._spec.people, 2)
        content: dict[str, Any] = {"ParticipantPhoneNumbers": pair, "Capabilities": ["Voice"]}
        behaviour = self._draw.choice([None, None, "PreferSticky", "AvoidSticky"])
        if behaviour:
            content["NumberSelectionBehavior"] = behaviour
        minutes = self._draw.choice([None, 1, 2, 720])
        if minutes:
            content["ExpiryMinutes"] = minutes
        fact = {"kind": "create", "connector": connector, "pair": pair, "minutes": minutes}
        answer = await self._ask(
            fact, "POST", f"/voice-connectors/{connector}/proxy-sessions", content
        )
        self._quota.left -= fact["status"] is not None
        if fact["status"] == 201:
            session = answer["ProxySession"]
            fact["session"] = session["ProxySessionId"]
            fact["numbers"] = {
                each["PhoneNumber"]: each["ProxyPhoneNumber"] for each in session["Participants"]
            }
            self._open.append((connector, session["ProxySessionId"]))
        self._write(fact)

    async def _close(self) -> None:
        connector, session = self._open.pop(self._draw.randrange(len(self._open)))
        fact = {"kind": "delete", "session": session}
        target = f"/voice-connectors/{connector}/proxy-sessions/{session}"
        await self._ask(fact, "DELETE", target, None)
        self._write(fact)

    async def _touch(self, update: bool) -> None:
        connector, session = self._draw.choice(self._open)
        target = f"/voice-connectors/{connector}/proxy-sessions/{session}"
        if update:
            minutes = self._draw.choice([1, 720])
            fact = {"kind": "update", "session": session, "minutes": minutes}
            await self._ask(
                fact, "POST", target, {"Capabilities": ["SMS"], "ExpiryMinutes": minutes}
            )
        else:
            fact = {"kind": "get", "session": session}
            await self._ask(fact, "GET", target, None)
        self._write(fact)

    async def _ask(self, fact: dict[str, Any], method: str, target: str, content: Any) -> Any:
        """The answer's content; None when none came, or the answer has none."""
        fact["sent"] = time.time_ns() // 1_000_000
        try:
            fact["status"], fact["request"], answer = await self._connection.ask(
                method, target, content
            )
        except OSError:  # killed; it is being started again
            fact["status"] = None
            await asyncio.sleep(0.1)
            return None
        fact["answered"] = math.ceil(time.time_ns() / 1_000_000)
        if fact["status"] >= 400:
            fact["code"] = answer["Code"]
        return answer

    def _write(self, fact: dict[str, Any]) -> None:
        self._history.write(json.dumps(fact) + "\n")


async def play(spec: Spec) -> None:
    key = AccessKey(spec.key_id, spec.secret)
    with Path(spec.history).open("w", buffering=1) as history:  # who kills reads along
        customers = []
        for place, url in enumerate(spec.urls):
            quota = Quota(spec.creates)
            customers += [
                Customer(spec, Connection(url, key), quota, history, hash((spec.seed, place, each)))
                for each in range(spec.at_once)
            ]
        await asyncio.gather(*(customer.live() for customer in customers))


if __name__ == "__main__":
    asyncio.run(play(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Spec)))
