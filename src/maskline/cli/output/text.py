"""`--output text`: one line for each group of scalars, tabs between them, keys in order."""

from typing import Any, TextIO

COMPLEX = (dict, list)


def write_text(value: Any, stream: TextIO) -> None:
    """Write a value in the text format of the AWS CLI."""
    for line in _lines(value, "", None):
        stream.write(f"{line}\n")


def _lines(value: Any, name: str, columns: list[str] | None) -> list[str]:
    if isinstance(value, dict):
        return _structure(value, name, columns)
    if isinstance(value, list):
        return _list(value, name)
    return [str(value)]


def _structure(value: dict[str, Any], name: str, columns: list[str] | None) -> list[str]:
    """The scalars on one line headed by the structure's name, the rest on lines of their own.

    `columns` are the scalars that any structure of the same list has; missing ones stay empty.
    """
    inner = sorted(key for key, item in value.items() if isinstance(item, COMPLEX))
    scalars = sorted(value.keys() - inner) if columns is None else columns
    cells = [str(value.get(key, "")) for key in scalars if key not in inner]
    lines = ["\t".join([name.upper(), *cells] if name else cells)] if cells else []
    for key in inner:
        lines += _lines(value[key], key, None)
    return lines


def _list(items: list[Any], name: str) -> list[str]:
    structures = [item for item in items if isinstance(item, dict)]
    if structures:
        columns = sorted(
            {k for s in structures for k, v in s.items() if not isinstance(v, COMPLEX)}
        )
        return [line for item in items for line in _lines(item, name, columns)]
    scalars = [str(item) for item in items if not isinstance(item, list)]
    lines = [f"{name.upper()}\t{scalar}" for scalar in scalars] if name else []
    if scalars and not name:
        lines = ["\t".join(scalars)]
    for item in items:
        if isinstance(item, list):
            lines += _lines(item, name, None)
    return lines
