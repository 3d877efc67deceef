"""The wheel holds all that an installed Maskline needs, Kamailio's script included."""

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
SCRIPT = "maskline/engines/script"


def test_everything_goes_into_the_wheel(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        place + str(path.relative_to(folder))
        for folder, place in ((ROOT / "src", ""), (ROOT / "kamailio", SCRIPT + "/"))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= names
    assert f"{SCRIPT}/kamailio.cfg.template" in names
