"""A text as several, for carriers that take only so much at once and do not cut it themselves."""

from collections.abc import Callable, Sequence
from itertools import accumulate

from maskline.sms.text import gsm
from maskline.sms.text.graphemes import graphemes

DOUBLE = frozenset(gsm.EXTENSION.values())  # take two septets of GSM, and one unit of UTF-16


def room_of(text: str) -> int:
    """How much room a text takes at most, in septets of GSM or units of UTF-16."""
    return len(text) + sum(sign > "\uffff" or sign in DOUBLE for sign in text)


def octets_of(text: str) -> int:
    return len(text.encode())


def pieces(text: str, most: int, size: Callable[[str], int] = room_of) -> list[str]:
    """Pieces of at most that size, broken between words or lines where there are any, else between
    what a reader sees as characters; only one that is longer than a piece is itself broken."""
    if size(text) <= most:
        return [text]
    units = [
        part
        for unit in graphemes(text)
        for part in ([unit] if size(unit) <= most else unit)
    ]  # fmt: skip
    sizes = [size(unit) for unit in units]
    found, start = [], 0
    while (end := start + fitting(sizes[start:], most)) < len(units):
        end = word_end(units, start, end)
        found.append("".join(units[start:end]))
        start = end
    return [*found, "".join(units[start:])]


def fitting(sizes: Sequence[int], most: int) -> int:
    """How many of the first units fit."""
    sums = accumulate(sizes)
    return next((place for place, size in enumerate(sums) if size > most), len(sizes))


def word_end(units: Sequence[str], start: int, end: int) -> int:
    """Where the last word or line ends, if in the second half of a piece; else where that ends."""
    places = range(end - 1, (start + end) // 2, -1)
    return next((place + 1 for place in places if units[place] in (" ", "\n", "\r\n")), end)
