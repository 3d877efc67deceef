"""The control API: how fast it reads and writes, beside the least that any server would have to
do on this machine."""

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import uuid4

import processes
import uvloop
from acceptance.service import Service
from processes import Meter
from report import Report, middle, percentile

from maskline.cli.signer import AccessKey, sign
from maskline.store.sqlite import prepare
from maskline.store.statements import QUERIES

IN_FLIGHT = 32
LONGEST_SECONDS = 60.0
POOL = [f"+1206554{place:04}" for place in range(100)]


@dataclass(frozen=True)
class Scale:
    """Seconds and rounds of reading; how many sessions and rows are written."""

    seconds: int
    rounds: int
    sessions: int


FULL = Scale(4, 3, 6000)
SHORT = Scale(1, 1, 320)


@dataclass
class Reading:
    """Requests/s and the server's CPU µs per request, one of each for every round."""

    per_second: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def row(self, name: str) -> list[str]:
        return [name, f"{middle(self.per_second):.0f}", f"{middle(self.cpu):.0f}"]


def measure(service: Service, folder: Path, scale: Scale, report: Report) -> None:
    door = Door(service)
    first = door.create(0)
    reads(door, f"{door.sessions}/{first}", scale, report)
    writes(door, folder, scale, report)


class Door:
    """A connector with a large pool, and requests to it that are signed already."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.key = AccessKey(*service.credentials)
        self.host = f"127.0.0.1:{service.api_port}"
        service.maskline(
            "admin", "import-phone-numbers", "--carrier-name", "acme", "--shared",
            "--e164-phone-numbers", *POOL,
        )  # fmt: skip
        chime = service.client()
        made = chime.create_voice_connector(Name="api", RequireEncryption=False)
        self.connector = made["VoiceConnector"]["VoiceConnectorId"]
        self.sessions = f"/voice-connectors/{self.connector}/proxy-sessions"
        chime.put_voice_connector_proxy(
            VoiceConnectorId=self.connector,
            DefaultSessionExpiryMinutes=60,
            PhoneNumberPoolCountries=["US"],
        )

    def create(self, place: int) -> str:
        chime = self.service.client()
        made = chime.create_proxy_session(VoiceConnectorId=self.connector, **asked(place))
        session_id: str = made["ProxySession"]["ProxySessionId"]
        return session_id

    def signed(self, method: str, target: str, body: bytes = b"") -> dict[str, str]:
        headers = {"Host": self.host}
        if body:
            headers["Content-Type"] = "application/json"
        return sign(self.key, "us-east-1", method, target, headers, body)

    def creation(self, place: int) -> bytes:
        """A whole HTTP request for a session between two people who have none yet."""
        body = json.dumps(asked(place)).encode()
        headers = self.signed("POST", self.sessions, body)
        lines = [f"POST {self.sessions} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items())]
        lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body


def asked(place: int) -> dict[str, list[str]]:
    return {
        "ParticipantPhoneNumbers": [f"+1415{2_000_000 + place}", f"+1617{2_000_000 + place}"],
        "Capabilities": ["Voice", "SMS"],
    }


def reads(door: Door, session: str, scale: Scale, report: Report) -> None:
    """wrk in turns against both; the median of the rounds."""
    signed, health = Reading(), Reading()
    for _ in range(scale.rounds):
        wrk(door, "/health", {}, scale.seconds, health)
        # Signed anew in each round: a signature holds for five minutes.
        headers = door.signed("GET", session)
        wrk(door, session, headers, scale.seconds, signed)
    report.heading(f"API: reads, {IN_FLIGHT} connections")
    report.table(
        ["", "requests/s", "server CPU µs per request"],
        [health.row("/health"), signed.row("signed GetProxySession")],
    )
    rate = middle(signed.per_second) / middle(health.per_second)
    cpu = middle(signed.cpu) / middle(health.cpu)
    report.say("", f"GetProxySession / health: {rate:.2f} × the requests/s, {cpu:.2f} × the CPU")


def wrk(door: Door, target: str, headers: dict[str, str], seconds: int, reading: Reading) -> None:
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{IN_FLIGHT}", f"-d{seconds}s", *given, door.service.url + target]
    meter = Meter(lambda: own(door.service))
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cpu = meter.spent()["maskline"]
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    assert refused is None, f"{target}: {refused and refused[1]} requests were refused"
    requests = re.search(r"(\d+) requests in", done)
    per_second = re.search(r"Requests/sec:\s*([\d.]+)", done)
    assert requests is not None
    assert per_second is not None
    reading.per_second.append(float(per_second[1]))
    reading.cpu.append(cpu / int(requests[1]) * 1e6)


def own(service: Service) -> dict[str, list[int]]:
    return {"maskline": processes.service(service.process.pid)}


def writes(door: Door, folder: Path, scale: Scale, report: Report) -> None:
    requests = [door.creation(place) for place in range(1, scale.sessions + 1)]
    meter = Meter(lambda: own(door.service))
    ours = uvloop.run(send_all(door, requests))
    cpu = meter.spent()["maskline"] / scale.sessions * 1e6
    single = raw(folder / "single.db", scale.sessions // 8, 1)
    grouped = raw(folder / "grouped.db", scale.sessions, IN_FLIGHT)
    flushes = flush_times(folder / "flushes", scale.sessions // 20)
    report.heading(f"API: durable writes, {IN_FLIGHT} requests in flight")
    report.table(
        ["", "sessions/s", "CreateProxySession ×"],
        [
            ["CreateProxySession", f"{ours:.0f}", ""],
            ["sqlite3, a commit for each", f"{single:.0f}", f"{ours / single:.2f}"],
            [f"sqlite3, a commit for {IN_FLIGHT}", f"{grouped:.0f}", f"{ours / grouped:.2f}"],
        ],
    )
    report.say(
        "",
        f"server CPU of CreateProxySession: {cpu:.0f} µs; a flush of this disk (fdatasync of"
        f" 12 KiB): p50 {middle(flushes):.2f} ms, p99 {percentile(flushes, 0.99):.2f} ms",
    )


async def send_all(door: Door, requests: list[bytes]) -> float:
    """Answered requests/s, with as many in flight as there are connections."""
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    begin = time.monotonic()
    lines = [Line(waiting, loop.create_future()) for _ in range(IN_FLIGHT)]
    async with asyncio.timeout(LONGEST_SECONDS):
        for line in lines:
            await loop.create_connection(lambda line=line: line, "127.0.0.1", door.service.api_port)
        await asyncio.gather(*(line.done for line in lines))
    return len(requests) / (time.monotonic() - begin)


class Line(asyncio.Protocol):
    """A connection that sends its next request when the one before is answered."""

    def __init__(self, requests: Iterator[bytes], done: "asyncio.Future[None]") -> None:
        self.done = done
        self._requests = requests
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, _, body = self._answer.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        if length is None or len(body) < int(length[1]):
            return
        if not head.startswith(b"HTTP/1.1 201 "):
            self._end(RuntimeError(self._answer.decode()))
            return
        self._answer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._end(exc or ConnectionError("the server closed the connection"))

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._end(None)
        else:
            self._transport.write(request)

    def _end(self, error: Exception | None) -> None:
        if error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)
        self._transport.close()


def raw(path: Path, sessions: int, group: int) -> float:
    """Sessions/s of the bare driver: the rows that CreateProxySession leaves, in its tables, with
    `group` sessions in a commit, and nothing asked beforehand."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.row_factory = sqlite3.Row
    prepare(connection)
    rows = [session_row(place) for place in range(sessions)]
    begin = time.monotonic()
    for first in range(0, sessions, group):
        connection.execute("BEGIN IMMEDIATE")
        for session in rows[first : first + group]:
            for query in ("insert_proxy_session", "claim_numbers"):
                connection.execute(QUERIES[query], session)
        connection.execute("COMMIT")
    took = time.monotonic() - begin
    connection.close()
    return sessions / took


Row = dict[str, object]


def session_row(place: int) -> Row:
    """What a session's row and those of its two claims hold."""
    now, session_id = time.time_ns() // 1_000_000, str(uuid4())
    first, second = asked(place)["ParticipantPhoneNumbers"]
    number = POOL[place % len(POOL)]
    return {
        **dict.fromkeys(
            ("name", "number_selection_behavior", "geo_match_level", "geo_match_country",
             "geo_match_area_code"),
        ),
        "proxy_session_id": session_id, "account_id": "1" * 12,
        "voice_connector_id": "b" * 22, "expiry_minutes": 60, "capabilities": "SMS,Voice",
        "first_number": first, "first_proxy_number": number,
        "second_number": second, "second_proxy_number": number,
        "created_at": now, "updated_at": now, "expires_at": now + 3_600_000,
    }  # fmt: skip


def flush_times(path: Path, times: int) -> list[float]:
    """Milliseconds that each fdatasync takes after 12 KiB were appended."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        return [timed(lambda: flush(file)) for _ in range(times)]
    finally:
        os.close(file)


def flush(file: int) -> None:
    os.write(file, bytes(12_288))
    os.fdatasync(file)


def timed(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000
