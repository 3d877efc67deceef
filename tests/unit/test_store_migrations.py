from pathlib import Path

import pytest

from maskline.store import StoreUnusable, migrations
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
    done = {step.number: step.name for step in known[1:]}
    migrations.migrate("sqlite", done, ran.append)
    assert ran == known[:1]


@pytest.mark.parametrize("done", [{1: "schema", 999: "later"}, {1: "another"}])
def test_a_database_of_another_version_is_left_alone(done: dict[int, str]) -> None:
    with pytest.raises(StoreUnusable):
        migrations.migrate("sqlite", done, lambda step: None)
