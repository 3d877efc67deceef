"""The control API on SQLite: how fast it reads and writes, beside the least that any server would
have to do on this machine."""

import itertools
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from filling import Filled, fill
from load import IN_FLIGHT, Api, Reading, wrk
from report import Report, middle, percentile

from maskline.operations.assignment import Rest
from maskline.store.sqlite import prepare
from maskline.store.statements import QUERIES

POOL = 100
CAPABILITIES = ["Voice", "SMS"]


@dataclass(frozen=True)
class Scale:
    """Seconds and rounds of reading; how many sessions are opened in each round."""

    seconds: int
    rounds: int
    sessions: int


FULL = Scale(4, 5, 2000)
SHORT = Scale(1, 1, 320)


def measure(folder: Path, short: bool, report: Report) -> None:
    scale = SHORT if short else FULL
    database = fill(f"sqlite:{folder / 'api.db'}", folder / "key", 100, [POOL])
    api = Api(folder / "api", database.url, database.key_file, database.key)
    with api.running():
        reads(api, database.connectors[0], scale, report)
        writes(api, database.connectors[0], folder, scale, report)


def reads(api: Api, connector: Filled, scale: Scale, report: Report) -> None:
    """wrk in turns against both; the median of the rounds."""
    signed, health = Reading(), Reading()
    session = f"{sessions_of(connector)}/{connector.session_id(0)}"
    url = f"http://{api.host}"
    for _ in range(scale.rounds):
        wrk(f"{url}/health", {}, scale.seconds, health, api.cpu)
        # Signed anew in each round: a signature holds for five minutes.
        headers = api.signed("GET", session)
        wrk(url + session, headers, scale.seconds, signed, api.cpu)
    report.heading(f"API: reads, {IN_FLIGHT} connections")
    report.table(
        ["", "requests/s", "server CPU µs per request"],
        [health.row("/health"), signed.row("signed GetProxySession")],
    )
    rate = middle(signed.per_second) / middle(health.per_second)
    cpu = middle(signed.cpu) / middle(health.cpu)
    report.say("", f"GetProxySession / health: {rate:.2f} × the requests/s, {cpu:.2f} × the CPU")
    doubt(report, {"/health": health, "GetProxySession": signed})


def doubt(report: Report, readings: dict[str, Reading]) -> None:
    for name, reading in readings.items():
        if not reading.sound:
            low, high = min(reading.cpu), max(reading.cpu)
            report.say("", f"NOT SOUND, {name}: CPU of its rounds from {low:.0f} to {high:.0f} µs")


def sessions_of(connector: Filled) -> str:
    return f"/voice-connectors/{connector.connector}/proxy-sessions"


def asked(first: str, second: str) -> dict[str, list[str]]:
    return {"ParticipantPhoneNumbers": [first, second], "Capabilities": CAPABILITIES}


def strangers() -> Iterator[tuple[str, str]]:
    """Pairs who have no session yet."""
    return ((f"+1503{2_000_000 + n}", f"+1404{2_000_000 + n}") for n in itertools.count())


def writes(api: Api, connector: Filled, folder: Path, scale: Scale, report: Report) -> None:
    """Ours and the bare driver in turns; the median of the rounds."""
    ours, pairs = Reading(), strangers()
    single: list[float] = []
    grouped: list[float] = []
    with raw(folder / "raw.db") as opened:
        for _ in range(scale.rounds):
            chosen = itertools.islice(pairs, scale.sessions)
            target = sessions_of(connector)
            api.send([api.ask("POST", target, asked(*pair)) for pair in chosen], ours)
            single.append(opened(scale.sessions // 8, 1))
            grouped.append(opened(scale.sessions, IN_FLIGHT))
    flushes = flush_times(folder / "flushes", scale.sessions // 20)
    rate = middle(ours.per_second)
    report.heading(f"API: durable writes, {IN_FLIGHT} requests in flight")
    report.table(
        ["", "sessions/s", "CreateProxySession ×"],
        [
            ["CreateProxySession", f"{rate:.0f}", ""],
            bare_row("sqlite3, a commit for each", middle(single), rate),
            bare_row(f"sqlite3, a commit for {IN_FLIGHT}", middle(grouped), rate),
        ],
    )
    report.say(
        "",
        f"server CPU of CreateProxySession: {middle(ours.cpu):.0f} µs; a flush of this disk"
        f" (fdatasync of 12 KiB): p50 {middle(flushes):.2f} ms,"
        f" p99 {percentile(flushes, 0.99):.2f} ms",
    )
    doubt(report, {"CreateProxySession": ours})


def bare_row(name: str, rate: float, ours: float) -> list[str]:
    return [name, f"{rate:.0f}", f"{ours / rate:.2f}"]


@contextmanager
def raw(path: Path) -> Iterator[Callable[[int, int], float]]:
    """The bare driver: gives sessions/s of writing the rows that CreateProxySession leaves, in its
    tables, so many in all and so many in a commit, with nothing asked beforehand."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.row_factory = sqlite3.Row
    prepare(connection)
    pairs = strangers()

    def opened(sessions: int, group: int) -> float:
        rows = [session_row(*pair) for pair in itertools.islice(pairs, sessions)]
        begin = time.monotonic()
        for first in range(0, sessions, group):
            connection.execute("BEGIN IMMEDIATE")
            for session in rows[first : first + group]:
                for query in ("insert_proxy_session", "claim_numbers", "remember_pair_numbers"):
                    connection.execute(QUERIES[query], session)
            connection.execute("COMMIT")
        return sessions / (time.monotonic() - begin)

    yield opened
    connection.close()


def session_row(first: str, second: str) -> dict[str, object]:
    """What a session's row and those of its two claims hold."""
    now = time.time_ns() // 1_000_000
    number = f"+1206{2_000_000 + int(first[-2:])}"
    return {
        **dict.fromkeys(
            ("name", "number_selection_behavior", "geo_match_level", "geo_match_country",
             "geo_match_area_code"),
        ),
        "proxy_session_id": str(uuid4()), "account_id": "1" * 12,
        "voice_connector_id": "b" * 22, "expiry_minutes": 60, "capabilities": "SMS,Voice",
        "first_number": first, "first_proxy_number": number,
        "second_number": second, "second_proxy_number": number,
        "created_at": now, "updated_at": now, "expires_at": now + 3_600_000,
        **Rest().bounds(now),
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
