"""Long texts in parts, as they arrive: in any order, twice, or mixed with those of another text.

The parts of a text have the same source, destination, reference and number of parts. References
come around again, after 256 texts where they have 8 bits; so a part that contradicts one already
here begins another text.
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from maskline.sms.text.reading import UNREADABLE, join

MISSING = "[...]"  # stands in a text for parts that never came; every alphabet has it


class Fit(Enum):
    """What a part is to those that are here."""

    NEW = "new"
    REPEATED = "repeated"  # word for word the same; there is nothing to keep
    CONFLICTING = "conflicting"  # of another text: this one will not become whole any more


def fit(here: Mapping[int, str], number: int, text: str) -> Fit:
    """What part `number` is to the parts of its key that are here."""
    kept = here.get(number)
    if kept is None:
        return Fit.NEW
    return Fit.REPEATED if kept == text else Fit.CONFLICTING


class Joined(NamedTuple):
    """A text from its parts; `missing` are the numbers of those that are not in it."""

    text: str
    missing: tuple[int, ...]


def joined(here: Mapping[int, str], total: int) -> Joined:
    """The text that the parts make, from 1 to `total`; `MISSING` stands where some are not here."""
    runs: list[str] = []
    missing: list[int] = []
    for number in range(1, total + 1):
        if number in here:
            runs.append(here[number])
        elif not missing or missing[-1] != number - 1:
            runs.append(MISSING)
            missing.append(number)
        else:
            missing.append(number)
    return Joined(join(runs), tuple(missing))


__all__ = ["MISSING", "UNREADABLE", "Fit", "Joined", "fit", "join", "joined"]
