"""The real API on a free port of this machine, for commands that are run in this process."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import msgspec
import pytest
from door import settings_with
from house import House

from maskline.domain.message import Encoding, Reported
from maskline.operations import TABLE, Context
from maskline.operations.policy import policy_of
from maskline.sms.port import Accepted, InboundText, Receipt
from maskline.sms.turn import Done, Work
from maskline.sms.works import take_turn
from maskline.store import Transaction


@contextmanager
def live_server(folder: Path) -> Iterator[House]:
    """A server with an empty store in `folder`.

    It logs nothing: its lines would mix with what commands print.
    """
    with (
        mock.patch("maskline.web.app.log"),
        mock.patch("maskline.web.app.logs.tell"),
        House(folder).open() as house,
    ):
        yield house


def receive_texts(house: House, source: str, dialled: str) -> None:
    """What happens in the store when the carrier acme brings a text, cannot deliver it, and then
    brings a STOP from the other side."""

    def context(tx: Transaction) -> Context:
        policy = policy_of(settings_with())
        now = time.time_ns() // 1_000_000
        texting = replace(policy, text_carriers={"acme"})
        return Context(tx=tx, account_id="", now=now, new_id=lambda: str(uuid4()), policy=texting)

    def turn(**more: Any) -> Done:
        work = Work(holder="n.1", node="n.", room={"acme": 1}, **more)
        return house.write(lambda tx: take_turn(context(tx), work))

    text = InboundText(
        carrier="acme",
        source=source,
        destination=dialled,
        text="I am at the door.",
        encoding=Encoding.GSM,
        received_at=time.time_ns() // 1_000_000,
    )
    (sent,) = turn(arrivals=[text]).outgoing["acme"]
    taken = Accepted(message_ids=("1",), encoding=Encoding.GSM)
    failed = Receipt(
        carrier="acme", message_id="1", state=Reported.UNDELIVERABLE, at=0, error="034"
    )
    stop = msgspec.structs.replace(text, source=sent.destination, text="STOP")
    turn(outcomes=[(sent.message_id, taken)], arrivals=[failed])
    turn(arrivals=[stop])


def receive_call(house: House, caller: str, called: str) -> None:
    """What happens in the store when the carrier acme brings a call."""

    def work(tx: Transaction) -> dict[str, Any]:
        context = Context(
            tx=tx,
            account_id="",
            now=time.time_ns() // 1_000_000,
            new_id=lambda: str(uuid4()),
            policy=policy_of(settings_with()),
        )
        call = {"CarrierName": "acme", "Caller": caller, "Called": called}
        return TABLE["switch", "RouteCall"].function(context, call)

    house.write(work)


def set_variables(monkeypatch: pytest.MonkeyPatch, key: str, secret: str, url: str) -> None:
    """Of a user who talks to this server, and to no other."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
