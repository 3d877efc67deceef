"""A new database, and a store in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster

from maskline.store import Store, open_store


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.new_database()


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    store = open_store(url, tmp_path / "key")
    yield store
    store.close()
