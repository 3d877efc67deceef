"""Values of options: from the words typed to what the model's shapes ask for."""

import json
from typing import TYPE_CHECKING, Any

from maskline.cli import paramfile
from maskline.cli.faults import BadValue, Fault

if TYPE_CHECKING:
    from maskline.model import Shape

COMPLEX = ("structure", "list", "map")
INTEGERS = ("integer", "long")
FLOATS = ("float", "double")


def read_value(option: str, shape: "Shape", given: Any) -> Any:
    """The value of one option. `given` is the word after it, or the list of words.

    Raises BadValue where the text cannot be read, Fault where it is no number.
    """
    if isinstance(given, list) and len(given) == 1:
        loaded = paramfile.load(option, given[0])
        given = given if loaded == given[0] else loaded
    elif isinstance(given, str):
        given = paramfile.load(option, given)
    try:
        if _reads_shorthand(shape, given):
            return _shorthand(option, shape, given)
        return _read(option, shape, given)
    except ValueError as error:  # int() and float() say what they did not like
        raise Fault(str(error)) from None


def _first(given: Any) -> Any:
    return given[0] if isinstance(given, list) and given else given


def _is_json(text: Any, openings: str = "[{") -> bool:
    opening = text.lstrip()[:1] if isinstance(text, str) else ""
    return opening != "" and opening in openings


def _reads_shorthand(shape: "Shape", given: Any) -> bool:
    """Structures, maps, and lists of these have a shorthand; JSON may be given instead."""
    if _is_json(_first(given)) or not isinstance(_first(given), str):
        return False
    inner = shape.member if shape.type == "list" else shape
    return inner is not None and inner.type in COMPLEX


def _shorthand(option: str, shape: "Shape", given: Any) -> Any:
    from maskline.cli import shorthand

    try:
        if isinstance(given, list):
            return fit(shape, [shorthand.parse(option, text) for text in given])
        return fit(shape, shorthand.parse(option, given))
    except shorthand.NotShorthand as error:
        raise BadValue(option, str(error)) from None


def fit(shape: "Shape", value: Any) -> Any:
    """Shorthand knows text, lists and maps only; this makes of them what the shape asks for."""
    if shape.type == "structure" and isinstance(value, dict):
        members = shape.members
        return {k: fit(members[k], v) if k in members else v for k, v in value.items()}
    if shape.type == "map" and isinstance(value, dict) and shape.value:
        return {k: fit(shape.value, v) for k, v in value.items()}
    if shape.type == "list" and shape.member:
        items = value if isinstance(value, list) else [value]
        return [fit(shape.member, item) for item in items]
    if shape.type == "boolean" and isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), value)
    return _number(shape, value) if isinstance(value, str) else value


def _number(shape: "Shape", text: str) -> Any:
    if shape.type in INTEGERS:
        return int(text)
    return float(text) if shape.type in FLOATS else text


def _read(option: str, shape: "Shape", given: Any) -> Any:
    if shape.type in ("structure", "map"):
        return _json(option, given, "{")
    if shape.type == "list":
        if _is_json(_first(given), "[") and (isinstance(given, str) or len(given) == 1):
            return _json(option, _first(given), "[")
        member = shape.member
        assert member is not None
        return [_read(option, member, item) for item in given]
    if shape.type == "boolean" and isinstance(given, str):
        return given.lower() != "false"
    return _number(shape, given) if isinstance(given, str) else given


def _json(option: str, text: Any, opening: str) -> Any:
    if not _is_json(text, opening):
        raise BadValue(option, f"Invalid JSON:\n{text}")
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadValue(option, f"Invalid JSON: {error}\nJSON received: {text}") from None
    except RecursionError:
        raise BadValue(option, "Invalid JSON: nested too deeply") from None
