"""How much a fuzz of the HTTP door sends, and how it is set up."""

import os
from typing import Any

from hypothesis import HealthCheck, settings

# In all, spread over the tests; `make fuzz` sends a hundred thousand.
REQUESTS = int(os.environ.get("MASKLINE_FUZZ_REQUESTS", "2500"))


def sending(share: float) -> Any:
    """Settings for a test that sends this share of all requests, one for each example."""
    return settings(
        max_examples=int(REQUESTS * share),
        suppress_health_check=list(HealthCheck),
        deadline=None,
        database=None,
    )
