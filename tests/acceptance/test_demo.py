"""`make demo`, as a newcomer runs it: two real telephones, and a service of its own."""

import subprocess
import sys
from pathlib import Path

from acceptance.service import Service, running

ROOT = Path(__file__).parents[2]


def demo(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "demo", "--config", config],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_demo_starts_its_own_service(tmp_path: Path) -> None:
    done = demo(tmp_path / "none.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the demo starts its own" in done.stdout
    assert "Ann dialled +19135550199            Ben's phone showed +19135550199" in done.stdout
    assert done.stdout.endswith("\nAll of it was true.\n")


def test_the_demo_plays_on_a_running_service(tmp_path: Path) -> None:
    """Twice: what the first leaves does not stand in the way of the second."""
    for service in running(tmp_path, carrier_name="demo"):
        assert isinstance(service, Service)
        for _ in range(2):
            done = demo(service.config)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "starts its own" not in done.stdout
