"""A short form of `make fuzz`: what reads strangers' octets neither breaks nor leaks."""

import re
import subprocess
import sys
from pathlib import Path

RUNS = 20_000
FUZZER = Path(__file__).parents[1] / "fuzz_mask.py"


def test_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(FUZZER), f"-runs={RUNS}", "-seed=1"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    executed = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    assert executed
    assert int(executed[1]) >= RUNS


def test_the_fuzzer_would_find_something() -> None:
    """A fuzzer that could not fail would prove nothing."""
    text = FUZZER.read_text().replace('MARK = b"S1CA8"', 'MARK = b"Max-Forwards"')
    assert text != FUZZER.read_text()
    broken = FUZZER.with_name("fuzz_broken.py")
    broken.write_text(text)
    try:
        done = subprocess.run(
            [sys.executable, str(broken), "-runs=500", "-seed=1"],
            capture_output=True, text=True, check=False, cwd=broken.parent / "unit",
        )  # fmt: skip
    finally:
        broken.unlink()
        for left in (broken.parent / "unit").glob("crash-*"):
            left.unlink()
    assert "a leak" in done.stdout + done.stderr
