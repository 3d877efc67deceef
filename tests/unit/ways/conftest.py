"""The module of the ways, with a Kamailio that tests play."""

from types import ModuleType

import pytest
from fake_kamailio import loaded
from ways_stage import Kamailio


@pytest.fixture
def kamailio() -> Kamailio:
    return Kamailio()


@pytest.fixture
def ways(kamailio: Kamailio) -> ModuleType:
    return loaded("ways", kamailio)
