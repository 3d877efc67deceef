"""The real API on a free port of this machine, for commands that are run in this process."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

from door import settings_with
from house import House

from maskline.operations import TABLE, Context
from maskline.operations.policy import policy_of
from maskline.store import Transaction


@contextmanager
def live_server(folder: Path) -> Iterator[House]:
    """A server with an empty store in `folder`.

    It logs nothing: its lines would mix with what commands print.
    """
    with mock.patch("maskline.web.app.log"), House(folder).open() as house:
        yield house


def receive_call(house: House, caller: str, called: str) -> None:
    """What happens in the store when the carrier acme brings a call."""

    def work(tx: Transaction) -> dict[str, Any]:
        context = Context(
            tx=tx,
            account_id="",
            now=time.time_ns() // 1_000_000,
            new_id=lambda: str(uuid4()),
            settings=policy_of(settings_with()),
        )
        call = {"CarrierName": "acme", "Caller": caller, "Called": called}
        return TABLE["switch", "RouteCall"].function(context, call)

    house.write(work)
