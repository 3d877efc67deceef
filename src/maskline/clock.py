"""The time as all that is kept has it: in milliseconds since the epoch."""

import time

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000  # milliseconds


def now() -> int:
    return time.time_ns() // 1_000_000
