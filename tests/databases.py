"""A new database of either kind."""

from pathlib import Path

import pytest
from cluster import Cluster

DATABASES = ["sqlite", "postgresql"]


def new_store_url(request: pytest.FixtureRequest, database: str, folder: Path) -> str:
    if database == "sqlite":
        return f"sqlite:{folder}/maskline.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.new_database()
