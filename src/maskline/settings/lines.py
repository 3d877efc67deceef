"""Where in a TOML document a setting stands, which its reader does not tell."""

import re
import tomllib
from bisect import bisect_left
from typing import Any

STEP = re.compile(r"\[(\d+)\]|([^.\[]+)")
# What the library says of a table that stands in a document twice, its name as a tuple.
TWICE = re.compile(r"Cannot declare \((.+)\) twice \(at (line \d+)")


def with_line(text: str, fault: str) -> str:
    """The fault of a document, with the line of the setting that it begins with.

    One that is missing has the line of the table that it is missing from.
    """
    path = known(tomllib.loads(text), steps(fault))
    return f"line {line_of(text, path)}: {fault}" if path else fault


def not_toml(error: ValueError) -> str:
    """The fault of a document that cannot be read."""
    found = TWICE.match(str(error))
    if not found:
        return f"not a TOML document: {error}"
    name = ".".join(re.findall("'([^']*)'", found[1]))
    return f"{found[2]}: [{name}] is in the file already; write below that one"


def steps(fault: str) -> list[str | int]:
    """`carriers[1].sip.address: …` as `carriers`, 1, `sip`, `address`."""
    key = fault.partition(": ")[0]
    return [int(place) if place else name for place, name in STEP.findall(key)]


def known(table: Any, path: list[str | int]) -> list[str | int]:
    """As much of a path as leads to something."""
    for length, step in enumerate(path):
        try:
            table = table[step]
        except (KeyError, IndexError, TypeError):
            return path[:length]
    return path


def line_of(text: str, path: list[str | int]) -> int:
    """The first line of the statement that brings what is at the path into the document."""
    lines = [f"{line}\n" for line in text.split("\n")]
    counts = range(len(lines) + 1)
    return bisect_left(counts, True, key=lambda count: known(said(lines, count), path) == path)


def said(lines: list[str], count: int) -> Any:
    """What the first lines say, to the end of the statement that the last of them is in."""
    for end in range(count, len(lines) + 1):
        try:
            return tomllib.loads("".join(lines[:end]))
        except tomllib.TOMLDecodeError:  # inside a value of several lines
            continue
    raise AssertionError("the whole document can be read")
