"""Which phone numbers of the United States and Canada belong to a state or a city.

The table `cities.txt` holds what libphonenumber's geocoder says of a number; tools/cities makes it.
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_suffix(".txt")
OFFICES = 1000  # an area code has, three digits each


class Span(NamedTuple):
    """Numbers in E.164 form from `first` to before `end`, as texts."""

    first: str
    end: str


@lru_cache(maxsize=1024)
def spans_of(state: str, city: str = "") -> tuple[Span, ...]:
    """The numbers of a city of a state, or of the whole state, in ascending order.

    Names count without regard to case, a state's is its two letters. Empty when it is not known.
    """
    written = _table().get((state.casefold(), city.casefold()), "")
    return tuple(Span(f"+1{first}", f"+1{last + 1}") for first, last in _runs(written))


def is_state(state: str) -> bool:
    return (state.casefold(), "") in _table()


@cache
def _table() -> dict[tuple[str, str], str]:
    found = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        state, city, written = line.split("\t")
        found[state.casefold(), city.casefold()] = written
    return found


def _runs(written: str) -> Iterator[tuple[int, int]]:
    """`206:215,217-219 212` as first and last six digits."""
    for part in written.split():
        area_code, _, offices = part.partition(":")
        for run in (offices or f"0-{OFFICES - 1}").split(","):
            first, _, last = run.partition("-")
            start = int(area_code) * OFFICES
            yield start + int(first), start + int(last or first)
