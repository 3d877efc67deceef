"""A new database of either kind."""

import os
from pathlib import Path

import pytest
from cluster import Cluster

DATABASES = ["sqlite", "postgresql"]
# Tests that take long run with one kind, unless somebody has the time: `make soak`.
ALL_DATABASES = "MASKLINE_ALL_DATABASES" in os.environ


def new_store_url(request: pytest.FixtureRequest, database: str, folder: Path) -> str:
    if database == "sqlite":
        return f"sqlite:{folder}/maskline.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.new_database()
