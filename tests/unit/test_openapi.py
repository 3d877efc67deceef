"""The OpenAPI document: valid by an independent validator, and the same as the models."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from maskline.model import Operation, load
from maskline.model.validation import faults
from maskline.web import openapi

DOCUMENT: dict[str, Any] = json.loads(openapi.document())
OPERATIONS = [
    (service, operation)
    for service in openapi.SERVICES
    for operation in load(service).operations.values()
]


def described() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Path, method and description of each operation by its id."""
    return {
        facts["operationId"]: (path, method, facts)
        for path, methods in DOCUMENT["paths"].items()
        for method, facts in methods.items()
    }


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_is_there() -> None:
    assert sorted(described()) == sorted(operation.name for _, operation in OPERATIONS)


@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=lambda each: str(each)[:60])
def test_an_operation_is_as_in_its_model(service: str, operation: Operation) -> None:
    path, method, facts = described()[operation.name]
    assert (path.partition("#")[0], method) == (operation.uri, operation.method.lower())
    assert facts["tags"] == [service]
    fixed = {
        each["name"]: each["schema"]["const"]
        for each in facts["parameters"]
        if "const" in each["schema"]
    }
    assert fixed == operation.query
    assert str(operation.status) in facts["responses"]
    assert {*map(str, operation.error_statuses.values())} <= facts["responses"].keys()
    assert {"429", "503"} <= facts["responses"].keys()  # of any, whatever its model lists
    members = operation.input.members if operation.input else {}
    told = {each["name"]: each for each in facts["parameters"] if each["name"] not in fixed}
    located = {m.location_name: name for name, m in members.items() if m.location}
    assert told.keys() == located.keys()
    required = operation.input.required if operation.input else ()
    assert all(each["required"] == (located[name] in required) for name, each in told.items())
    body = facts.get("requestBody", {"content": {"application/json": {"schema": {}}}})
    properties = body["content"]["application/json"]["schema"].get("properties", {})
    assert properties.keys() == {name for name, m in members.items() if not m.location}


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (
            {"ParticipantPhoneNumbers": ["+12065550100", "14015550101"], "Capabilities": ["SMS"]},
            True,
        ),
        ({"ParticipantPhoneNumbers": ["+12065550100"], "Capabilities": ["SMS"]}, False),
        ({"ParticipantPhoneNumbers": ["+12065550100", "Ben"], "Capabilities": ["SMS"]}, False),
        ({"ParticipantPhoneNumbers": ["+12065550100", "+1401"], "Capabilities": ["Fax"]}, False),
        ({"ParticipantPhoneNumbers": ["+12065550100", "+1401"]}, False),
        ({"ParticipantPhoneNumbers": ["+12065550100", "+1401"], "Capabilities": [], "X": 1}, False),
    ],
)
def test_a_schema_takes_what_the_server_takes(value: dict[str, Any], good: bool) -> None:
    _, _, facts = described()["CreateProxySession"]
    schema = facts["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": DOCUMENT["components"]}
    assert Draft202012Validator(whole).is_valid(value) is good
    shape = load("chime-sdk-voice").operations["CreateProxySession"].input
    assert shape is not None
    assert (faults(shape, {"VoiceConnectorId": "x", **value}) == []) is good


def test_access_keys_are_told_of() -> None:
    (scheme,) = DOCUMENT["security"]
    (name,) = scheme
    assert DOCUMENT["components"]["securitySchemes"][name]["name"] == "Authorization"
