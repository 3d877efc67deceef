"""The databases that tests ask for, how tests are shared out, and what holds for all generated
examples."""

import os
from collections.abc import Iterator

import pytest
from cluster import Cluster
from databases import ALL_DATABASES, DATABASES, new_store_url
from hypothesis import HealthCheck, settings
from ports import MOST_PROCESSES

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_xdist_auto_num_workers() -> int:
    """One for each processor: with more, services were taken for hung in tests of the whole."""
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that at the end no process is left alone with it."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server, one for each process that tests run in."""
    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module", params=DATABASES)
def module_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a new database that the tests of a module share: they run with each kind."""
    return new_store_url(request, request.param, tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="module", params=DATABASES if ALL_DATABASES else DATABASES[:1])
def costly_database(request: pytest.FixtureRequest) -> str:
    """The kind of database for tests that take long; see `new_store_url`."""
    kind: str = request.param
    return kind
