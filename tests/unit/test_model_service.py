import re

import pytest

from maskline.model import document, load
from maskline.operations import TABLE

SERVICES = ("chime-sdk-voice", "maskline", "switch")


def test_a_model_is_read_once() -> None:
    assert load("switch") is load("switch")


def test_a_document_is_its_callers_own() -> None:
    document("switch")["shapes"].clear()
    assert document("switch")["shapes"]


def test_an_operation() -> None:
    operation = load("chime-sdk-voice").operations["CreateProxySession"]
    assert (operation.method, operation.status, operation.deprecated) == ("POST", 201, True)
    assert operation.uri == "/voice-connectors/{voiceConnectorId}/proxy-sessions"
    assert operation.query == {}
    assert operation.error_statuses["NotFoundException"] == 404
    assert tuple(operation.error_statuses) == operation.errors


def test_an_operation_that_answers_200_need_not_say_so() -> None:
    assert load("chime-sdk-voice").operations["PutVoiceConnectorProxy"].status == 200


def test_an_operation_without_http() -> None:
    operation = load("switch").operations["RouteCall"]
    assert (operation.method, operation.uri, operation.query) == ("", "", {})


def test_a_member_says_more_than_its_shape() -> None:
    shape = load("chime-sdk-voice").operations["ListProxySessions"].input
    assert shape is not None
    member = shape.members["MaxResults"]
    assert (member.name, member.type, member.min, member.max) == ("ResultMax", "integer", 1, 100)
    assert (member.location, member.location_name) == ("querystring", "max-results")
    assert member.documentation != load("chime-sdk-voice").shapes["ResultMax"].documentation


def test_shapes_are_made_once() -> None:
    operation = load("chime-sdk-voice").operations["GetProxySession"]
    assert operation.output is operation.output
    assert operation.output is not None
    assert operation.output.members is operation.output.members


def test_overrides_widen_what_older_clients_may_send() -> None:
    connector_id = load("chime-sdk-voice").shapes["VoiceConnectorId"]
    assert (connector_id.pattern, connector_id.max) == (r".*\S.*", 128)
    assert load("chime-sdk-voice").shapes["VoiceConnectorName"].pattern is None


@pytest.mark.parametrize("service", SERVICES)
def test_every_shape_can_be_read(service: str) -> None:
    for shape in load(service).shapes.values():
        assert shape.type
        assert set(shape.required) <= shape.members.keys()
        if shape.pattern:
            re.compile(shape.pattern)


@pytest.mark.parametrize("service", SERVICES)
def test_every_timestamp_is_written_the_same_way(service: str) -> None:
    stamps = [shape for shape in load(service).shapes.values() if shape.type == "timestamp"]
    assert {shape.timestamp_format for shape in stamps} <= {"iso8601"}


def test_every_operation_that_is_carried_out_is_modelled() -> None:
    modelled = {(service, name) for service in SERVICES for name in load(service).operations}
    assert TABLE.keys() <= modelled
