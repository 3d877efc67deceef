"""Placeholders in a request that is described by data: `{name}` in texts, and nothing cleverer.

A body is described as a structure and written as JSON from it, so no value can break out of its
place. `{{` and `}}` are braces.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

Values = Mapping[str, Any]

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([a-z_]+)\}")
ALONE = re.compile(r"\{([a-z_]+)\}")
STRAY = re.compile(r"[{}]")


class BadTemplate(ValueError):
    """A template with a brace that begins or ends nothing."""


def names(template: Any) -> Iterator[str]:
    """The names of all placeholders in a structure of texts; raises BadTemplate."""
    if isinstance(template, str):
        if STRAY.search(PLACEHOLDER.sub("", template)):
            raise BadTemplate(f"{template!r} has a brace that belongs to no placeholder")
        yield from (found[1] for found in PLACEHOLDER.finditer(template) if found[1])
    elif isinstance(template, Mapping):
        for part in template.values():
            yield from names(part)
    elif isinstance(template, list):
        for part in template:
            yield from names(part)


def filled(template: str, values: Values) -> str:
    """The text with its placeholders filled."""

    def one(found: re.Match[str]) -> str:
        return str(values[found[1]]) if found[1] else found[0][0]

    return PLACEHOLDER.sub(one, template)


def filled_url(template: str, values: Values) -> str:
    """The URL with its placeholders filled; a value stays within its part of the path or query."""
    return filled(template, {name: quote(str(value), safe="") for name, value in values.items()})


def filled_structure(template: Any, values: Values) -> Any:
    """The structure with all its texts filled.

    A text that is one placeholder and nothing else becomes the value itself, a list or a number
    too; a member or item whose value is None or an empty list is left out.
    """
    if isinstance(template, str):
        alone = ALONE.fullmatch(template)
        return values[alone[1]] if alone else filled(template, values)
    if isinstance(template, Mapping):
        members = ((name, filled_structure(part, values)) for name, part in template.items())
        return {name: value for name, value in members if value not in (None, [])}
    if isinstance(template, list):
        items = (filled_structure(part, values) for part in template)
        return [value for value in items if value not in (None, [])]
    return template
