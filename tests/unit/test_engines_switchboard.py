"""What Kamailio asks, checked against the switch model and carried out on a real store."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
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
