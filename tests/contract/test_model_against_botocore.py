"""Our service model against the one in botocore: every fact of every operation that we claim."""

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import pytest
from contract.web_clients import CLIENTS

from maskline.model import DATA, Operation, Shape, document, load

SERVICE, VERSION = "chime-sdk-voice", "2022-08-03"
OURS = load(SERVICE)
TOOL = Path(__file__).parents[2] / "tools" / "refused-operations"
COPIED = 8  # so many words in a row are no accident

Facts = dict[tuple[str, ...], Any]


@cache
def theirs() -> dict[str, Any]:
    packed = Path(botocore.__file__).parent / "data" / SERVICE / VERSION / "service-2.json.gz"
    model: dict[str, Any] = json.loads(gzip.decompress(packed.read_bytes()))
    return model


@cache
def overrides() -> dict[str, dict[str, Any]]:
    found = json.loads((DATA / SERVICE / VERSION / "overrides.json").read_bytes())
    shapes: dict[str, dict[str, Any]] = found["shapes"]
    return shapes


def facts_of(operation: Operation) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The facts of an operation as our reader tells them, by where they are."""
    path, name = operation.uri, operation.name
    query = "&".join(f"{key}={value}" for key, value in operation.query.items())
    yield (name, "uri"), f"{path}?{query}" if query else path
    yield (name, "method"), operation.method
    yield (name, "status"), operation.status
    yield (name, "errors"), operation.errors
    yield (name, "deprecated"), operation.deprecated
    for error, status in operation.error_statuses.items():
        yield (name, error), status
    for side in ("input", "output"):
        shape = getattr(operation, side)
        yield (name, side), shape and shape.name
        if shape:
            yield from facts_of_shape(shape, (name, side))


def facts_of_shape(shape: Shape, where: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    assert len(where) < 12, f"{where} holds itself"
    for fact in ("type", "required", "enum", "pattern", "min", "max", "sensitive"):
        yield (*where, fact), getattr(shape, fact)
    for fact in ("location", "location_name", "payload", "timestamp_format"):
        yield (*where, fact), getattr(shape, fact)
    yield (*where, "members"), list(shape.members)
    inner = {".member": shape.member, ".key": shape.key, ".value": shape.value}
    for name, each in {**shape.members, **inner}.items():
        yield (*where, name), each and each.name
        if each:
            yield from facts_of_shape(each, (*where, name))


def their_facts(name: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The same facts of botocore's model, read without our reader, with our overrides."""
    facts = theirs()["operations"][name]
    yield (name, "uri"), facts["http"]["requestUri"]
    yield (name, "method"), facts["http"]["method"]
    yield (name, "status"), facts["http"].get("responseCode", 200)
    errors = tuple(each["shape"] for each in facts["errors"])
    yield (name, "errors"), errors
    yield (name, "deprecated"), facts.get("deprecated", False)
    for error in errors:
        yield (name, error), theirs()["shapes"][error]["error"]["httpStatusCode"]
    for side in ("input", "output"):
        reference = facts.get(side)
        yield (name, side), reference and reference["shape"]
        if reference:
            yield from their_shape(reference, (name, side))


def their_shape(
    reference: dict[str, Any], where: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    name = reference["shape"]
    facts = theirs()["shapes"][name] | overrides().get(name, {}) | reference
    yield (*where, "type"), facts["type"]
    for fact in ("required", "enum"):
        yield (*where, fact), tuple(facts.get(fact) or ())
    for fact in ("pattern", "min", "max"):
        yield (*where, fact), facts.get(fact)
    yield (*where, "sensitive"), facts.get("sensitive", False)
    yield (*where, "location"), facts.get("location")
    yield (*where, "location_name"), facts.get("locationName")
    yield (*where, "payload"), facts.get("payload")
    yield (*where, "timestamp_format"), facts.get("timestampFormat")
    members = facts.get("members", {})
    yield (*where, "members"), list(members)
    for name in [*members, ".member", ".key", ".value"]:
        inner = members.get(name) or facts.get(name.removeprefix("."))
        yield (*where, name), inner and inner["shape"]
        if inner:
            yield from their_shape(inner, (*where, name))


@pytest.mark.parametrize("name", OURS.operations)
def test_an_operation_is_what_botocore_says(name: str) -> None:
    ours, expected = dict(facts_of(OURS.operations[name])), dict(their_facts(name))
    differing = {
        where for where in ours.keys() | expected if ours.get(where) != expected.get(where)
    }
    assert {where: (ours.get(where), expected.get(where)) for where in differing} == {}
    assert ours.keys() == expected.keys()


def test_how_many_facts_were_compared(record_property: Any, capsys: Any) -> None:
    facts = sum(len(dict(facts_of(each))) for each in OURS.operations.values())
    record_property("facts", facts)
    with capsys.disabled():
        print(f"\n{SERVICE}: {facts} facts of {len(OURS.operations)} operations compared")
    assert facts > 1500


@pytest.mark.parametrize("name", overrides())
def test_an_override_changes_something(name: str) -> None:
    facts = theirs()["shapes"][name]
    assert all(facts.get(fact) != value for fact, value in overrides()[name].items())


def test_the_metadata_are_botocores() -> None:
    assert OURS.metadata == theirs()["metadata"]


@pytest.mark.skipif(
    not (CLIENTS / "boto3-1.37.1" / "installed").exists(),
    reason="tools/client-venvs installs AWS's clients",
)
def test_the_operations_that_we_refuse_are_all_the_others() -> None:
    made = subprocess.run([sys.executable, TOOL], capture_output=True, check=True, text=True)
    assert json.loads(made.stdout) == document("refused")
    assert theirs()["operations"].keys() <= OURS.operations.keys() | load("refused").operations


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", re.sub(r"<[^>]+>", " ", text).lower())


def runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[at : at + COPIED]) for at in range(len(found) - COPIED + 1)}


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "documentation" and isinstance(value, str):
                yield value
            else:
                yield from texts(value)


@pytest.mark.parametrize("service", [SERVICE, "maskline", "switch"])
def test_every_word_of_documentation_is_ours(service: str) -> None:
    known = set().union(*map(runs, texts(theirs())))
    assert [text for text in texts(document(service)) if runs(text) & known] == []


@pytest.mark.parametrize("service", [SERVICE, "maskline", "switch"])
def test_every_operation_and_member_is_documented(service: str) -> None:
    operations = load(service).operations.values()
    shapes = load(service).shapes.values()
    assert [each.name for each in operations if not each.documentation] == []
    members = {f"{s.name}.{name}": member for s in shapes for name, member in s.members.items()}
    assert [name for name, member in members.items() if not member.documentation] == []
