"""A carrier that is reached by HTTP, and the door that it calls."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from carrier_door import House
from fake_twilio import FakeTwilio, fake_twilio

from maskline.sms.foresight import Foreseen
from maskline.sms.http import door


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with fake_twilio() as fake:
        yield fake


@pytest.fixture
async def house(
    tmp_path: Path, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr(door, "foreseen", lambda *_: Foreseen(None, has_reader=True))
    found = House(tmp_path, twilio)
    async with found.door.running():
        yield found
    found.store.close()
