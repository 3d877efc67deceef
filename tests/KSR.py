"""In place of the module that Kamailio gives its script: whatever the test at hand has for one."""

from typing import Any

kamailio: Any = None


def __getattr__(name: str) -> Any:
    return getattr(kamailio, name)
