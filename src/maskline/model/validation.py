"""Whether a request is what its model says: its faults all at once, in AWS's words.

A shape is compiled once into a function that appends to a list of faults. No value of a sensitive
shape, nor of one that holds a sensitive shape, appears in a fault.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from maskline.model.service import Shape

Check = Callable[[Any, str, list[str]], None]  # value, where it stands, faults found
Rule = tuple[Callable[[Any], bool], str]  # whether a value breaks it, and what it says

# Type -> the Python types of its values once read. A boolean is no number, a time that could be
# read is one.
TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "list": (list,),
    "map": (dict,),
    "string": (str,),
    "timestamp": (int,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "boolean": (bool,),
}
COUNTED = ("string", "list", "map")
LIMITS = {"integer": 2**31, "long": 2**63}
LONGEST_SHOWN = 256  # characters of a value in a fault
MOST_FAULTS = 100  # nobody reads more, and a body of nothing but faults would fill a huge answer

# Patterns that Python would try in a number of ways that grows with the square of the length, and
# what matches the same texts in one pass. A text of a megabyte would occupy the server for hours.
READ_AS = {r".*\S.*": r"[^\S\n]*\S.*"}


def faults(shape: Shape, value: Any) -> list[str]:
    """The first MOST_FAULTS faults of a value, in the order of the model; none when it is good."""
    found: list[str] = []
    _check(shape)(value, "", found)
    return found[:MOST_FAULTS]


def message(faults: list[str]) -> str:
    """The faults as one text: "2 validation errors detected: …; …"."""
    noun = "error" if len(faults) == 1 else "errors"
    return f"{len(faults)} validation {noun} detected: {'; '.join(faults)}"


@cache
def _check(shape: Shape) -> Check:
    """The check for a value that is there."""
    accepted = TYPES[shape.type]
    tell = _teller(shape)
    inner = _inner_check(shape)

    def check(value: Any, where: str, found: list[str]) -> None:
        if len(found) >= MOST_FAULTS:
            return
        if type(value) in accepted:
            inner(value, where, found)
        elif value is None:
            found.append(_fault(where, "Member must not be null", " null"))
        else:
            found.append(tell(value, where, f"Member must be of type {shape.type}"))

    return check


def _inner_check(shape: Shape) -> Check:
    match shape.type:
        case "structure":
            return _structure_check(shape)
        case "list":
            return _list_check(shape)
        case "map":
            return _map_check(shape)
    return _plain_check(shape)


def _structure_check(shape: Shape) -> Check:
    members = shape.members

    @cache
    def checks() -> list[tuple[str, str, bool, Check]]:
        """Made when they are needed: a shape may hold itself."""
        return [
            (name, f"{name[0].lower()}{name[1:]}", name in shape.required, _check(member))
            for name, member in members.items()
        ]

    def check(value: dict[str, Any], where: str, found: list[str]) -> None:
        prefix = f"{where}." if where else ""
        for name, path, required, inner in checks():
            item = value.get(name)
            if item is not None or required:
                inner(item, prefix + path, found)
        if not value.keys() <= members.keys():
            unknown = [name for name in value if name not in members][:MOST_FAULTS]
            found.extend(_fault(prefix + _shortened(name), "Unknown member") for name in unknown)

    return check


def _list_check(shape: Shape) -> Check:
    assert shape.member is not None
    each = _check(shape.member)
    rules = _rules(shape)
    tell = _teller(shape)

    def check(value: list[Any], where: str, found: list[str]) -> None:
        found.extend(tell(value, where, text) for broken, text in rules if broken(value))
        for position, item in enumerate(value, 1):
            each(item, f"{where}.{position}.member", found)

    return check


def _map_check(shape: Shape) -> Check:
    assert shape.key is not None
    assert shape.value is not None
    key, each = _check(shape.key), _check(shape.value)
    rules = _rules(shape)
    tell = _teller(shape)

    def check(value: dict[str, Any], where: str, found: list[str]) -> None:
        found.extend(tell(value, where, text) for broken, text in rules if broken(value))
        for name, item in value.items():
            key(name, f"{where}.key", found)
            each(item, f"{where}.{_shortened(name)}.member", found)

    return check


def _plain_check(shape: Shape) -> Check:
    rules = _rules(shape)
    tell = _teller(shape)

    def check(value: Any, where: str, found: list[str]) -> None:
        for broken, text in rules:
            if broken(value):
                found.append(tell(value, where, text))

    return check


def _rules(shape: Shape) -> list[Rule]:
    """What a value of the right type has to keep to."""
    rules = _size_rules(shape) if shape.type in COUNTED else _number_rules(shape)
    if shape.enum:
        allowed = frozenset(shape.enum)
        values = ", ".join(shape.enum)
        text = f"Member must satisfy enum value set: [{values}]"
        rules.append((lambda value: value not in allowed, text))
    if shape.pattern is not None:
        # AWS's patterns are Java's: whole texts, and \d is a digit of ASCII.
        matches = re.compile(READ_AS.get(shape.pattern, shape.pattern), re.ASCII).fullmatch
        text = f"Member must satisfy regular expression pattern: {shape.pattern}"
        rules.append((lambda value: matches(value) is None, text))
    return rules


def _size_rules(shape: Shape) -> list[Rule]:
    rules: list[Rule] = []
    if (least := shape.min) is not None:
        text = f"Member must have length greater than or equal to {least}"
        rules.append((lambda value: len(value) < least, text))
    if (most := shape.max) is not None:
        text = f"Member must have length less than or equal to {most}"
        rules.append((lambda value: len(value) > most, text))
    return rules


def _number_rules(shape: Shape) -> list[Rule]:
    """The bounds of the shape, else those of what holds its type."""
    limit = LIMITS.get(shape.type)
    least = shape.min if shape.min is not None else limit and -limit
    most = shape.max if shape.max is not None else limit and limit - 1
    rules: list[Rule] = []
    if least is not None:
        text = f"Member must have value greater than or equal to {least}"
        rules.append((lambda value: value < least, text))
    if most is not None:
        text = f"Member must have value less than or equal to {most}"
        rules.append((lambda value: value > most, text))
    return rules


def _teller(shape: Shape) -> Callable[[Any, str, str], str]:
    """Makes the text of a fault in a value of this shape, with the value where it may be seen."""
    hidden = is_sensitive(shape)

    def tell(value: Any, where: str, text: str) -> str:
        shown = "" if hidden else f" '{_shortened(_as_text(value))}'"
        return _fault(where, text, shown)

    return tell


def _fault(where: str, text: str, shown: str = "") -> str:
    place = f" at '{where}'" if where else ""
    return f"Value{shown}{place} failed to satisfy constraint: {text}"


def _as_text(value: Any) -> str:
    """A value as AWS's services print it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_as_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}={_as_text(item)}' for name, item in value.items())}}}"
    return str(value)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def is_sensitive(shape: Shape, around: tuple[str, ...] = ()) -> bool:
    """Whether a shape, or any that it holds, is sensitive. `around` are those that hold it."""
    if shape.sensitive:
        return True
    if shape.name in around:
        return False
    inner = [*shape.members.values(), shape.member, shape.key, shape.value]
    return any(is_sensitive(each, (*around, shape.name)) for each in inner if each)
