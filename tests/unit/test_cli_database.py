"""The commands about the database: what they say, what they leave behind."""

import asyncio
import io
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from installation import Installation

from maskline.__main__ import main
from maskline.store import migrations, open_store, steps_done

ROWS = "        1 accounts\n"


@pytest.fixture
def config(store_url: str, tmp_path: Path) -> Path:
    """Settings with a new database."""
    return settings(tmp_path / "maskline.toml", store_url)


def settings(path: Path, url: str) -> Path:
    path.write_text(f'data_dir = "data"\nstore.url = "{url}"\nstore.key = "key"\n')
    return path


def key_of(url: str, folder: Path) -> Path:
    path = url.removeprefix("sqlite:")
    return folder / "key" if path == url else Path(f"{path}.key")


def furnish(url: str, folder: Path) -> None:
    store = open_store(url, folder / "key")
    asyncio.run(Installation(store).furnish())
    store.close()


def test_migrate_shows_first_and_does_when_asked(
    config: Path, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    count = len(migrations.steps())
    assert main(["migrate", "--config", str(config)]) == 0
    shown = capsys.readouterr().out
    assert f"0 of {count} steps of the schema have run" in shown
    assert "to run: 0001 schema" in shown
    assert "nothing was changed" in shown
    assert not steps_done(store_url)
    assert main(["migrate", "--config", str(config), "--apply"]) == 0
    assert "all have run" in capsys.readouterr().out
    assert len(steps_done(store_url)) == count
    assert main(["migrate", "--config", str(config)]) == 0
    assert "nothing is to be done" in capsys.readouterr().out


def test_migrate_shows_the_sql_that_this_database_gets(
    config: Path, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate", "--config", str(config), "--sql"]) == 0
    sql = capsys.readouterr().out
    assert "CREATE TABLE proxy_sessions" in sql
    assert ("GENERATED ALWAYS AS IDENTITY" in sql) == store_url.startswith("postgresql")


def test_a_database_in_use_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(tmp_path / "maskline.toml", url := f"sqlite:{tmp_path}/maskline.db")
    store = open_store(url)
    later = migrations.Step(len(migrations.steps()) + 1, "later", "SELECT 1;")
    known = migrations.steps()
    monkeypatch.setattr(migrations, "steps", lambda: [*known, later])
    assert main(["migrate", "--config", str(config), "--apply"]) == 255
    assert "one process at a time" in capsys.readouterr().err
    store.close()


def test_export_and_import(
    config: Path, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    furnish(store_url, tmp_path)
    file = tmp_path / "all.jsonl"
    assert main(["export", "--config", str(config), "--file", str(file)]) == 0
    exported = capsys.readouterr().out
    assert ROWS in exported
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (tmp_path / "new").mkdir()
    database = tmp_path / "new" / "maskline.db"
    new = settings(tmp_path / "new" / "maskline.toml", f"sqlite:{database}")
    words = ["--file", str(file), "--key-file", str(key_of(store_url, tmp_path))]
    assert main(["import", "--config", str(new), *words]) == 0
    assert capsys.readouterr().out.startswith(exported)
    assert {path.name for path in database.parent.iterdir()} == {
        "maskline.toml", "maskline.db", "maskline.db.key",
    }  # fmt: skip
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert main(["import", "--config", str(new), *words]) == 255
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["-", "/dev/stdin"])
def test_through_a_pipe(tmp_path: Path, place: str) -> None:
    """As for a program that encrypts: nothing but the export on the standard output."""
    furnish(f"sqlite:{tmp_path}/maskline.db", tmp_path)
    config = settings(tmp_path / "maskline.toml", f"sqlite:{tmp_path}/maskline.db")
    new = settings(tmp_path / "new.toml", f"sqlite:{tmp_path}/new.db")
    program = [sys.executable, "-m", "maskline"]
    left = subprocess.run(
        [*program, "export", "--config", config, "--file", "-"], capture_output=True, check=True
    )
    assert ROWS.encode() in left.stderr
    words = ["--file", place, "--key-file", f"{tmp_path}/maskline.db.key"]
    done = subprocess.run(
        [*program, "import", "--config", new, *words],
        input=left.stdout,
        capture_output=True,
        check=True,
    )
    assert ROWS.encode() in done.stdout


def test_a_full_disk_is_not_the_databases_fault(tmp_path: Path) -> None:
    furnish(f"sqlite:{tmp_path}/maskline.db", tmp_path)
    config = settings(tmp_path / "maskline.toml", f"sqlite:{tmp_path}/maskline.db")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "maskline", "export", "--config", config, "--file", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    told = b"maskline: [ERROR]: standard output cannot be written: No space left on device"
    assert (done.returncode, done.stderr.strip()) == (255, told)


def test_an_export_writes_over_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:{tmp_path}/maskline.db"
    furnish(url, tmp_path)
    config = settings(tmp_path / "maskline.toml", url)
    file = tmp_path / "notes"
    file.write_text("mine")
    assert main(["export", "--config", str(config), "--file", str(file)]) == 255
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert main(["export", "--config", str(config), "--file", f"{tmp_path}/no/where"]) == 255
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("linked", [True, False])
def test_an_export_is_its_owners_whatever_lies_in_its_way(tmp_path: Path, linked: bool) -> None:
    """In a directory that others may write to, say."""
    url = f"sqlite:{tmp_path}/maskline.db"
    furnish(url, tmp_path)
    config = settings(tmp_path / "maskline.toml", url)
    file, other = tmp_path / "all.jsonl", tmp_path / "other"
    other.write_text("mine")
    (os.symlink if linked else os.link)(other, f"{file}.part")
    assert main(["export", "--config", str(config), "--file", str(file)]) == 0
    assert other.read_text() == "mine"
    assert not file.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["migrate", "--config", "none.toml"], "none.toml cannot be read"),
        (["export", "--config", "none.toml", "--file", "x"], "none.toml cannot be read"),
        (["export", "--file", "x"], "maskline.toml cannot be read"),
        (["export", "--file", "x"], "hint: run this in the directory of the service, or name its"),
        (["import", "--config", "c", "--file", "none", "--key-file", "k"], "there is no file none"),
        (["import", "--config", "c", "--file", ".", "--key-file", "k"], ". cannot be read: Is a"),
        (["import", "--config", "c", "--file", "c", "--key-file", "k"], "c cannot be used: line 1"),
        (["export", "--config", "c", "--file", "x"], "there is no database"),
        (["migrate", "--config", "p"], "postgresql://ann:***@127.0.0.1:1/maskline: "),
    ],
)
def test_what_cannot_be_done_is_told(
    words: list[str],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    settings(tmp_path / "c", "sqlite:c.db")
    settings(tmp_path / "p", "postgresql://ann:secret@127.0.0.1:1/maskline")
    assert main(words) == 255
    error = capsys.readouterr().err
    assert told in error
    assert "secret" not in error
    assert sorted(os.listdir(tmp_path)) == ["c", "p"]


def test_a_broken_export_is_told_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(tmp_path / "c", f"sqlite:{tmp_path}/c.db")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    words = ["import", "--config", str(config), "--file", "-", "--key-file", str(config)]
    assert main(words) == 255
    assert "- cannot be used: it breaks off at line 1" in capsys.readouterr().err
