"""AWS's JavaScript, run by node; its packages are installed when they are missing."""

import fcntl
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).with_name("js")
LOCK = HOME / "package-lock.json"
INSTALLED = HOME / "node_modules" / "installed.json"  # the lock that it was installed by


def run(command: Sequence[str], question: Any, environment: Mapping[str, str] | None = None) -> Any:
    """What a script prints when it is asked, both as JSON. The command: its name and its words."""
    install()
    done = subprocess.run(
        ["node", *command],
        cwd=HOME,
        env=environment,
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def install() -> None:
    """`npm ci`, once, also when several processes come here at a time."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("AWS's JavaScript needs node and npm")
    with LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = lock.read()
        if not INSTALLED.exists() or INSTALLED.read_text() != wanted:
            subprocess.run(["npm", "ci", "--silent"], cwd=HOME, check=True)
            INSTALLED.write_text(wanted)
