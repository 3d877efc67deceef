"""The settings as people read them: the file written on first start, the page of the guide."""

import textwrap
import types
from collections.abc import Iterator
from dataclasses import MISSING, Field
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from maskline.settings.reader import leaves
from maskline.settings.schema import Carrier, Settings
from maskline.settings.sip import CarrierSip
from maskline.settings.values import Endpoint, Source

DEMO_CARRIER = Carrier(
    name="demo",
    sip=CarrierSip(
        address=Endpoint("127.0.0.1", 5080), transport="udp", sources=(Source("127.0.0.1/32"),)
    ),
)

DEFAULT_HEADING = """\
The settings of Maskline. What is left out keeps the default shown here.
docs/guides/configuration.md tells about each."""

CARRIERS_HEADING = """\
A carrier delivers calls to us and takes calls from us. This one is for trying things on one
machine (`make demo` plays its part). Replace it by your own; write as many as you have."""


def default_file() -> str:
    """The text of the settings file that is written when there is none."""
    lines = [*comment(DEFAULT_HEADING), ""]
    section = ""
    for key, one, kind in leaves(Settings):
        table, _, name = key.rpartition(".")
        if table.startswith("carriers"):
            continue
        if table != section:
            section = table
            lines += [f"[{table}]"]
        lines += [*comment(one.metadata["about"]), *assignment(name, one, kind), ""]
    return "\n".join([*lines, *comment(CARRIERS_HEADING), *demo_carrier()]) + "\n"


def comment(text: str) -> list[str]:
    return ["# " + line for part in text.split("\n") for line in textwrap.wrap(part, 96)]


def assignment(name: str, one: Field[Any], kind: Any) -> list[str]:
    choices = choice_of(kind)
    head = ["# One of: " + ", ".join(choices)] if choices else []
    if one.metadata["example"]:
        return [*head, f"# {name} = {toml(one.metadata['example'])}"]
    return [*head, f"{name} = {toml(one.default)}"]


def demo_carrier() -> Iterator[str]:
    yield "[[carriers]]"
    yield f"name = {toml(DEMO_CARRIER.name)}"
    yield "[carriers.sip]"
    for name in ("address", "transport", "sources", "messages"):
        yield f"{name} = {toml(getattr(DEMO_CARRIER.sip, name))}"


def toml(value: object) -> str:
    """A value as TOML writes it; only what settings are made of."""
    if isinstance(value, tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, int):  # a truth value, too
        return str(value).lower()
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def choice_of(kind: Any) -> tuple[str, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


GUIDE_HEAD = """\
# Configuration

Maskline reads one TOML file: `maskline serve --config maskline.toml`, or
`make serve CONFIG=maskline.toml`. When the file does not exist it is written with the defaults
below and one carrier for trying things out. A key that Maskline does not know, or a value it
cannot use, is refused at start by line and name; nothing is ignored silently.

This page is generated from the settings' own descriptions (`python -m maskline.settings`).
"""


def guide() -> str:
    """The text of docs/guides/configuration.md."""
    parts = [GUIDE_HEAD]
    section = None
    for key, one, kind in leaves(Settings):
        table = key.rpartition(".")[0]
        if table != section:
            section = table
            parts.append(section_head(table))
        parts.append(guide_entry(key, one, kind))
    return "\n".join(parts)


def section_head(table: str) -> str:
    if not table:
        return f"## At the top of the file\n\n{Settings.__doc__}\n"
    name = table.replace("[]", "")
    place = f"[[{name}]]" if table.endswith("[]") else f"[{name}]"
    return f"## `{place}`\n\n{section_class(table).__doc__}\n"


def section_class(table: str) -> type:
    kind: Any = Settings
    for name in table.split("."):
        hint = get_type_hints(kind)[name.removesuffix("[]")]
        kind = hint if isinstance(hint, type) else get_args(hint)[0]
    assert isinstance(kind, type)
    return kind


def guide_entry(key: str, one: Field[Any], kind: Any) -> str:
    name = key.rpartition(".")[2]
    return f"### `{name}`\n\n{one.metadata['about']}\n\n{'; '.join(facts(one, kind))}.\n"


def facts(one: Field[Any], kind: Any) -> Iterator[str]:
    yield meaning(kind)
    if one.metadata["least"] is not None:
        yield f"from {one.metadata['least']} to {one.metadata['most']}"
    if one.default is MISSING:
        yield f"must be given, for example `{one.metadata['example']}`"
    elif one.default is None:
        yield f"for example `{one.metadata['example']}`"
    else:
        yield f"default `{toml(one.default)}`"


def meaning(kind: Any) -> str:
    """What sort of value a setting takes, in words."""
    if get_origin(kind) is Literal:
        return "One of " + ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "A list; each item: " + meaning(get_args(kind)[0])
    if get_origin(kind) is dict:
        return "A table"
    if get_origin(kind) in (Union, types.UnionType):
        return meaning(get_args(kind)[0])
    if hasattr(kind, "parse"):
        return str(kind.__doc__).partition(":")[0].strip().removesuffix(".")
    return {int: "A whole number", bool: "True or false", str: "A text"}.get(kind, "A path")
