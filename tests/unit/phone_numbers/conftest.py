"""A desk with one number that its account may order or associate."""

import pytest
from desk import Desk
from inventory import PROXY


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.import_numbers(PROXY, shared=False)
    return desk
