"""Operations through a real store, many at once."""

import asyncio
import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cluster import Cluster
from desk import START
from installation import NUMBERS, Installation

from maskline.clock import HOUR
from maskline.domain.call import CallEvent, Happening
from maskline.domain.refusals import Forbidden, NoNumberFree, Unavailable
from maskline.operations import Context, calls, proxy_sessions, settle_expired_sessions
from maskline.operations.assignment import Wish
from maskline.operations.calls import Told, decide_call, open_record
from maskline.store import Store, Transaction, open_store, postgresql
from maskline.store.greenlets import awaited

WAITING = b"""
    SELECT 1 FROM pg_locks
    WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND NOT granted
        AND classid::bigint << 32 | objid::bigint = %s
"""
SOMEBODY_WAITS = b"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
PEOPLE = [f"+1206555010{digit}" for digit in range(8)]


async def test_two_open_sessions_never_share_a_participant_and_a_number(
    store_url: str, tmp_path: Path
) -> None:
    store = open_store(store_url, tmp_path / "key")
    installation = Installation(store, now=START)
    connector = await installation.prepare(*NUMBERS)
    outcomes: Counter[str] = Counter()

    async def client(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(30):
            try:
                session = await installation.open(connector, *draw.sample(PEOPLE, 2))
            except NoNumberFree:
                outcomes["refused"] += 1
                continue
            outcomes["made"] += 1
            if draw.random() < 0.5:
                await installation.close(connector, session["ProxySessionId"])

    await asyncio.gather(*(client(seed) for seed in range(16)))
    held = await open_pairs(store, connector)
    store.close()
    assert outcomes["made"] + outcomes["refused"] == 16 * 30
    assert min(outcomes.values()) > 20
    assert len(held) == len(set(held)) > 0


async def test_a_number_that_rests_is_given_to_no_third_person_however_many_ask(
    store_url: str, tmp_path: Path
) -> None:
    """Time stands still: once Ann had a number with Ben, it is theirs."""
    store = open_store(store_url, tmp_path / "key")
    installation = Installation(store, now=START)
    connector = await installation.prepare(*NUMBERS)
    other = await installation.connector()
    await rest(installation, connector)
    await rest(installation, other, 1)
    peers: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    outcomes: Counter[str] = Counter()

    async def client(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(20):
            where, pair = draw.choice([connector, other]), draw.sample(PEOPLE, 2)
            try:
                session = await installation.open(where, *pair)
            except NoNumberFree:
                outcomes["refused"] += 1
                continue
            outcomes["again" if any(peers[use] for use in uses_of(session)) else "made"] += 1
            for person, number in uses_of(session):
                peers[person, number] |= {*pair} - {person}
            await installation.close(where, session["ProxySessionId"])

    await asyncio.gather(*(client(seed) for seed in range(12)))
    store.close()
    strange = {use: who for use, who in peers.items() if len(who) > 1}
    assert not strange, strange
    assert min(outcomes["made"], outcomes["again"], outcomes["refused"]) > 10


async def rest(installation: Installation, connector: str, minutes: int = 60) -> None:
    await installation.call(
        "PutVoiceConnectorRules",
        "maskline",
        VoiceConnectorId=connector,
        NumberRestMinutes=minutes,
    )


def uses_of(session: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["PhoneNumber"], each["ProxyPhoneNumber"]) for each in session["Participants"]]


@pytest.mark.parametrize("minutes", [0, 60])
async def test_who_looked_before_it_rested_cannot_claim_it(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """Even if nobody waited for anybody, which the locks on participants see to."""
    store = open_store(cluster.new_database(), tmp_path / "key")
    installation = Installation(store, now=START)
    connector = await installation.prepare(NUMBERS[0])
    await rest(installation, connector, minutes)
    found, go_on, find = asyncio.Event(), asyncio.Event(), proxy_sessions.assign_numbers

    def find_and_wait(context: Context, wish: Wish) -> tuple[str, str]:
        numbers = find(context, wish)
        if PEOPLE[2] in wish.participants:
            found.set()
            awaited(go_on.wait())
        return numbers

    monkeypatch.setattr(proxy_sessions, "assign_numbers", find_and_wait)
    monkeypatch.setattr(postgresql.PostgresqlTransaction, "lock", lambda *_, **__: START)
    late = asyncio.create_task(installation.open(connector, PEOPLE[0], PEOPLE[2]))
    await found.wait()
    session = await installation.open(connector, *PEOPLE[:2])
    await installation.close(connector, session["ProxySessionId"])
    go_on.set()
    if minutes:
        with pytest.raises(Unavailable):
            await late
    else:
        assert await late
    store.close()


async def test_a_call_that_is_recorded_while_its_session_expires_is_hung_up(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever records it has seen an open session, whoever notes the end no call."""
    installation, arrival = await with_a_session_that_hangs_up(cluster, tmp_path)
    store = installation.store
    _, call = await store.read(lambda tx: decide_call(installation.context(tx), arrival))
    seen, go_on, ended_of = asyncio.Event(), asyncio.Event(), calls.ended_of

    def look_and_wait(*given: Any) -> set[str]:
        found = ended_of(*given)
        seen.set()
        awaited(go_on.wait())
        return found

    monkeypatch.setattr(calls, "ended_of", look_and_wait)
    installation.now = START + HOUR
    recording = asyncio.create_task(
        store.write(lambda tx: open_record(installation.context(tx), call), beside=True)
    )
    await seen.wait()
    await settle(installation)
    go_on.set()
    await recording
    await settle(installation)
    recorded = await store.read(
        lambda tx: calls.recorded_call(installation.context(tx), call.call_id)
    )
    assert recorded is not None
    assert recorded.hang_up_at == START + HOUR
    store.close()


@pytest.mark.parametrize("name", ["the caller", "the call"])
async def test_a_session_on_which_somebody_works_expires_in_the_next_round(
    cluster: Cluster, tmp_path: Path, name: str
) -> None:
    """Nobody who has a call to record waits for the upkeep, nor it for him."""
    installation, arrival = await with_a_session_that_hangs_up(cluster, tmp_path)
    store = installation.store
    call_id = (await installation.call("RouteCall", "switch", **arrival))["CallId"]
    held, go_on = asyncio.Event(), asyncio.Event()

    def hold(tx: Transaction) -> None:
        tx.lock(PEOPLE[0] if name == "the caller" else call_id)
        held.set()
        awaited(go_on.wait())

    installation.now = START + HOUR
    holding = asyncio.create_task(store.write(hold, beside=True))
    await held.wait()
    assert await settle(installation) == 0
    go_on.set()
    await holding
    assert await settle(installation) == 1
    store.close()


async def test_who_ends_a_session_and_who_records_its_calls_do_not_wait_for_each_other(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both orders at once: PostgreSQL broke one of them off, after a second for which both kept
    others waiting."""
    database = cluster.new_database()
    store = open_store(database, tmp_path / "key")
    installation = Installation(store)
    connector = await installation.prepare(NUMBERS[0])
    *_, first, second = sorted(PEOPLE, key=lambda name: postgresql.numbers_of([name]))
    session = await installation.open(connector, first, second)
    arrival = {"CarrierName": "acme", "Caller": first, "Called": NUMBERS[0]}
    live = ""
    while not live or postgresql.numbers_of([live]) > postgresql.numbers_of([first]):
        live = (await installation.call("RouteCall", "switch", **arrival))["CallId"]
    _, call = await store.read(lambda tx: decide_call(installation.context(tx), arrival))
    begun: Counter[str] = Counter()
    reached, go_on, hang_up = asyncio.Event(), asyncio.Event(), proxy_sessions.hang_up_calls

    def wait_and_hang_up(*given: Any) -> None:
        begun["end"] += 1
        reached.set()
        awaited(go_on.wait())
        hang_up(*given)

    def record(tx: Transaction) -> None:
        begun["record"] += 1
        ringing = Told(events=[CallEvent(happening=Happening.RINGING, at=installation.clock())])
        calls.record_calls(installation.context(tx), {live: ringing, call.call_id: Told(call)})

    monkeypatch.setattr(proxy_sessions, "hang_up_calls", wait_and_hang_up)
    ending = asyncio.create_task(installation.close(connector, session["ProxySessionId"]))
    await reached.wait()
    recording = asyncio.create_task(store.write(record, beside=True))
    with psycopg.connect(database, autocommit=True) as connection:
        while not connection.execute(SOMEBODY_WAITS).fetchone():
            await asyncio.sleep(0.01)
    go_on.set()
    await asyncio.gather(ending, recording)
    assert begun == {"end": 1, "record": 1}
    store.close()


async def with_a_session_that_hangs_up(
    cluster: Cluster, tmp_path: Path
) -> tuple[Installation, dict[str, str]]:
    """An installation with a session whose end hangs up, and what is asked of a call on it."""
    installation = Installation(open_store(cluster.new_database(), tmp_path / "key"), now=START)
    connector = await installation.prepare(NUMBERS[0])
    terms = {"VoiceConnectorId": connector, "HangUpOnExpiry": True}
    await installation.call("PutVoiceConnectorRules", "maskline", **terms)
    await installation.open(connector, *PEOPLE[:2])
    return installation, {"CarrierName": "acme", "Caller": PEOPLE[0], "Called": NUMBERS[0]}


async def settle(installation: Installation) -> int:
    return await installation.store.write(
        lambda tx: settle_expired_sessions(installation.context(tx)), beside=True
    )


async def open_pairs(store: Store, connector: str) -> list[tuple[str, str]]:
    """Every (participant, proxy number) of the open sessions."""
    rows = await store.read(
        lambda tx: tx.all(
            "list_open_proxy_sessions",
            voice_connector_id=connector,
            now=START,
            before=2**62,
            limit=10**6,
        )
    )
    return [
        (row[f"{side}_number"], row[f"{side}_proxy_number"])
        for row in rows
        for side in ("first", "second")
    ]


@dataclass
class HeldUp:
    """An installation on PostgreSQL where a create stands still before it looks for numbers. One of
    its people has a `session` already."""

    installation: Installation
    connector: str
    other: str
    session: str
    create: "asyncio.Task[dict[str, Any]]"
    go_on: asyncio.Event
    database: str

    async def blocks(self, task: "asyncio.Task[Any]", name: str) -> None:
        """Returns when somebody waits to hold this name alone; the task must not be done before."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            while not connection.execute(WAITING, postgresql.numbers_of([name])).fetchone():
                assert not task.done()
                await asyncio.sleep(0.01)

    async def put(self, connector: str, **changes: Any) -> dict[str, Any]:
        request = {"DefaultSessionExpiryMinutes": 60, "PhoneNumberPoolCountries": ["US"], **changes}
        return await self.installation.call(
            "PutVoiceConnectorProxy", VoiceConnectorId=connector, **request
        )


@pytest.fixture
async def held_up(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[HeldUp]:
    database = cluster.new_database()
    store = open_store(database, tmp_path / "key")
    installation = Installation(store)
    connector = await installation.prepare(*NUMBERS)
    other = await installation.connector()
    session = (await installation.open(connector, PEOPLE[0], PEOPLE[7]))["ProxySessionId"]
    reached, go_on, find = asyncio.Event(), asyncio.Event(), proxy_sessions.assign_numbers

    def wait_and_find(context: Context, wish: Wish) -> tuple[str, str]:
        reached.set()
        awaited(go_on.wait())
        return find(context, wish)

    monkeypatch.setattr(proxy_sessions, "assign_numbers", wait_and_find)
    create = asyncio.create_task(installation.open(connector, *PEOPLE[:2]))
    await reached.wait()
    yield HeldUp(installation, connector, other, session, create, go_on, database)
    go_on.set()
    await create
    store.close()


async def test_a_change_of_the_terms_waits_for_sessions_that_go_by_them(held_up: HeldUp) -> None:
    put = asyncio.create_task(held_up.put(held_up.connector, Disabled=True))
    later = asyncio.create_task(held_up.installation.open(held_up.connector, *PEOPLE[2:4]))
    await held_up.blocks(put, held_up.connector)
    held_up.go_on.set()
    await put
    await held_up.create
    with contextlib.suppress(Forbidden):
        await later  # opened before the change, or refused after it
    open_now = await held_up.installation.sessions(held_up.connector)
    with pytest.raises(Forbidden):
        await held_up.installation.open(held_up.connector, *PEOPLE[4:6])
    assert await held_up.installation.sessions(held_up.connector) == open_now


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("UpdateProxySession", {"Capabilities": ["SMS"], "ExpiryMinutes": 9}),
        ("DeleteProxySession", {}),
    ],
)
async def test_a_change_of_a_session_waits_for_others_of_its_people(
    held_up: HeldUp, operation: str, more: dict[str, Any]
) -> None:
    ids = {"VoiceConnectorId": held_up.connector, "ProxySessionId": held_up.session}
    change = asyncio.create_task(held_up.installation.call(operation, **ids, **more))
    await held_up.blocks(change, PEOPLE[0])
    held_up.go_on.set()
    await held_up.create
    await change


async def test_terms_that_stay_and_those_of_another_connector_wait_for_nobody(
    held_up: HeldUp,
) -> None:
    assert await held_up.put(held_up.connector)
    answer = await held_up.put(held_up.other, Disabled=True)
    assert answer["Proxy"]["Disabled"]
    assert not held_up.create.done()
