"""Databases that hold many open sessions, filled by SQL with what the operations would have left.

Every pool belongs to a connector of its own. Person `a` of one half of a population talks to person
`a + r` of the other half, in each of a few rounds `r`, on number `2a + r` of the pool: so nobody
hears two sessions on one number, and everybody has as many sessions as there are rounds, however
large the population. Some sessions are in a call; some more, which are closed, hold nothing.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from installation import Installation

from maskline.store import open_store

ROUNDS = 5

# One text for both databases. `n` counts the sessions of a connector.
SERIES = """
WITH RECURSIVE series(n) AS (
    SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {sessions}
), placed(n, a, b, number) AS (
    SELECT n, n % {people}, (n % {people} + n / {people}) % {people},
        (2 * (n % {people}) + n / {people}) % {pool}
    FROM series
)
"""
SESSION_ID = """
    CAST(10000000 + (n * 48271 + {salt}) % 89999999 AS TEXT) || '-0000-4000-8000-'
        || CAST(100000000000 + n * 10 + {salt} AS TEXT)
"""
FIRST = "'+1415' || CAST(2000000 + {salt} * 1000000 + a AS TEXT)"
SECOND = "'+1617' || CAST(2000000 + {salt} * 1000000 + b AS TEXT)"
NUMBER = "'+1' || CAST({first_number} + number AS TEXT)"

STATEMENTS = [
    """
    INSERT INTO phone_numbers
        (phone_number, account_id, carrier, shared, country, area_code, toll_free,
         voice_connector_id, associated_at, created_at, updated_at)
    WITH RECURSIVE series(number) AS (
        SELECT CAST(0 AS BIGINT) UNION ALL SELECT number + 1 FROM series WHERE number + 1 < {pool}
    )
    SELECT """ + NUMBER + """, '{account_id}', 'acme', 0, 'US',
        substr(CAST({first_number} + number AS TEXT), 1, 3), 0, '{connector}', {now}, {now}, {now}
    FROM series
    """,
    SERIES + """
    INSERT INTO proxy_sessions
        (proxy_session_id, account_id, voice_connector_id, name, expiry_minutes, capabilities,
         first_number, first_proxy_number, second_number, second_proxy_number,
         created_at, updated_at, expires_at)
    SELECT """ + SESSION_ID + """, '{account_id}', '{connector}', NULL, 720, 'SMS,Voice',
        """ + FIRST + ", " + NUMBER + ", " + SECOND + ", " + NUMBER + """,
        {now} + n / 100, {now} + n / 100, {now} + n / 100 + 720 * 60000
    FROM placed
    """,
    """
    INSERT INTO claims (participant, proxy_number, proxy_session_id, held_until)
    SELECT first_number, first_proxy_number, proxy_session_id, expires_at
    FROM proxy_sessions WHERE voice_connector_id = '{connector}'
    UNION ALL
    SELECT second_number, second_proxy_number, proxy_session_id, expires_at
    FROM proxy_sessions WHERE voice_connector_id = '{connector}'
    """,
    """
    INSERT INTO pair_numbers (participant, peer, proxy_number, used_at)
    SELECT first_number, second_number, first_proxy_number, created_at
    FROM proxy_sessions WHERE voice_connector_id = '{connector}'
    UNION ALL
    SELECT second_number, first_number, second_proxy_number, created_at
    FROM proxy_sessions WHERE voice_connector_id = '{connector}'
    """,
    """
    INSERT INTO audit_records
        (account_id, access_key_id, recorded_at, action, resource, request_id, outcome)
    SELECT account_id, 'AKIA0000000000000000', created_at, 'chime:CreateProxySession',
        'arn:aws:chime:us-east-1:' || account_id || ':vc/{connector}/proxy-session/'
            || proxy_session_id, proxy_session_id, 'Success'
    FROM proxy_sessions WHERE voice_connector_id = '{connector}'
    """,
    """
    INSERT INTO calls
        (call_id, account_id, voice_connector_id, proxy_session_id, carrier, caller, dialled,
         decision, reason, received_at, forwarded_at, answered_at, legs, max_call_seconds)
    SELECT proxy_session_id, account_id, voice_connector_id, proxy_session_id, 'acme',
        first_number, first_proxy_number, 'Connect', 'session', created_at, created_at, created_at,
        '[]', 14400
    FROM proxy_sessions WHERE voice_connector_id = '{connector}' ORDER BY sequence LIMIT 50
    """,
    """
    INSERT INTO proxy_sessions
        (proxy_session_id, account_id, voice_connector_id, expiry_minutes, capabilities,
         first_number, first_proxy_number, second_number, second_proxy_number,
         created_at, updated_at, expires_at, ended_at)
    SELECT '0' || substr(proxy_session_id, 2), account_id, voice_connector_id, expiry_minutes,
        capabilities, first_number, first_proxy_number, second_number, second_proxy_number,
        created_at, updated_at, expires_at, created_at
    FROM proxy_sessions WHERE voice_connector_id = '{connector}' ORDER BY sequence LIMIT 50
    """,
    """
    UPDATE phone_numbers SET open_sessions = used.sessions, last_assigned_at = used.latest
    FROM (
        SELECT first_proxy_number, count(*) AS sessions, max(created_at) AS latest
        FROM proxy_sessions WHERE voice_connector_id = '{connector}' AND ended_at IS NULL
        GROUP BY first_proxy_number
    ) AS used
    WHERE phone_number = used.first_proxy_number
    """,
]  # fmt: skip


@dataclass(frozen=True)
class Filled:
    """A connector with a pool, and how to name its sessions."""

    connector: str
    pool: int
    salt: int
    sessions: int

    @property
    def people(self) -> int:
        return max(1, self.sessions // ROUNDS)

    def pair(self, a: int, b: int) -> tuple[str, str]:
        """Somebody of each half of the population."""
        base = 2_000_000 + self.salt * 1_000_000
        return f"+1415{base + a}", f"+1617{base + b}"

    def session_id(self, n: int) -> str:
        scrambled = 10_000_000 + (n * 48271 + self.salt) % 89_999_999
        return f"{scrambled}-0000-4000-8000-{100_000_000_000 + n * 10 + self.salt}"


@dataclass(frozen=True)
class Database:
    """A filled database; `key` is the id and secret of its operator's access key."""

    url: str
    key_file: Path
    sessions: int
    key: tuple[str, str]
    connectors: list[Filled]


