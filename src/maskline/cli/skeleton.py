"""Samples of parameters and of answers, for `--generate-cli-skeleton`."""

import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskline.model import Operation, Shape

# What stands for a value of a type in a sample of parameters.
EMPTY: dict[str, Any] = {
    "integer": 0,
    "long": 0,
    "float": 0.0,
    "double": 0.0,
    "boolean": True,
    "timestamp": "1970-01-01T00:00:00",
}


def sample(shape: "Shape", name: str | None = None, inside: tuple[str, ...] = ()) -> Any:
    """A value of a shape with every member in it.

    Text is the member's name where one is given (in samples of answers), else empty, or the first
    of its allowed values. `inside` are the structures around it: a shape that holds itself ends.
    """
    if shape.type == "structure":
        if inside.count(shape.name) > 1:
            return {}
        around = (*inside, shape.name)
        return {
            key: sample(member, None if name is None else key, around)
            for key, member in shape.members.items()
        }
    if shape.type == "list":
        assert shape.member is not None
        return [sample(shape.member, None if name is None else shape.member.name, inside)]
    if shape.type == "map":
        assert shape.value is not None
        return {"KeyName": sample(shape.value, None if name is None else "", inside)}
    if shape.type in EMPTY:
        return EMPTY[shape.type]
    if name is not None:
        return name
    return shape.enum[0] if shape.enum else ""


def sample_input(operation: "Operation", as_yaml: bool = False) -> str:
    """The parameters of an operation, ready to be filled in, as JSON or as YAML with comments."""
    if as_yaml:
        return _yaml_input(operation)
    return json.dumps(sample(operation.input) if operation.input else {}, indent=4) + "\n"


def sample_answer(operation: "Operation") -> Any:
    """An answer of an operation with every member in it."""
    return sample(operation.output, "") if operation.output else {}


def _yaml_input(operation: "Operation") -> str:
    from ruamel.yaml import YAML

    writer = YAML()
    document = _commented(operation.input, writer) if operation.input else writer.map()
    buffer = io.StringIO()
    writer.dump(document, buffer)
    return buffer.getvalue()


def _commented(shape: "Shape", writer: Any, inside: tuple[str, ...] = ()) -> Any:
    """A sample as a YAML document that says behind each member what it is."""
    if shape.type == "structure":
        found = writer.map()
        if inside.count(shape.name) > 1:
            return found
        for name, member in shape.members.items():
            found[name] = _commented(member, writer, (*inside, shape.name))
            if comment := _comment(member, name in shape.required):
                found.yaml_add_eol_comment(f"# {comment}", name)
        return found
    if shape.type == "list":
        assert shape.member is not None
        return [_commented(shape.member, writer, inside)]
    if shape.type == "map":
        assert shape.value is not None
        return {"KeyName": _commented(shape.value, writer, inside)}
    return sample(shape)


def _comment(shape: "Shape", required: bool) -> str:
    """Whether a member is needed, the first sentence about it, and what is allowed."""
    first, stop, _ = " ".join(shape.documentation.split()).partition(". ")
    parts = ["[REQUIRED]"] if required else []
    if first:
        parts.append(first + stop.strip())
    if shape.enum:
        parts.append(f"Valid values are: {', '.join(shape.enum)}.")
    return " ".join(parts)
