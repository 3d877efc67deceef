"""A whole service for tests of the whole, its phones, and the stores that it may have."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.plain_phone import Phone
from acceptance.service import Service, running
from cluster import Cluster
from databases import DATABASES


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service that the tests of one process share: leave it running."""
    yield from running(tmp_path_factory.mktemp("service"))


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    """A running service for one test, which may do with it what it wants and leave it running."""
    yield from running(tmp_path)


@pytest.fixture
def caller(masked: Service) -> Iterator[Phone]:
    """Whoever calls, at the service of the module."""
    phone = Phone(masked)
    yield phone
    phone.socket.close()


@pytest.fixture
def called(masked: Service) -> Iterator[Phone]:
    """Whoever is called, behind its carrier."""
    phone = Phone(masked, masked.carrier_port)
    yield phone
    phone.socket.close()


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest) -> str:
    """The settings of a store."""
    if request.param == "sqlite":
        return ""
    cluster: Cluster = request.getfixturevalue("cluster")
    return f'store.url = "{cluster.new_database()}"\n'