def fill(url: str, key_file: Path, sessions: int, pools: list[int]) -> Database:
    """Fills a new database with that many open sessions, spread evenly over the pools."""
    connectors, key, statements = asyncio.run(prepare(url, key_file, sessions, pools))
    with connected(url) as execute:
        for statement in statements:
            execute(statement)
    return Database(url, key_file, sessions, key, connectors)


async def prepare(
    url: str, key_file: Path, sessions: int, pools: list[int]
) -> tuple[list[Filled], tuple[str, str], list[str]]:
    store = open_store(url, key_file)
    house = Installation(store)
    await house.prepare()
    assert house.credentials is not None
    connectors, statements = [], []
    for salt, pool in enumerate(pools):
        first_number = 2_062_000_000 + salt * 1_000_000
        filled = Filled(await house.connector(), pool, salt, max(1, sessions // len(pools)))
        values = {
            "sessions": filled.sessions, "people": filled.people, "pool": pool,
            "salt": salt, "first_number": first_number, "connector": filled.connector,
            "account_id": house.account_id, "now": house.clock(),
        }  # fmt: skip
        connectors.append(filled)
        statements += [statement.format(**values) for statement in STATEMENTS]
    store.close()
    credentials = house.credentials
    return connectors, (credentials.access_key_id, credentials.secret_access_key), statements


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """Runs statements, each in a transaction of its own, and lets the database look at itself."""
    if url.startswith("sqlite:"):
        connection = sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -500000")
        yield connection.execute
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    else:
        with psycopg.connect(url, autocommit=True) as server:
            yield lambda text: server.execute(text.encode())
            server.execute(b"VACUUM ANALYZE")
