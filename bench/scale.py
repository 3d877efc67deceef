"""What the control API costs as open sessions and pools grow, on SQLite and on PostgreSQL.

A database for each number of open sessions, which are spread evenly over a connector for each size
of pool; a service on each. All are measured in turns, so that what disturbs one disturbs the other.
The people are those who have sessions already, five each; sessions are read, changed and listed
wherever they are. Of each connector some fifty sessions are in a call, and as many more are closed.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from api import CAPABILITIES, asked, doubt, sessions_of
from cluster import Cluster
from filling import Database, Filled, fill
from load import IN_FLIGHT, Api, Reading
from processes import cpu_seconds, descendants
from report import Report, middle

LISTS = {"list": "", "list closed": "&status=Closed", "list in call": "&status=InProgress"}
OPERATIONS = ("create", "get", *LISTS, "update")
PAGE = 100
GROWTH = 1.5  # what the largest may cost of the smallest


@dataclass(frozen=True)
class Scale:
    """Open sessions of each database, sizes of the pools, rounds, and requests in each."""

    sessions: tuple[int, ...]
    pools: tuple[int, ...]
    rounds: int
    requests: int


FULL = Scale((1_000, 100_000, 1_000_000), (100, 10_000, 100_000), 3, 600)
SHORT = Scale((100, 1_000), (100, 200), 1, 64)

Readings = dict[tuple[str, int, int], Reading]


class Subject:
    """A service over a filled database."""

    def __init__(self, api: Api, database: Database, server: Callable[[], list[int]]) -> None:
        self.api = api
        self.database = database
        self._server = server
        self._dice = random.Random(1)

    def cpu(self) -> float:
        """Seconds of CPU of the service, and of the database's server where there is one."""
        return self.api.cpu() + cpu_seconds(self._server())

    def requests(self, operation: str, connector: Filled, many: int) -> list[bytes]:
        if operation in LISTS:
            many = max(1, many // 8)
        return [self._request(operation, connector) for _ in range(many)]

    def _request(self, operation: str, connector: Filled) -> bytes:
        sessions = sessions_of(connector)
        session = f"{sessions}/{connector.session_id(self._dice.randrange(connector.sessions))}"
        match operation:
            case "create":
                a, b = (self._dice.randrange(connector.people) for _ in range(2))
                return self.api.ask("POST", sessions, asked(*connector.pair(a, b)))
            case "get":
                return self.api.ask("GET", session)
            case "list" | "list closed" | "list in call":
                query = f"max-results={PAGE}{LISTS[operation]}"
                return self.api.ask("GET", f"{sessions}?{query}")
            case _:
                return self.api.ask("POST", session, {"Capabilities": CAPABILITIES})


def measure(folder: Path, short: bool, report: Report) -> None:
    scale = SHORT if short else FULL
    for name, stores in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with stores(folder) as (url_of, server), ExitStack() as running:
            subjects = [
                running.enter_context(subject(folder, f"{name}-{sessions}", sessions, scale,
                                              url_of, server))
                for sessions in scale.sessions
            ]  # fmt: skip
            readings = measure_in_turns(subjects, scale)
        tell(name, readings, scale, report)


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[Callable[[str], str], Callable[[], list[int]]]]:
    yield (lambda name: f"sqlite:{folder / name}.db"), list


@contextmanager
def postgresql(_folder: Path) -> Iterator[tuple[Callable[[str], str], Callable[[], list[int]]]]:
    cluster = Cluster(durable=True)
    try:
        yield (lambda _name: cluster.new_database()), (lambda: descendants(cluster.pid))
    finally:
        cluster.stop()


@contextmanager
def subject(
    folder: Path,
    name: str,
    sessions: int,
    scale: Scale,
    url_of: Callable[[str], str],
    server: Callable[[], list[int]],
) -> Iterator[Subject]:
    database = fill(url_of(name), folder / f"{name}.key", sessions, list(scale.pools))
    api = Api(folder / name, database.url, database.key_file, database.key)
    with api.running():
        yield Subject(api, database, server)


def measure_in_turns(subjects: list[Subject], scale: Scale) -> Readings:
    readings: Readings = {}
    for warm in (True, *[False] * scale.rounds):
        for operation, place, each in itertools.product(
            OPERATIONS, range(len(scale.pools)), subjects
        ):
            connector = each.database.connectors[place]
            key = operation, each.database.sessions, connector.pool
            requests = each.requests(operation, connector, IN_FLIGHT if warm else scale.requests)
            reading = Reading() if warm else readings.setdefault(key, Reading())
            each.api.send(requests, reading, each.cpu)
    return readings


def tell(name: str, readings: Readings, scale: Scale, report: Report) -> None:
    report.heading(f"API on {name}: requests/s, {IN_FLIGHT} in flight, by open sessions and pool")
    headings = ["", "pool", *(f"{sessions} open" for sessions in scale.sessions)]
    shapes = [(operation, pool) for operation in OPERATIONS for pool in scale.pools]

    def table(figure: Callable[[Reading], float], ratio: str) -> None:
        rows = []
        for operation, pool in shapes:
            values = [figure(readings[operation, sessions, pool]) for sessions in scale.sessions]
            rows.append(
                [operation, str(pool), *(f"{value:.0f}" for value in values),
                 f"{values[-1] / values[0]:.2f}"]
            )  # fmt: skip
        report.table([*headings, ratio], rows)

    table(lambda reading: middle(reading.per_second), "most / fewest")
    report.say("", "CPU µs per request, of the service and of the database's server:", "")
    table(lambda reading: middle(reading.cpu), "most / fewest")
    worst = max(
        middle(readings[operation, scale.sessions[-1], pool].cpu)
        / middle(readings[operation, scale.sessions[0], pool].cpu)
        for operation, pool in shapes
        if operation in ("create", "get")
    )
    verdict = "within" if worst <= GROWTH else "BEYOND"
    report.say(
        "",
        f"create and get with {scale.sessions[-1]} open sessions cost at most {worst:.2f} × the"
        f" CPU of {scale.sessions[0]}: {verdict} the bound of {GROWTH}",
    )
    doubt(report, {f"{name}, {' '.join(map(str, key))}": each for key, each in readings.items()})
