"""AWS's JavaScript, run by node; its packages are installed when they are missing."""

import fcntl
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).with_name("js")
INSTALLED = HOME / "node_modules" / ".package-lock.json"  # npm writes it last


def run(script: str, question: Any, environment: Mapping[str, str] | None = None) -> Any:
    """What a script prints when it is asked, both as JSON."""
    install()
    done = subprocess.run(
        ["node", script],
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
    with (HOME / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not INSTALLED.exists():
            subprocess.run(["npm", "ci", "--silent"], cwd=HOME, check=True)
