"""The doctor, as far as it looks at this machine alone."""

import os
from pathlib import Path

import pytest

from maskline.cli.doctor import BAD, about_data


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
