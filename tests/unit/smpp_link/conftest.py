"""Links that wait no longer than they must."""

import pytest

from maskline.sms.smpp import link, pace


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "FIRST_RETRY", 0.02)
    monkeypatch.setattr(link, "LONGEST_RETRY", 0.2)
    monkeypatch.setattr(link, "FAREWELL_SECONDS", 1.0)
    monkeypatch.setattr(pace, "FIRST_PAUSE", 0.02)
