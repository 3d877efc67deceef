"""What contract tests ask: a service that a module shares; a server of the test's own for the
command line, or a played one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.cli_live import live_server, set_variables
from contract.cli_server import PlayedServer
from house import House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, module_url: str) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house"), module_url).open() as house:
        yield house


@pytest.fixture(scope="module")
def client(house: House) -> Any:
    """boto3's, with the operator's key."""
    return house.client()


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedServer]:
    """A played server, and a user who is to talk to it, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    with PlayedServer().running() as server:
        set_variables(monkeypatch, "AKIDEXAMPLE", "secret", server.url)
        yield server


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.chdir(tmp_path)
    with live_server(tmp_path) as server:
        set_variables(monkeypatch, server.operator.id, server.operator.secret, server.url)
        yield server
