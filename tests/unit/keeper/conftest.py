"""A keeper of calls, and a session between two people."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from keeper_stage import House

from maskline.store import open_store


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = open_store(f"sqlite:{tmp_path / 'maskline.db'}")
    house = House(store)
    await house.furnish()
    yield house
    store.close()
