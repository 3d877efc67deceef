"""Many processes open sessions for few people and few numbers in one PostgreSQL database.

    python bench/concurrency.py --processes 8 --creates 50000 --kill 2

Afterwards everything is read again: no two open sessions may share a participant's proxy number,
nothing that was answered may be missing, and whom the service refuses, for them no number is free.
Without --url it starts a PostgreSQL server of its own, which flushes to disk only with --durable.
"""

import argparse
import asyncio
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from cluster import Cluster
from installation import Installation

from maskline.domain.refusals import NoNumberFree
from maskline.store import open_store

NUMBERS = [f"+191355501{number:02}" for number in range(40)]
PEOPLE = [f"+120655501{number:02}" for number in range(60)]
IN_FLIGHT = 4
TRIALS = 200


async def work(house: Installation, connector: str, creates: int) -> None:
    """One process: prints a line for everything that was answered, and before what it deletes."""
    orders = iter(range(creates))

    async def client() -> None:
        mine: list[str] = []
        for _ in orders:
            try:
                session = await open_long(house, connector, random.sample(PEOPLE, 2))
            except NoNumberFree:
                print("refused", flush=True)
            else:
                people = [list(each.values()) for each in session["Participants"]]
                print("opened", session["ProxySessionId"], json.dumps(people), flush=True)
                mine.append(session["ProxySessionId"])
            if mine and random.random() < 0.5:
                chosen = mine.pop(random.randrange(len(mine)))
                print("closing", chosen, flush=True)
                await house.close(connector, chosen)
                print("closed", chosen, flush=True)

    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))


def play(command: list[str], folder: Path, processes: int, kill: int) -> list[str]:
    """Runs the processes, kills some in the midst of their work, and gives what they printed."""
    logs = [folder / f"{number}.log" for number in range(processes)]
    running = []
    for log in logs:
        with log.open("w") as output:
            running.append(subprocess.Popen([sys.executable, __file__, *command], stdout=output))
    for process, log in list(zip(running, logs, strict=True))[:kill]:
        while process.poll() is None and log.stat().st_size < 4000:
            time.sleep(0.01)
        process.kill()
    ended = [process.wait() for process in running]
    assert not any(ended[kill:]), f"processes failed: {ended}"
    # A line that a kill cut short was not answered.
    return [line for log in logs for line in log.read_text().splitlines(True) if line[-1] == "\n"]


async def examine(house: Installation, connector: str, lines: list[str]) -> Counter[str]:
    """Looks whether the store holds what was answered; gives the number of answers by kind."""
    told: dict[str, dict[str, Any]] = {"opened": {}, "closing": {}, "closed": {}}
    for line in lines:
        kind, *rest = line.split(maxsplit=2)
        if rest:
            told[kind][rest[0]] = json.loads(rest[1]) if len(rest) > 1 else None
    stored = await open_sessions(house, connector)
    held = [tuple(pair) for people in stored.values() for pair in people]
    assert len(held) == len(set(held)), "two open sessions share a participant's proxy number"
    for session_id, people in told["opened"].items():
        if session_id not in told["closing"]:
            assert sorted(stored[session_id]) == sorted(people), f"{session_id} was answered"
    assert not stored.keys() & told["closed"].keys(), "a closed session is open"
    taken = set(held)
    for _ in range(TRIALS):
        await try_one(house, connector, taken)
    kinds = Counter(line.split()[0] for line in lines)
    kinds["open now"] = len(stored)
    return kinds


async def open_sessions(house: Installation, connector: str) -> dict[str, list[list[str]]]:
    """The participants' numbers and proxy numbers of every open session."""
    rows = await house.store.read(
        lambda tx: tx.all(
            "list_open_proxy_sessions",
            voice_connector_id=connector,
            now=house.clock(),
            before=2**62,
            limit=10**9,
        )
    )
    sides = ("first", "second")
    return {
        row["proxy_session_id"]: [
            [row[f"{side}_number"], row[f"{side}_proxy_number"]] for side in sides
        ]
        for row in rows
    }


async def open_long(house: Installation, connector: str, pair: list[str]) -> dict[str, Any]:
    """For longer than the whole run: what was opened in its beginning is looked for at its end."""
    return await house.open(connector, *pair, ExpiryMinutes=720)


async def try_one(house: Installation, connector: str, taken: set[Any]) -> None:
    """Opens a session, or is refused, as what is taken allows."""
    pair = random.sample(PEOPLE, 2)
    free = [number for number in NUMBERS if not taken & set(itertools.product(pair, [number]))]
    try:
        session = await open_long(house, connector, pair)
    except NoNumberFree:
        assert not free, f"refused with {len(free)} numbers free"
    else:
        proxies = {each["ProxyPhoneNumber"] for each in session["Participants"]}
        assert proxies <= set(free), "a number was given that is taken"
        taken |= set(itertools.product(pair, proxies))


def measure(url: str, folder: Path, chosen: argparse.Namespace) -> None:
    key_file = folder / "key"
    store = open_store(url, key_file)
    house = Installation(store)
    connector = asyncio.run(house.prepare(*NUMBERS))
    command = ["--work", url, str(key_file), house.account_id, connector]
    began = time.monotonic()
    lines = play(
        [*command, "--creates", str(chosen.creates)], folder, chosen.processes, chosen.kill
    )
    seconds = time.monotonic() - began
    kinds = asyncio.run(examine(house, connector, lines))
    store.close()
    rate = (kinds["opened"] + kinds["refused"]) / seconds
    print(", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items())))
    print(
        f"{chosen.processes} processes, {seconds:.0f} s, {rate:.0f} creates a second; all is well"
    )


def run_work(url: str, key_file: str, account_id: str, connector: str, creates: int) -> None:
    store = open_store(url, Path(key_file))
    asyncio.run(work(Installation(store, account_id=account_id), connector, creates))
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", help="a new, empty database")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--creates", type=int, default=1000, help="by each process")
    parser.add_argument("--kill", type=int, default=0, help="how many of the processes to kill")
    parser.add_argument("--durable", action="store_true", help="flush to disk, as in earnest")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        run_work(*chosen.work, chosen.creates)
        return
    with tempfile.TemporaryDirectory() as folder:
        if chosen.url:
            measure(chosen.url, Path(folder), chosen)
            return
        cluster = Cluster(durable=chosen.durable)
        try:
            measure(cluster.new_database(), Path(folder), chosen)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
