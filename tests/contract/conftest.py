"""A service over each kind of database, which the tests of a module share."""

from collections.abc import Iterator
from typing import Any

import pytest
from house import House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, module_url: str) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house"), module_url).open() as house:
        yield house


@pytest.fixture(scope="module")
def client(house: House) -> Any:
    """boto3's, with the operator's key."""
    return house.client()
