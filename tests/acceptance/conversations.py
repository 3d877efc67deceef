"""Many people who text each other at once: what they say, and what comes of it at the carrier."""

import re
from dataclasses import dataclass, field
from itertools import pairwise
from time import monotonic

from smsc import Submit, Text
from text_ground import PROXY, people

LONG = 250  # characters of a long text: two parts
PART = 153  # characters of the GSM alphabet beside a header
SPOKEN = re.compile(r"(\d{11}) (\d+);")


@dataclass
class Conversation:
    """All that is said. `heard` is what came out, by who said it: the how manyth of theirs it was.

    Every part of a text says whose it is. A telephone shows a part of a long text once, however
    often it comes, so such parts are counted for themselves.
    """

    texts: list[list[Text]]
    others: dict[str, str]
    heard: dict[str, list[int]] = field(default_factory=dict)
    invented: list[Submit] = field(default_factory=list)
    parts: dict[tuple[str, int], dict[int, str]] = field(default_factory=dict)
    parts_again: int = 0
    count: int = 0
    twice: int = 0
    at: float = 0.0

    def hear(self, submit: Submit) -> None:
        """A text comes out: it must be one that went in, for the other side, from our number."""
        self.at = monotonic()
        total, number, words = part_of(submit)
        said = SPOKEN.search(words)
        place = (f"+{submit.source.lstrip('+')}", f"+{submit.destination.lstrip('+')}")
        if said is None or place != (PROXY, self.others.get(f"+{said[1]}")):
            self.invented.append(submit)
            return
        source, which = said[1], int(said[2])
        parts = self.parts.setdefault((source, which), {})
        if total > 1 and number in parts:
            self.parts_again += 1
            return
        again = bool(parts) and total == 1
        parts[number] = words
        if len(parts) == total:
            if "".join(parts[place] for place in sorted(parts)) != spoken(source, which, total > 1):
                self.invented.append(submit)
            self.heard.setdefault(source, []).append(which)
            self.count += not again
            self.twice += again

    @property
    def in_order(self) -> bool:
        """Whether nothing was heard after what was said later, not even what is heard twice."""
        return all(a <= b for numbers in self.heard.values() for a, b in pairwise(numbers))


def conversation(texts: int, pairs: int, long_every: int = 0) -> Conversation:
    """So many texts between so many pairs; one of `long_every` has two parts, 0: none."""
    couples = people(pairs)
    others = dict(couples) | {second: first for first, second in couples}
    sources, said = list(others), dict.fromkeys(others, 0)
    found = Conversation([], others)
    for place in range(texts):
        source = sources[place % len(sources)]
        said[source] += 1
        is_long = bool(long_every) and place % long_every == 1
        found.texts.append(brought(source[1:], said[source], is_long))
    return found


def spoken(source: str, which: int, is_long: bool) -> str:
    one = f"{source} {which};"
    return (one * LONG)[:LONG] if is_long else one


def brought(source: str, which: int, is_long: bool) -> list[Text]:
    """The text as the carrier has it, in its parts."""
    octets = spoken(source, which, is_long).encode()
    if not is_long:
        return [Text(source, PROXY[1:], octets)]
    pieces = [octets[place : place + PART] for place in range(0, LONG, PART)]
    headers = [bytes((5, 0, 3, which % 256, len(pieces), n)) for n in range(1, len(pieces) + 1)]
    return [
        Text(source, PROXY[1:], header + piece, esm_class=0x40)
        for header, piece in zip(headers, pieces, strict=True)
    ]


def part_of(submit: Submit) -> tuple[int, int, str]:
    """Of how many parts which one it is, and its words."""
    if not submit.esm_class & 0x40:
        return 1, 1, submit.octets.decode()
    assert submit.octets[:3] == b"\5\0\3", submit.octets[:6]
    return submit.octets[4], submit.octets[5], submit.octets[6:].decode()
