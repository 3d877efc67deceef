"""Samples: of every operation, as JSON and as YAML, and what becomes of them when filled in."""

import io
import json
from typing import Any

import pytest
from ruamel.yaml import YAML

from maskline.__main__ import main
from maskline.cli import services
from maskline.cli.arguments import options_of
from maskline.cli.manual.operation import synopsis
from maskline.model import Operation, Shape

OPERATIONS = {
    (service.command, name): operation
    for service in services.SERVICES.values()
    if service.command != "chime-sdk-voice"  # the same as chime
    for name, operation in services.operations_of(service).items()
}
EACH = pytest.mark.parametrize(("command", "name"), OPERATIONS)

Output = pytest.CaptureFixture[str]


def printed(output: Output, *words: str) -> str:
    code = main(list(words))
    out, err = output.readouterr()
    assert (code, err) == (0, "")
    return out


def filled(shape: Shape | None) -> Any:
    """The least that a shape accepts on the client's side, with every member in it."""
    if shape is None:
        return {}
    if shape.type == "structure":
        return {name: filled(member) for name, member in shape.members.items()}
    if shape.type == "list":
        assert shape.member
        return [filled(shape.member)] * (shape.min or 1)
    if shape.type == "string":
        return shape.enum[0] if shape.enum else "x" * (shape.min or 1)
    return {"integer": shape.min or 1, "boolean": False, "timestamp": "2020-04-15T16:10:10Z"}[
        shape.type
    ]


@EACH
def test_both_samples_hold_the_same(command: str, name: str, capsys: Output) -> None:
    sample = json.loads(printed(capsys, command, name, "--generate-cli-skeleton"))
    text = printed(capsys, command, name, "--generate-cli-skeleton", "yaml-input")
    assert (YAML(typ="safe").load(io.StringIO(text)) or {}) == sample
    operation = OPERATIONS[command, name]
    assert list(sample) == list(operation.input.members if operation.input else {})
    assert text.count("# [REQUIRED]") >= len(operation.input.required if operation.input else ())


@EACH
def test_a_filled_in_sample_is_accepted(command: str, name: str, capsys: Output) -> None:
    operation = OPERATIONS[command, name]
    document = json.dumps(filled(operation.input))
    words = [command, name, "--cli-input-json", document, "--generate-cli-skeleton", "output"]
    out = printed(capsys, *words)
    assert out == "" if empty(operation) else list(json.loads(out)) == list(members(operation))


def members(operation: Operation) -> dict[str, Shape]:
    return operation.output.members if operation.output else {}


def empty(operation: Operation) -> bool:
    return not members(operation)


@EACH
def test_required_options_stand_without_brackets(command: str, name: str) -> None:
    operation = OPERATIONS[command, name]
    required = operation.input.required if operation.input else ()
    lines = synopsis(options_of(operation))
    assert sum(not line.startswith("[") for line in lines) == len(required)
    assert lines[-1] == "[--generate-cli-skeleton <value>]"
