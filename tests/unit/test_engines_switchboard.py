"""What Kamailio asks, checked against the switch model and carried out on a real store."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from maskline.engines import ledger
from maskline.engines.journal import Journal
from maskline.engines.switch import SwitchRefusal
from maskline.engines.switchboard import Switchboard
from maskline.operations import Context, Policy
from maskline.operations.calls import record_calls, save
from maskline.store import StoreFailed, Transaction, open_store, rows


def context(tx: Transaction) -> Context:
    return Context(
        tx=tx,
        account_id="",
        now=time.time_ns() // 1_000_000,
        new_id=lambda: str(uuid4()),
        policy=Policy(carriers=("acme",)),
    )


@pytest.fixture
async def switchboard(tmp_path: Path) -> AsyncIterator[Switchboard]:
    store = open_store(f"sqlite:{tmp_path / 'maskline.db'}")
    journal = Journal(tmp_path)
    yield Switchboard(store, context, journal)
    journal.close()
    store.close()


CALL = {"CarrierName": "acme", "Caller": "+12065550100", "Called": "+19135550199"}


async def test_a_call_is_routed(switchboard: Switchboard) -> None:
    answer = await switchboard.ask("RouteCall", CALL)
    assert answer["Decision"] == "Reject"
    assert answer["SipStatus"] == 404


async def test_a_call_and_its_end_are_recorded(switchboard: Switchboard) -> None:
    call_id = (await switchboard.ask("RouteCall", CALL))["CallId"]
    report = {"CallId": call_id, "Event": "Ended", "Timestamp": 1, "SipStatus": 404}
    assert switchboard.ask("ReportCall", report) == {}
    await switchboard.drain()
    row = await switchboard._store.read(lambda tx: tx.one("get_call", call_id=call_id))
    assert row is not None
    assert row["sip_status"] == 404


async def test_a_report_of_no_call_changes_nothing(switchboard: Switchboard) -> None:
    call_id = str(uuid4())
    report = {"CallId": call_id, "Event": "Ended", "Timestamp": 1, "SipStatus": 404}
    assert switchboard.ask("ReportCall", report) == {}
    await switchboard.drain()
    assert await switchboard._store.read(lambda tx: tx.one("get_call", call_id=call_id)) is None


async def test_what_is_told_of_no_call_is_forgotten_after_a_while(
    switchboard: Switchboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(ledger, "UNKNOWN_SECONDS", 0.05)
    call_id = str(uuid4())
    switchboard.ask("ReportCall", {"CallId": call_id, "Event": "Ringing", "Timestamp": 1})
    while not switchboard._ledger._unknown:
        await asyncio.sleep(0.01)
    switchboard.ask("ReportCall", {"CallId": call_id, "Event": "Ended", "Timestamp": 2})
    while switchboard._ledger._unknown:
        await asyncio.sleep(0.01)
    await switchboard.drain()
    assert not switchboard._ledger._early
    assert [*Journal(tmp_path).left()] == []
    assert await store_call(switchboard, call_id) is None


async def test_what_one_node_is_told_before_another_has_written_the_call_is_kept(
    switchboard: Switchboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the database was away, say: who tries again first is a matter of chance."""
    monkeypatch.setattr(ledger, "AGAIN_SECONDS", 0.01)
    (tmp_path / "other").mkdir()
    journal = Journal(tmp_path / "other")
    other = Switchboard(switchboard._store, context, journal)
    call_id = (await switchboard.ask("RouteCall", CALL))["CallId"]
    switchboard._ledger._writing.cancel()  # type: ignore[union-attr]
    told = {"EndedBy": "caller", "SipStatus": 487, "Timestamp": 1}
    other.ask("ReportCall", {"CallId": call_id, "Event": "Ended", **told})
    while not other._ledger._unknown:
        await asyncio.sleep(0.01)
    assert await store_call(switchboard, call_id) is None
    await recovered(switchboard, tmp_path)
    while other._ledger._unknown:
        await asyncio.sleep(0.01)
    row = await store_call(switchboard, call_id)
    assert (row["ended_by"], row["sip_status"]) == ("caller", 487)
    await other.drain()
    journal.close()


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("RouteCall", {}),
        ("RouteCall", CALL | {"Caller": 5}),
        ("ReportCall", {"CallId": "x", "Event": "Exploded", "Timestamp": 1}),
        ("DropTables", {}),
        ("GetCall", {"CallId": "x"}),
    ],
)
async def test_what_the_model_does_not_have_is_refused(
    switchboard: Switchboard, operation: str, request_: dict[str, object]
) -> None:
    with pytest.raises(SwitchRefusal) as refusal:
        switchboard.ask(operation, request_)
    assert refusal.value.code == "BadRequestException"


