"""What becomes of every operation of AWS's Chime services: served, stored only, or refused.

The operations are those of the models; the reasons stand in `data/support.json`.
"""

import json
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple

from maskline.model import DATA, load

VOICE, CHIME = "chime-sdk-voice", "chime"


class Degree(StrEnum):
    SERVED = "Served"
    STORED_ONLY = "StoredOnly"
    REFUSED = "Refused"


class Support(NamedTuple):
    """What becomes of an operation. `reason` and `title`, of its kind, are "" where all is served.

    `services` are those of AWS's that have it, the newer first.
    """

    operation: str
    services: tuple[str, ...]
    degree: Degree
    title: str
    reason: str

    @property
    def page(self) -> str:
        """Where the documentation tells of it."""
        return f"{notes()['page']}#{anchor(self.title)}" if self.title else str(notes()["page"])


@cache
def notes() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "support.json").read_bytes())
    return found


@cache
def support() -> dict[str, Support]:
    """Every operation of both services, by name, in the order of the names."""
    found = {name: offered(name) for name in load(VOICE).operations}
    refused_operations = load("refused").operations.values()
    found |= {each.name: refused(each.name, each.services) for each in refused_operations}
    return dict(sorted(found.items()))


def offered(name: str) -> Support:
    services = (VOICE,) if name in notes()["not_of_chime"] else (VOICE, CHIME)
    for kind, degree in (("stored", Degree.STORED_ONLY), ("partly", Degree.SERVED)):
        if entry := entry_of(kind, name):
            return Support(name, services, degree, entry["title"], entry["reason"])
    return Support(name, services, Degree.SERVED, "", "")


def refused(name: str, services: tuple[str, ...]) -> Support:
    entry = entry_of("refused", name)
    assert entry is not None, f"data/support.json has no reason for {name}"
    newest_first = tuple(sorted(services, reverse=True))
    return Support(name, newest_first, Degree.REFUSED, entry["title"], entry["reason"])


def entry_of(kind: str, name: str) -> dict[str, Any] | None:
    """The first entry of a kind that is about the operation."""
    entries: list[dict[str, Any]] = notes()[kind]
    return next(
        (
            entry
            for entry in entries
            if any(fnmatchcase(name, pattern) for pattern in entry["operations"])
        ),
        None,
    )


def refusal(name: str) -> str:
    """What whoever asks for a refused operation is told."""
    one = support()[name]
    return f"{name} is not offered here. {one.reason} {notes()['offered']} See {one.page}."


def anchor(title: str) -> str:
    """The anchor of a heading, as code hosts make them."""
    return title.lower().replace(" ", "-")
