"""The doctor, as far as it looks at this machine alone."""

import json
import os
from pathlib import Path

import pytest

from maskline import settings
from maskline.cli.client import Answer
from maskline.cli.doctor import BAD, DOUBTFUL, GOOD, about_data, about_engines, about_store
from maskline.store import migrations, open_store


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
        "sms:acme": "away: credentials-refused",
        "sms:globex": "away",
        "registration:acme": "away: refused 403 Forbidden",
    }
    body = json.dumps({"status": "down", "engines": states}).encode()
    found = [*about_engines(Answer(503, {}, body, 1))]
    assert [(one.state, one.text) for one in found] == [
        (GOOD, "kamailio is up"),
        (BAD, "rtpengine is down"),
        (DOUBTFUL, "sms:acme is away: credentials-refused"),
        (DOUBTFUL, "sms:globex is away"),
        (DOUBTFUL, "registration:acme is away: refused 403 Forbidden"),
    ]
    assert "texts" in found[2].remedy
    assert "calls" in found[4].remedy


def test_the_version_of_the_database_is_told(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database of this version, then of an earlier one, then of a later one."""
    file = tmp_path / "maskline.toml"
    file.write_text(f'store.url = "{store_url}"\n')
    chosen, steps = settings.load(file), migrations.steps()
    later = migrations.Step(len(steps) + 1, "later", "SELECT 1;")

    def found(known: list[migrations.Step]) -> list[tuple[str, str]]:
        monkeypatch.setattr(migrations, "steps", lambda: known)
        told = [(one.state, one.text) for one in about_store(chosen)]
        return [(state, text) for state, text in told if "answers" not in text]

    assert found(steps) == []
    open_store(store_url, tmp_path / "key").close()
    assert found(steps) == []
    waiting = "the database is of an earlier version; steps to run: 1"
    assert found([*steps, later]) == [(DOUBTFUL, waiting)]
    ((state, text),) = found(steps[:-1])
    assert state == BAD
    assert "of another version" in text
