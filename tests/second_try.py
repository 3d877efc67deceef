"""Gives tests that failed beside others one more try, alone: python tests/second_try.py STATUS

`STATUS` is what pytest ended with. Real phones, engines and links miss what they wait for where a
machine has no time for them for a while; that is no fault of what is tested, and it is told all the
same. Only some few tests of the whole have this, and none that looks for what leaks or plays at
random: once is too often.
"""

import json
import sys
from pathlib import Path

import pytest

FAILED = Path(__file__).parents[1] / ".pytest_cache/v/cache/lastfailed"
MOST = 5
ONCE = ("leak", "mask", "fuzz", "tampering", "torture", "generated", "agree", "concurrency")


def may_try_again(tests: list[str]) -> bool:
    return 0 < len(tests) <= MOST and not any(word in test for test in tests for word in ONCE)


def main(status: int) -> int:
    failed = [*json.loads(FAILED.read_text())] if FAILED.exists() else []
    if status != pytest.ExitCode.TESTS_FAILED or not may_try_again(failed):
        return status
    print("\nFailed beside others, tried once more alone:", *failed, sep="\n  ", flush=True)
    return pytest.main(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
