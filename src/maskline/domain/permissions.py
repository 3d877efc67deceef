"""What an access key may do, and to what."""

import re
from dataclasses import dataclass
from functools import lru_cache

ANYTHING = "*"


@dataclass(frozen=True)
class Grant:
    """Patterns of actions (`chime:GetProxySession`, `chime:*`) and of resources (`arn:…:vc/…`).

    A `*` in a pattern stands for any text.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def allows(self, action: str, resource: str) -> bool:
        """Whether the action may be done to the resource; `*` is a resource without an ARN."""
        return matches(self.actions, action) and matches(self.resources, resource)

    def covers(self, other: "Grant") -> bool:
        """Whether everything that the other grant allows is allowed by this one."""
        return all(matches(self.actions, action) for action in other.actions) and all(
            matches(self.resources, resource) for resource in other.resources
        )


EVERYTHING = Grant((ANYTHING,), (ANYTHING,))


def matches(patterns: tuple[str, ...], text: str) -> bool:
    return ANYTHING in patterns or any(compiled(pattern).fullmatch(text) for pattern in patterns)


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
