"""What Kamailio asks, checked against the switch model and carried out on a real store."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from maskline.engines.switch import SwitchRefusal
from maskline.engines.switchboard import Switchboard
from maskline.operations import Context, Policy
from maskline.store import Transaction, open_store


def context(tx: Transaction) -> Context:
    return Context(
        tx=tx,
        account_id="",
        now=time.time_ns() // 1_000_000,
        new_id=lambda: str(uuid4()),
        settings=Policy(carriers=("acme",)),
    )


@pytest.fixture
async def switchboard(tmp_path: Path) -> AsyncIterator[Switchboard]:
    store = open_store(f"sqlite:{tmp_path / 'maskline.db'}")
    yield Switchboard(store, context)
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


async def store_call(switchboard: Switchboard, call_id: str) -> Any:
    return await switchboard._store.read(lambda tx: tx.one("get_call", call_id=call_id))
