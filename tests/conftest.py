"""The databases that tests ask for, and what holds for all generated examples."""

from collections.abc import Iterator

import pytest
from cluster import Cluster
from databases import ALL_DATABASES, DATABASES, new_store_url
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


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
