"""A carrier that brings and takes texts, and a session between Ann and Ben."""

import pytest
from carrier import Carrier
from desk import ANN, BEN, Desk, proxy

from maskline.operations import Policy

PROXY, SECOND = "+19135550199", "+19135550198"


@pytest.fixture
def desk() -> Desk:
    desk = Desk(Policy(carriers=("acme",), text_carriers={"acme"}))
    desk.import_numbers(PROXY, SECOND)
    return desk


@pytest.fixture
def carrier(desk: Desk) -> Carrier:
    return Carrier(desk)


@pytest.fixture
def number(desk: Desk, connector: str) -> str:
    """The proxy number between Ann and Ben."""
    return proxy(desk.open(connector, ANN, BEN))
