"""How many texts a second Maskline relays, durably, and what each costs.

    python bench/texts.py --texts 20000

A text comes by SMPP (deliver_sm), is kept and acknowledged, goes out by SMPP (submit_sm), and its
receipt is kept and acknowledged: six PDUs. The carrier is a process of its own on the same machine;
its CPU is shown, and counts for nobody.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from acceptance.service import Service
from cluster import Cluster
from kannel import bind, kannel
from processes import Meter
from report import Report
from text_ground import PROXY, furnish, people, text_service

PAIRS = 1000
SHORT, FULL = 500, 30_000  # texts
WINDOW = 500


@dataclass(frozen=True)
class Result:
    """`cpu` is in seconds, by group of processes."""

    name: str
    texts: int
    seconds: float
    cpu: dict[str, float]
    peer_cpu: float

    def row(self) -> list[str]:
        cpu = sum(self.cpu.values())
        return [
            self.name,
            f"{self.texts / self.seconds:,.0f}",
            f"{cpu / self.texts * 1e6:.0f} µs",
            f"{cpu / self.seconds:.2f}",
            f"{self.peer_cpu / self.texts * 1e6:.0f} µs",
        ]


HEADINGS = ["", "texts/s", "CPU per text", "cores busy", "carrier's CPU per text"]


@contextmanager
def peer(folder: Path, texts: int) -> Iterator["subprocess.Popen[str]"]:
    """The carrier; it has printed nothing yet."""
    pairs = [(each[n], PROXY) for n in (0, 1) for each in people(PAIRS)]
    (folder / "pairs.json").write_text(json.dumps(pairs))
    program = Path(__file__).with_name("texts_peer.py")
    process = subprocess.Popen(
        [sys.executable, str(program), str(texts), str(folder / "pairs.json")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def go_on(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def told(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def relay(folder: Path, texts: int, cluster: Cluster | None = None) -> Result:
    """Maskline, on SQLite or on a server of PostgreSQL."""
    (folder / "data").mkdir()
    url, key = f"sqlite:{folder}/data/maskline.db", folder / "data" / "store.key"
    store = ""
    if cluster is not None:
        url = cluster.new_database()
        store = f'store.url = "{url}"\n'
    asyncio.run(furnish(url, key, PAIRS))
    with peer(folder, texts) as carrier:
        quiet = {"role": "sms", "log_level": "warning"}
        service = text_service(folder, told(carrier), store=store, window=WINDOW, **quiet)
        service.start()
        try:
            told(carrier)
            meter = Meter(lambda: groups(service, cluster))
            go_on(carrier)
            found = told(carrier)
            cpu = meter.spent()
        finally:
            service.stop()
    name = "Maskline on " + ("PostgreSQL" if cluster else "SQLite")
    return Result(name, texts, found["seconds"], cpu, found["cpu"])


def bearerbox(folder: Path, texts: int) -> Result:
    """Kannel's bearerbox, which sends what comes by one bind out by another, as it is."""
    with peer(folder, texts) as carrier:
        port = told(carrier)
        binds = [
            bind(port, smsc_id=one, reroute_smsc_id=other, max_pending_submits=WINDOW)
            for one, other in (("a", "b"), ("b", "a"))
        ]
        with kannel(folder, *binds, log_level=2) as box:
            told(carrier)
            meter = Meter(lambda: {"kannel": [box.pid]})
            go_on(carrier)
            found = told(carrier)
            cpu = meter.spent()
    return Result("Kannel, unmasked", texts, found["seconds"], cpu, found["cpu"])


def groups(service: Service, cluster: Cluster | None) -> dict[str, list[int]]:
    found = {"maskline": [service.pid]}
    if cluster is not None:
        found["postgresql"] = cluster.processes()
    return found


def measure(folder: Path, short: bool, report: Report) -> None:
    carry(folder, SHORT if short else FULL, report)


def carry(folder: Path, texts: int, report: Report) -> None:
    """Kannel and Maskline in turn, each with a carrier of its own."""
    cluster = Cluster(durable=True)
    try:
        results = [
            bearerbox(place(folder, "kannel"), texts),
            relay(place(folder, "sqlite"), texts),
            relay(place(folder, "postgresql"), texts, cluster),
        ]
    finally:
        cluster.stop()
    report.heading("Texts, relayed over SMPP")
    report.table(HEADINGS, [result.row() for result in results])
    report.say("", EXPLAINED)


EXPLAINED = """\
Maskline: a deliver_sm kept (flushed to disk) before it is answered, the text masked and submitted,
the answer and the receipt kept; six PDUs and three states a text. Kannel: bearerbox sends what it
gets by one bind out by another, as it is, keeps it in spool files that it does not flush, and asks
for no receipts; four PDUs. The CPU of PostgreSQL is counted, that of the carrier is not."""


def place(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=FULL)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        carry(Path(folder), parser.parse_args().texts, Report())


if __name__ == "__main__":
    main()