async def test_what_is_told_in_a_moment_is_kept_in_one_transaction(
    switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    write = switchboard._store.write

    async def counted(work: Any, **how: Any) -> Any:
        nonlocal written
        written += 1
        return await write(work, **how)

    monkeypatch.setattr(switchboard._store, "write", counted)
    calls = [(await switchboard.ask("RouteCall", CALL))["CallId"] for _ in range(20)]
    for call_id in calls:
        switchboard.ask("ReportCall", {"CallId": call_id, "Event": "Ringing", "Timestamp": 7})
    await switchboard.drain()
    assert written == 1
    rows = [await store_call(switchboard, call_id) for call_id in calls]
    assert [row["ringing_at"] for row in rows] == [7] * 20
    assert [row["sequence"] for row in rows] == sorted(row["sequence"] for row in rows)


async def test_what_is_wrong_with_one_report_harms_no_other(switchboard: Switchboard) -> None:
    call_id = (await switchboard.ask("RouteCall", CALL))["CallId"]
    bad = (await switchboard.ask("RouteCall", CALL))["CallId"]
    too_large = {"CallId": bad, "Event": "Ringing", "Timestamp": 2**62}
    switchboard.ask("ReportCall", too_large)
    switchboard._ledger._told[bad].events[0] = replace(
        switchboard._ledger._told[bad].events[0], at=2**70
    )
    switchboard.ask("ReportCall", {"CallId": call_id, "Event": "Ringing", "Timestamp": 7})
    await switchboard.drain()
    assert (await store_call(switchboard, call_id))["ringing_at"] == 7


async def test_what_a_killed_process_did_not_come_to_write_is_written_by_the_next(
    switchboard: Switchboard, tmp_path: Path
) -> None:
    call_id = (await switchboard.ask("RouteCall", CALL))["CallId"]
    switchboard.ask("ReportCall", {"CallId": call_id, "Event": "Ringing", "Timestamp": 7})
    assert await store_call(switchboard, call_id) is None
    switchboard._ledger._writing.cancel()  # type: ignore[union-attr]
    await recovered(switchboard, tmp_path)
    row = await store_call(switchboard, call_id)
    assert (row["ringing_at"], row["sip_status"]) == (7, 404)
    assert [*Journal(tmp_path).left()] == []


async def test_a_record_knows_more_than_what_is_left_of_its_beginning(
    switchboard: Switchboard, tmp_path: Path
) -> None:
    """As when a process is killed after it wrote, and before it noted that."""
    call_id = (await switchboard.ask("RouteCall", CALL))["CallId"]
    left = [*Journal(tmp_path).left()]
    await switchboard.drain()
    await switchboard._store.write(lambda tx: hang_up_at(tx, call_id, 77))
    switchboard._ledger._journal.note(left[0])
    await recovered(switchboard, tmp_path)
    assert (await store_call(switchboard, call_id))["hang_up_at"] == 77


async def keep_nothing(_work: Any, **_how: Any) -> Any:
    """A store's `write` on a full disk."""
    raise StoreFailed("no space left")


async def recovered(switchboard: Switchboard, folder: Path) -> None:
    await Switchboard(switchboard._store, context, Journal(folder)).recover()


def hang_up_at(tx: Transaction, call_id: str, at: int) -> None:
    row = tx.one("get_call", call_id=call_id)
    assert row is not None
    save(context(tx), replace(rows.call(row), hang_up_at=at))


async def test_while_the_database_keeps_nothing_no_report_is_lost(
    switchboard: Switchboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "AGAIN_SECONDS", 0.01)
    store, failures = switchboard._store, 5
    write = store.write

    async def failing(work: Any, **how: Any) -> Any:
        nonlocal failures
        failures -= 1
        return await (write if failures < 0 else keep_nothing)(work, **how)

    monkeypatch.setattr(store, "write", failing)
    call_id = (await switchboard.ask("RouteCall", CALL))["CallId"]
    await asyncio.sleep(ledger.GATHER_SECONDS * 1.5)
    switchboard.ask("ReportCall", {"CallId": call_id, "Event": "Ringing", "Timestamp": 7})
    await switchboard.drain()
    assert (await store_call(switchboard, call_id))["ringing_at"] == 7


async def test_what_is_up_is_known_while_the_database_keeps_nothing(
    switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what was recorded before, and of what is told alone."""
    refused = (await switchboard.ask("RouteCall", CALL))["CallId"]
    decided = switchboard._ledger._told[refused].call
    assert decided is not None
    call = replace(decided, forwarded_at=1, ended_at=None)
    recorded = [replace(call, call_id=name) for name in ("over", "up")]
    with monkeypatch.context() as full:
        full.setattr(switchboard._store, "write", keep_nothing)
        switchboard._ledger.open(replace(call, call_id="new"))
        for name, event in (("over", "Ended"), ("up", "Answered"), ("unknown", "Answered")):
            switchboard.ask("ReportCall", {"CallId": name, "Event": event, "Timestamp": 2})
        await asyncio.sleep(ledger.GATHER_SECONDS * 1.5)
        up = {call.call_id: call.answered_at for call in switchboard.live(recorded)}
    assert up == {"up": 2, "new": None}


async def test_a_service_that_stops_leaves_to_the_next_what_it_cannot_write(
    switchboard: Switchboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "DRAIN_SECONDS", 0.2)
    with monkeypatch.context() as full:
        full.setattr(switchboard._store, "write", keep_nothing)
        call_id = (await switchboard.ask("RouteCall", CALL))["CallId"]
        await switchboard.drain()
    await recovered(switchboard, tmp_path)
    assert (await store_call(switchboard, call_id))["sip_status"] == 404


async def test_calls_that_nothing_keeps_are_counted_when_the_service_stops(
    switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "DRAIN_SECONDS", 0.2)
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(ledger.log, "error", lambda _event, **more: told.append(more))
    write = switchboard._store.write
    monkeypatch.setattr(switchboard._store, "write", keep_nothing)
    for note in (lambda _: True, lambda _: False, lambda _: False):
        monkeypatch.setattr(switchboard._ledger._journal, "note", note)
        switchboard.ask("ReportCall", {"CallId": "1", "Event": "Ringing", "Timestamp": 7})
        await switchboard.ask("RouteCall", CALL)
    await switchboard.drain()
    assert told == [{"calls": 3}]
    monkeypatch.setattr(switchboard._store, "write", write)
    switchboard.ask("ReportCall", {"CallId": "1", "Event": "Ringing", "Timestamp": 7})
    await switchboard.drain()
    assert len(told) == 1


async def test_what_cannot_be_recovered_stays_in_the_journal(
    switchboard: Switchboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = (await switchboard.ask("RouteCall", CALL))["CallId"]
    switchboard._ledger._writing.cancel()  # type: ignore[union-attr]
    monkeypatch.setattr(ledger, "RECOVER_SECONDS", 0.1)
    monkeypatch.setattr(switchboard._store, "write", keep_nothing)
    with pytest.raises(StoreFailed, match=r"calls-1\.journal and calls-2\.journal"):
        await recovered(switchboard, tmp_path)
    assert [one.call_id for one in Journal(tmp_path).left()] == [call_id]


async def test_many_calls_are_written_in_groups(
    switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction takes locks for each of them."""
    sizes = []

    def noted(context: Context, told: Any) -> Any:
        sizes.append(len(told))
        return record_calls(context, told)

    monkeypatch.setattr(ledger, "GROUP", 3)
    monkeypatch.setattr(ledger, "record_calls", noted)
    first = (await switchboard.ask("RouteCall", CALL))["CallId"]
    decided = switchboard._ledger._told[first].call
    assert decided is not None
    calls = [first, *(f"call-{number}" for number in range(6))]
    for call_id in calls[1:]:  # all of the same moment
        switchboard._ledger.open(replace(decided, call_id=call_id))
    await switchboard.drain()
    assert sizes == [3, 3, 1]
    assert None not in [await store_call(switchboard, call_id) for call_id in calls]


async def test_a_journal_that_cannot_be_emptied_stops_nobody(
    switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OSError("read-only")

    monkeypatch.setattr("os.pwrite", broken)
    for _ in range(2):
        call_id = (await switchboard.ask("RouteCall", CALL))["CallId"]
        await switchboard.drain()
        assert await store_call(switchboard, call_id) is not None


async def store_call(switchboard: Switchboard, call_id: str) -> Any:
    return await switchboard._store.read(lambda tx: tx.one("get_call", call_id=call_id))
