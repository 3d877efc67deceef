"""What choosing a proxy number costs, as the open sessions and the pool grow.

Usage: python bench/selection.py [--sessions 1000,100000] [--pools 100,1000,10000] [--rest 0]

For each size it fills a database with open sessions between people of a population, then times
the work of CreateProxySession in one transaction, without the disk: choosing the number alone, and
everything. People come from three groups: `new` never had a session, `usual` are of the
population, `busy` is one number (a dispatcher) that takes part in half as many sessions as the
pool has numbers. With --rest, numbers rest so many minutes after each session; pool_numbers.py
shows how many a population needs then.
"""

import argparse
import functools
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from maskline.domain.connector import Assignment
from maskline.domain.selection import Behaviour, tiers
from maskline.operations import TABLE, Context, Policy, bootstrap_account
from maskline.operations.assignment import Rest, Wish, assign_numbers
from maskline.operations.batches import MOST_AT_ONCE
from maskline.store.secrets import Cipher
from maskline.store.sqlite import SqliteTransaction, connect, prepare

VOICE = "chime-sdk-voice"
BUSY = "+15035559999"
SAMPLES = 400

Pairs = Iterator[tuple[str, str]]


class House:
    """A database with one connector, filled by the operations themselves."""

    def __init__(self, path: Path, pool: int, rest: int = 0) -> None:
        self.connection = connect(path)
        self.connection.execute("PRAGMA synchronous = OFF")
        prepare(self.connection)
        self.tx = SqliteTransaction(self.connection, Cipher(bytes(range(64))))
        self.connection.execute("BEGIN")
        self.now = time.time_ns() // 1_000_000
        self.account_id = ""
        credentials = bootstrap_account(self.context())
        assert credentials is not None
        self.account_id = credentials.account_id
        numbers = [f"+1{206 + place // 10_000}{2_000_000 + place}" for place in range(pool)]
        for start in range(0, pool, MOST_AT_ONCE):
            some = numbers[start : start + MOST_AT_ONCE]
            request = {"CarrierName": "acme", "E164PhoneNumbers": some, "Shared": True}
            self.run("maskline", "ImportPhoneNumbers", request)
        made = self.run(VOICE, "CreateVoiceConnector", {"Name": "b", "RequireEncryption": False})
        self.connector = made["VoiceConnector"]["VoiceConnectorId"]
        self.run(
            VOICE,
            "PutVoiceConnectorProxy",
            {
                "VoiceConnectorId": self.connector,
                "DefaultSessionExpiryMinutes": 720,
                "PhoneNumberPoolCountries": ["US"],
            },
        )
        self.rest = Rest(own=rest, longest=rest)
        rules = {"VoiceConnectorId": self.connector, "NumberRestMinutes": rest}
        self.run("maskline", "PutVoiceConnectorRules", rules)

    def context(self) -> Context:
        return Context(
            tx=self.tx,
            account_id=self.account_id,
            now=self.now,
            new_id=lambda: str(uuid4()),
            policy=Policy(carriers=("acme",)),
        )

    def run(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self.now += 1
        return TABLE[service, operation].function(self.context(), request)

    def open(self, pair: tuple[str, str], behaviour: Behaviour | None = None) -> dict[str, Any]:
        request = {
            "VoiceConnectorId": self.connector,
            "ParticipantPhoneNumbers": list(pair),
            "Capabilities": ["Voice", "SMS"],
            "NumberSelectionBehavior": behaviour,
        }
        answer: dict[str, Any] = self.run(VOICE, "CreateProxySession", request)["ProxySession"]
        return answer

    def close(self, session: dict[str, Any]) -> None:
        ids = {key: session[key] for key in ("VoiceConnectorId", "ProxySessionId")}
        self.run(VOICE, "DeleteProxySession", ids)

    def fill(self, open_sessions: int, pool: int) -> list[str]:
        """Opens sessions, an eighth of them closed again; gives the population."""
        # Nobody takes part in more than about a quarter of what the pool can carry.
        population = max(200, open_sessions * 8 // min(pool, 400))
        people = [f"+1415{number:07}" for number in range(2_000_000, 2_000_000 + population)]
        pairs = among(people)
        for place in range(open_sessions * 8 // 7):
            made = self.open(next(pairs))
            if place % 8 == 0:
                self.close(made)
        for place in range(pool // 2):
            self.open((BUSY, f"+1503{2_000_000 + place}"))
        return people


def strangers() -> Iterator[str]:
    return (f"+1617{2_000_000 + place}" for place in itertools.count())


def timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e6


def measure(house: House, pairs: Pairs, behaviour: Behaviour | None) -> tuple[float, float]:
    """Median microseconds: choosing the number, and the whole operation."""
    choosing, whole = [], []
    for pair in itertools.islice(pairs, SAMPLES):
        wish = Wish(
            participants=pair,
            pools=(house.account_id,),
            tiers=tiers(None, ("US",)),
            countries=("US",),
            behaviour=behaviour,
            assignment=Assignment.SHARED,
            rest=house.rest,
            needed=frozenset(),
            fit=("acme",),
        )
        house.now += 1
        choosing.append(timed(functools.partial(assign_numbers, house.context(), wish)))
        whole.append(timed(functools.partial(house.open, pair, behaviour)))
    return statistics.median(choosing), statistics.median(whole)


def among(people: list[str]) -> Pairs:
    while True:
        first, second = random.sample(people, 2)
        yield first, second


def report(open_sessions: int, pool: int, rest: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder) / "bench.db", pool, rest)
        begin = time.perf_counter()
        people = house.fill(open_sessions, pool)
        filled = time.perf_counter() - begin
        new = strangers()
        cases: list[tuple[str, Pairs, Behaviour | None]] = [
            ("new", zip(new, new, strict=False), None),
            ("usual", among(people), None),
            ("sticky", among(people), Behaviour.PREFER_STICKY),
            ("avoid", among(people), Behaviour.AVOID_STICKY),
            ("busy", zip(itertools.repeat(BUSY), new, strict=False), None),
        ]
        for name, pairs, behaviour in cases:
            if name == "busy" and pool < 2 * SAMPLES:
                continue
            choosing, whole = measure(house, pairs, behaviour)
            print(f"{open_sessions:>9} {pool:>7} {name:>7} {choosing:>10.0f} {whole:>10.0f}")
        print(f"{'':>9} {'':>7} {'(filled at':>7} {open_sessions / filled:.0f} sessions/s)")
        house.connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", default="1000,100000")
    parser.add_argument("--pools", default="100,1000,10000")
    parser.add_argument("--rest", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(1)
    print(f"{'sessions':>9} {'pool':>7} {'people':>7} {'choose µs':>10} {'create µs':>10}")
    for open_sessions in map(int, arguments.sessions.split(",")):
        for pool in map(int, arguments.pools.split(",")):
            report(open_sessions, pool, arguments.rest)


if __name__ == "__main__":
    main()
