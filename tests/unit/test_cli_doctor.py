"""The doctor, as far as it looks at this machine alone."""

import json
import os
from pathlib import Path

import pytest

from maskline.cli.client import Answer
from maskline.cli.doctor import BAD, DOUBTFUL, GOOD, about_data, about_engines


def test_a_data_directory_of_somebody_else_ends_no_examination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Played, for root may read everything."""

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert [(one.state, one.text) for one in about_data(tmp_path)] == [
        (BAD, f"{tmp_path} cannot be written to"),
        (BAD, f"{tmp_path} cannot be read"),
    ]


def test_what_is_away_is_no_fault_of_the_server() -> None:
    """But it is told, with the reason where there is one, and what that means."""
    states = {
        "kamailio": "up",
        "rtpengine": "down",
        "sms:acme": "away",
        "registration:acme": "away: refused 403 Forbidden",
    }
    body = json.dumps({"status": "down", "engines": states}).encode()
    found = [*about_engines(Answer(503, {}, body, 1))]
    assert [(one.state, one.text) for one in found] == [
        (GOOD, "kamailio is up"),
        (BAD, "rtpengine is down"),
        (DOUBTFUL, "sms:acme is away"),
        (DOUBTFUL, "registration:acme is away: refused 403 Forbidden"),
    ]
    assert "texts" in found[2].remedy
    assert "calls" in found[3].remedy
