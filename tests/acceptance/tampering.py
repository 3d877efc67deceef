"""A service whose Kamailio runs another script than ours: a changed copy, put in front of it by
Python's own means. The service itself is as it is; it knows nothing of tests."""

import shutil
from collections.abc import Callable
from pathlib import Path

from maskline.engines.kamailio import script_folder

IN_FRONT = """\
import pathlib
from maskline.engines import kamailio
kamailio.SCRIPT = kamailio.script_in(pathlib.Path({folder!r}))
"""


def changed_script(folder: Path, change: Callable[[Path], None]) -> dict[str, str]:
    """The environment of a service that runs a copy of the script, changed by `change`."""
    copy, front = folder / "changed-script", folder / "in-front"
    shutil.copytree(script_folder(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    change(copy)
    front.mkdir()
    (front / "sitecustomize.py").write_text(IN_FRONT.format(folder=str(copy)))
    return {"PYTHONPATH": str(front)}
