from pathlib import Path

import pytest

from maskline.store import migrations
from maskline.store.sqlite import connect, prepare


def test_a_new_database_runs_every_step_once(tmp_path: Path) -> None:
    connection = connect(tmp_path / "db")
    prepare(connection)
    prepare(connection)
    done = [row["step"] for row in connection.execute("SELECT step FROM migrations")]
    assert done == [step.number for step in migrations.steps("sqlite")]
    connection.close()


def test_only_what_is_missing_runs() -> None:
    ran: list[migrations.Step] = []
    known = migrations.steps("sqlite")
    migrations.migrate("sqlite", [step.number for step in known[1:]], ran.append)
    assert ran == known[:1]


def test_a_database_of_a_later_version_is_left_alone() -> None:
    with pytest.raises(migrations.StoreTooNew, match="step 999"):
        migrations.migrate("sqlite", [1, 999], lambda step: None)
