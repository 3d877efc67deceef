"""What an access key may do, and to what."""

from dataclasses import dataclass
from functools import lru_cache

from maskline.domain.refusals import BadRequest

ANYTHING = "*"
MOST_STARS = 16  # in one pattern; an ARN has six parts


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
    return ANYTHING in patterns or any(fits(pattern, text) for pattern in patterns)


def fits(pattern: str, text: str) -> bool:
    """Whether a text is what the pattern says, found in one pass: each piece between two stars is
    taken where it comes first. What a regular expression would try instead, a tenant could choose
    so that it took years."""
    if ANYTHING not in pattern:
        return pattern == text
    first, *middle, last = pieces(pattern)
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


@lru_cache(maxsize=4096)
def pieces(pattern: str) -> tuple[str, ...]:
    """What stands before, between and after a pattern's stars; several in a row are one."""
    first, *middle, last = pattern.split(ANYTHING)
    return first, *filter(None, middle), last


def require_few_stars(grant: Grant) -> None:
    """Raises BadRequest for a pattern that nobody has reason to ask for."""
    for pattern in (*grant.actions, *grant.resources):
        if pattern.count(ANYTHING) > MOST_STARS:
            raise BadRequest(
                f"A pattern of Actions or Resources can hold at most {MOST_STARS} stars"
            )
