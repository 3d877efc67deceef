"""Completion in the shell, as far as it needs no server."""

import pytest

from maskline.cli.completion import candidates
from maskline.cli.extras import EXTRAS
from maskline.cli.names import kebab
from maskline.cli.services import SERVICES, operations_of


@pytest.mark.parametrize("name", EXTRAS)
def test_options_beyond_the_original_are_completed(name: str) -> None:
    command = kebab(name)
    service = next(one for one in SERVICES.values() if command in operations_of(one))
    found = candidates([service.command, command], "--")
    assert EXTRAS[name].option.flag in found
