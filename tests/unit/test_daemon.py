"""What stands in the way of a start is told in plain words."""

from pathlib import Path

import pytest

from maskline import settings
from maskline.daemon import open_data
from maskline.engines.ground import GroundError
from maskline.settings import Settings


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    """Settings with a database that has been used."""
    path = tmp_path / "maskline.toml"
    path.write_text("")
    found = settings.load(path)
    found.data_dir.mkdir()
    open_data(found).close()
    return found


def test_a_database_without_its_key(chosen: Settings) -> None:
    (chosen.data_dir / "maskline.db.key").unlink()
    with pytest.raises(GroundError, match=r"store\.url: cannot use sqlite:.+maskline\.db: .*key"):
        open_data(chosen)


def test_a_file_that_is_no_database(chosen: Settings) -> None:
    (chosen.data_dir / "maskline.db").write_text("something else " * 1000)
    with pytest.raises(GroundError, match=r"store\.url: cannot use .+ not a database"):
        open_data(chosen)
