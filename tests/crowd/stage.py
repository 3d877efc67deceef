"""Puts a crowd on a stage: processes of the service, customers before them, now and then a kill."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from acceptance.service import Service, until
from installation import Installation

from crowd.client import Spec
from crowd.history import Fact, Stored
from maskline.store import open_store
from maskline.store.transfer import source

NUMBERS = [f"+191355501{number:02}" for number in range(20)]
PEOPLE = [f"+120655501{number:02}" for number in range(24)]
RESTING = [f"+160455501{number:02}" for number in range(8)]  # of the connector that lets them rest
SEEDED = 60
FIRST_OUT = 200  # milliseconds after which the first of them runs out; the last: a minute
CUSTOMERS_OF_A_CLIENT = 4  # services that one process of customers goes to
LEAST_LINE = 100  # octets of a history, for each create

Client = tuple["subprocess.Popen[bytes]", Path]  # a process of customers, and its history


@dataclass
class Stage:
    """A store with two pools and three connectors, and how many play on it: `creates` at each of
    the `processes`, and how often one of them is killed."""

    folder: Path
    url: str
    processes: int
    creates: int
    kills: int = 0
    at_once: int = 8
    seed: int = 1
    connectors: list[str] = field(default_factory=list)

    @property
    def key(self) -> Path:
        path = self.url.removeprefix("sqlite:")
        return self.folder / "store.key" if path == self.url else Path(f"{path}.key")

    def prepare(self) -> None:
        """Makes everything, and sessions that run out one by one, each a tenth later than the one
        before: before the services are up, and some of them while the others play, whether that
        begins soon and is short or is on a slow machine."""
        store = open_store(self.url, self.key)
        installation = Installation(store)

        async def furnish() -> None:
            self.connectors.append(await installation.prepare(*NUMBERS))
            self.connectors.append(await installation.connector())
            await installation.call(
                "PutVoiceConnectorRules",
                "maskline",
                VoiceConnectorId=self.connectors[1],
                NumberAssignment="per_participant",
            )
            self.connectors.append(await self._resting(installation))
            draw = random.Random(self.seed)
            for number in range(SEEDED):
                later = int(FIRST_OUT * 1.1**number)
                installation.now = time.time_ns() // 1_000_000 - 60_000 + later
                await installation.open(
                    self.connectors[0], *draw.sample(PEOPLE, 2), ExpiryMinutes=1
                )

        asyncio.run(furnish())
        store.close()
        assert installation.credentials is not None
        self.credentials = installation.credentials

    async def _resting(self, installation: Installation) -> str:
        """A connector whose numbers, its alone, rest for a minute."""
        connector = await installation.connector()
        await installation.call(
            "ImportPhoneNumbers",
            "maskline",
            CarrierName="acme",
            E164PhoneNumbers=RESTING,
            Shared=True,
        )
        await installation.call(
            "PutVoiceConnectorProxy",
            VoiceConnectorId=connector,
            DefaultSessionExpiryMinutes=60,
            PhoneNumberPoolCountries=["CA"],
        )
        await installation.call(
            "PutVoiceConnectorRules", "maskline", VoiceConnectorId=connector, NumberRestMinutes=1
        )
        return connector

    def play(self) -> list[Fact]:
        """All that the customers saw."""
        with self._services() as services:
            clients = [*self._clients(services)]
            draw = random.Random(self.seed)
            least = self.processes * self.creates * LEAST_LINE
            for kill in range(1, self.kills + 1):
                self._until_written(clients, kill * least // (self.kills + 1))
                victim = draw.choice(services)
                # Its guard starts it again.
                os.kill(until(lambda victim=victim: victim.pid), signal.SIGKILL)
            ended = [client.wait() for client, _ in clients]
        assert not any(ended), ended
        lines = [line for _, history in clients for line in history.read_text().splitlines()]
        return [json.loads(line) for line in lines]

    def _until_written(self, clients: list[Client], octets: int) -> None:
        """Waits until the customers have written down so much of what they saw."""
        while sum(size_of(history) for _, history in clients) < octets:
            assert any(client.poll() is None for client, _ in clients), "they are gone"
            time.sleep(0.02)

    @contextmanager
    def _services(self) -> Iterator[list[Service]]:
        settings = f'store.url = "{self.url}"\nstore.key = "{self.key}"\n'
        services = []
        try:
            for number in range(self.processes):
                own = self.folder / f"process-{number}"
                own.mkdir()
                services.append(Service(own, more_settings=settings, role="api"))
                services[-1].start()
            yield services
            # The last one killed may not be back yet.
            until(lambda: all(service.health()[0] == 200 for service in services))
        finally:
            statuses = [service.stop() for service in services]
        assert not any(statuses), [service.log for service in services]

    def _clients(self, services: list[Service]) -> Iterator[Client]:
        for first in range(0, len(services), CUSTOMERS_OF_A_CLIENT):
            history = self.folder / f"history-{first}"
            spec = Spec(
                urls=[each.url for each in services[first : first + CUSTOMERS_OF_A_CLIENT]],
                key_id=self.credentials.access_key_id,
                secret=self.credentials.secret_access_key,
                connectors=self.connectors,
                people=PEOPLE,
                creates=self.creates,
                at_once=self.at_once,
                seed=self.seed + first,
                history=str(history),
            )
            file = self.folder / f"spec-{first}"
            file.write_bytes(msgspec.json.encode(spec))
            command = [sys.executable, "-m", "crowd.client", str(file)]
            yield subprocess.Popen(command, cwd=Path(__file__).parents[1]), history

    def stored(self) -> Stored:
        """Every row of what was stored."""
        read_at = time.time_ns() // 1_000_000
        with source(self.url, self.key) as side:
            tables = {
                table.table: [
                    dict(zip(table.columns, row, strict=True)) for row in side.rows(table)
                ]
                for table in side.tables()
                if table.table in ("proxy_sessions", "claims", "phone_numbers", "audit_records")
            }
        shared, own, resting = self.connectors
        return Stored(
            sessions={row["proxy_session_id"]: row for row in tables["proxy_sessions"]},
            claims={(row["participant"], row["proxy_number"]): row for row in tables["claims"]},
            counters={row["phone_number"]: row["open_sessions"] for row in tables["phone_numbers"]},
            audited={row["request_id"]: row["outcome"] for row in tables["audit_records"]},
            pools=dict.fromkeys((shared, own), frozenset(NUMBERS)) | {resting: frozenset(RESTING)},
            rests={resting: 60_000},
            per_participant=frozenset((own,)),
            read_at=read_at,
        )


def size_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
