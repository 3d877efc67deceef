"""Each test of the store and of the operations runs on each database; those of Kamailio's script
have a node of their own."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from databases import DATABASES, new_store_url
from desk import ANN, BEN, Desk
from fake_kamailio import ACME, GLOBEX, Call, Script, answered, carrier
from grounds import PostgresqlGround, SqliteGround


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database; its key belongs in `tmp_path`."""
    return new_store_url(request, request.param, tmp_path)


@pytest.fixture(autouse=True)
def ground(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the desks of the test stand on."""
    if getattr(request, "param", "sqlite") == "postgresql":
        cluster = request.getfixturevalue("cluster")
        monkeypatch.setattr(Desk, "new_ground", partial(PostgresqlGround, cluster))
    else:
        monkeypatch.setattr(Desk, "new_ground", SqliteGround)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store_url" in metafunc.fixturenames:
        metafunc.parametrize("store_url", DATABASES, indirect=True)
    elif metafunc.module.__name__.startswith(("test_operations_", "test_texts_")):
        metafunc.parametrize("ground", DATABASES, indirect=True)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def connector(desk: Desk) -> str:
    return desk.connector()


@pytest.fixture
def session(desk: Desk, connector: str) -> dict[str, Any]:
    """Of Ann and Ben, which needs a number at the desk."""
    return desk.open(connector, ANN, BEN)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def call(script: Script) -> Call:
    return answered(script)


@pytest.fixture
def guarded() -> Script:
    """One of the carriers calls from anywhere, with a password."""
    known = {"inbound_username": "acme-in", "inbound_password": "secret"}
    return Script(carriers=[carrier("acme", ACME, **known), carrier("globex", GLOBEX)])
