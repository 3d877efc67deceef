"""Checking parameters before they are sent, in the words of the AWS clients.

Only what those clients check: presence, types, unknown names, and the lower bounds. Enumerations,
patterns and upper bounds are the server's business.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from maskline.cli.faults import BadParameters

if TYPE_CHECKING:
    from maskline.model import Shape

# Shape type -> what JSON gives for it. A boolean passes as a number, as it does in Python.
TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "list": (list, tuple),
    "map": (dict,),
    "string": (str,),
    "character": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (float, Decimal, int),
    "double": (float, Decimal, int),
    "boolean": (bool,),
    "timestamp": (str, int, float, datetime),  # the last in YAML
}
COUNTED = ("string", "list", "map")


def check(shape: "Shape | None", parameters: dict[str, Any]) -> None:
    """Raise BadParameters with a line for each fault in the parameters of an operation."""
    faults = list(_faults(shape, parameters, "")) if shape else []
    if faults:
        raise BadParameters("\n".join(["Parameter validation failed:", *faults]))


def _faults(shape: "Shape", value: Any, name: str) -> Iterator[str]:
    accepted: Any = TYPES[shape.type]
    if not isinstance(value, accepted):
        valid = ", ".join(str(each) for each in accepted)
        yield (
            f"Invalid type for parameter {name}, value: {value}, type: {type(value)},"
            f" valid types: {valid}"
        )
    elif shape.type == "structure":
        yield from _structure_faults(shape, value, name)
    else:
        yield from _range_faults(shape, value, name)
        yield from _item_faults(shape, value, name)


def _structure_faults(shape: "Shape", value: dict[str, Any], name: str) -> Iterator[str]:
    where = name or "input"
    for required in shape.required:
        if required not in value:
            yield f'Missing required parameter in {where}: "{required}"'
    known = ", ".join(shape.members)
    for key in value:
        if key not in shape.members:
            yield f'Unknown parameter in {where}: "{key}", must be one of: {known}'
    for key, item in value.items():
        if key in shape.members:
            yield from _faults(shape.members[key], item, f"{name}.{key}" if name else key)


def _range_faults(shape: "Shape", value: Any, name: str) -> Iterator[str]:
    if shape.min is None:
        return
    if shape.type in COUNTED:
        if len(value) < shape.min:
            yield (
                f"Invalid length for parameter {name}, value: {len(value)},"
                f" valid min length: {shape.min}"
            )
    elif value < shape.min:
        yield f"Invalid value for parameter {name}, value: {value}, valid min value: {shape.min}"


def _item_faults(shape: "Shape", value: Any, name: str) -> Iterator[str]:
    if shape.type == "list" and shape.member:
        for index, item in enumerate(value):
            yield from _faults(shape.member, item, f"{name}[{index}]")
    elif shape.type == "map" and shape.key and shape.value:
        for key, item in value.items():
            yield from _faults(shape.key, key, f"{name} (key: {key})")
            yield from _faults(shape.value, item, f"{name}.{key}")
