"""Reads a TOML document into the classes of `schema`; every fault is told by its key's name."""

import difflib
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

from maskline.settings.values import Secret, StoreUrl, Url

WITH_SECRETS = (Secret, StoreUrl, Url)  # what may hold a password is not shown


class Faults(list[str]):
    """What is wrong with a document, a sentence for each fault. `names` are all settings that there
    are, as far as it is to be told where one belongs that stands elsewhere."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        super().__init__()
        self.names = tuple(names)

    def add(self, key: str, problem: str) -> None:
        self.append(f"{key}: {problem}")

    def check_pair(self, place: str, prefix: str, certificate: object, key: object) -> None:
        """A certificate and its key are both there, or neither; `prefix` begins their names."""
        if (certificate is None) != (key is None):
            missing = "key" if key is None else "certificate"
            self.add(f"{place}.{prefix}{missing}", "missing; certificate and key go together")


def read(kind: type, table: Mapping[str, Any], faults: Faults, prefix: str = "") -> Any:
    """The `kind` that `table` describes; None when one of its own settings is at fault."""
    known = {one.name: one for one in fields(kind)}
    for key in table.keys() - known.keys():
        told = belongs(key, faults.names) or suggestion(key, known)
        faults.add(prefix + key, "no such setting" + told)
    types_by_name = get_type_hints(kind)
    before = len(faults)
    values = {}
    for name, one in known.items():
        if name in table:
            values[name] = value(types_by_name[name], table[name], one, faults, prefix + name)
        elif one.default is MISSING:
            faults.add(prefix + name, "missing; it has no default")
    return kind(**values) if len(faults) == before else None


def is_table(kind: Any) -> TypeGuard[type]:
    """Whether TOML spells this kind as a table; the kinds that `parse` are spelled as texts."""
    return is_dataclass(kind) and not hasattr(kind, "parse")


def suggestion(key: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def belongs(key: str, names: Iterable[str]) -> str:
    """Where a setting of this name stands: what is written below a table's head is that table's."""
    places = [name.removesuffix(key) for name in names if f".{name}".endswith(f".{key}")]
    if not places:
        return ""
    if "" in places:
        return f"; {key} stands at the top of the file, before the first table"
    heads = [head(place.removesuffix(".")) for place in places]
    return f"; there is one in {' and in '.join(heads)}"


def head(key: str) -> str:
    """How the file begins a table: `[carriers.sip]` for `carriers[0].sip`, `[[carriers]]` for
    `carriers[0]` or `carriers[]`."""
    name = re.sub(r"\[\d*\]\.", ".", key)
    several = name.endswith("]")
    return f"[[{name.partition('[')[0]}]]" if several else f"[{name}]"


def value(kind: Any, given: Any, one: Field[Any], faults: Faults, key: str) -> Any:
    """The value of one setting, or None with a fault."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return value(arguments[0], given, one, faults, key)
    if origin is tuple:
        return items(arguments[0], given, one, faults, key)
    if origin is dict:
        return members(arguments[1], given, one, faults, key)
    if is_table(kind):
        if isinstance(given, dict):
            return read(kind, given, faults, key + ".")
        return faults.add(key, f"must be a table, {head(key)}")
    try:
        return scalar(kind, given, one)
    except ValueError as error:
        return faults.add(key, str(error))


def items(kind: Any, given: Any, one: Field[Any], faults: Faults, key: str) -> tuple[Any, ...]:
    if not isinstance(given, list):
        written = f"{head(f'{key}[]')} for each" if is_table(kind) else "in brackets"
        faults.add(key, f"must be a list, {written}")
        return ()
    return tuple(
        value(kind, item, one, faults, f"{key}[{place}]") for place, item in enumerate(given)
    )


def members(kind: Any, given: Any, one: Field[Any], faults: Faults, key: str) -> dict[str, Any]:
    """A table whose names are not ours."""
    if not isinstance(given, dict):
        faults.add(key, f"must be a table, {head(key)}")
        return {}
    return {name: value(kind, item, one, faults, f"{key}.{name}") for name, item in given.items()}


def scalar(kind: Any, given: Any, one: Field[Any]) -> Any:
    """A value that is no table and no list; raises ValueError in words for the operator."""
    if kind is int:
        return whole_number(given, one.metadata["least"], one.metadata["most"])
    if kind is bool:
        if not isinstance(given, bool):
            raise ValueError(f"{shown(given)} must be true or false")
        return given
    if not isinstance(given, str):
        what = "it" if kind in WITH_SECRETS else shown(given)
        raise ValueError(f"{what} must be a text in quotes")
    if get_origin(kind) is Literal:
        if given not in get_args(kind):
            raise ValueError(f"{given!r} is none of {', '.join(get_args(kind))}")
        return given
    if not given:
        raise ValueError("must not be empty")
    if kind is Path and "\0" in given:
        raise ValueError(f"{given!r} is no path")
    return Path(given) if kind is Path else given if kind is str else kind.parse(given)


def shown(given: Any) -> str:
    """A value as the file has it."""
    return str(given).lower() if isinstance(given, bool) else repr(given)


def whole_number(given: Any, least: int, most: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise ValueError(f"{shown(given)} must be a whole number")
    if not least <= given <= most:
        raise ValueError(f"{given} is not between {least} and {most}")
    return given


def leaves(kind: type, prefix: str = "") -> Iterator[tuple[str, Field[Any], Any]]:
    """Every setting below `kind`: full key, field, type; a list of tables is `name[]`."""
    types_by_name = get_type_hints(kind)
    for one in fields(kind):
        hint = types_by_name[one.name]
        several = get_origin(hint) is tuple
        inner = hint if is_table(hint) else (*get_args(hint), hint)[0]
        if is_table(inner):
            mark = "[]." if several else "."
            yield from leaves(inner, prefix + one.name + mark)
        else:
            yield prefix + one.name, one, hint
