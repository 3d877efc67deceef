"""Why a document of settings is refused."""

import tomllib

import pytest

from maskline import settings


def faults(text: str) -> list[str]:
    with pytest.raises(settings.SettingsError) as refusal:
        settings.parse(tomllib.loads(text))
    return refusal.value.faults
