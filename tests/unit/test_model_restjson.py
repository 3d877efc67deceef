import json
from typing import Any

import pytest

from maskline.model import load
from maskline.model.restjson import BadBody, parse, serialise, written_timestamp
from maskline.model.service import Operation

VOICE, OURS = load("chime-sdk-voice").operations, load("maskline").operations
CONNECTOR = {"voiceConnectorId": "abc"}


def create(body: bytes) -> dict[str, Any]:
    return parse(VOICE["CreateProxySession"], CONNECTOR, {}, {}, body)


def listed(**query: str | list[str]) -> dict[str, Any]:
    values = {
        name.replace("_", "-"): value if isinstance(value, list) else [value]
        for name, value in query.items()
    }
    return parse(VOICE["ListProxySessions"], {}, values, {}, b"")


def test_members_come_from_the_path_and_the_body() -> None:
    body = b'{"Capabilities": ["Voice"], "GeoMatchParams": {"Country": "US"}}'
    assert create(body) == {
        "VoiceConnectorId": "abc",
        "Capabilities": ["Voice"],
        "GeoMatchParams": {"Country": "US"},
    }


def test_null_is_as_good_as_nothing() -> None:
    assert create(b'{"Name": null}') == {"VoiceConnectorId": "abc"}
    found = create(b'{"GeoMatchParams": {"Country": null}, "Capabilities": [null, {"A": null}]}')
    assert found["GeoMatchParams"] == {}
    assert found["Capabilities"] == [None, {}]


def test_unknown_members_are_kept_for_validation() -> None:
    assert create(b'{"Nonsense": 1}')["Nonsense"] == 1


def test_the_body_does_not_say_what_the_path_says() -> None:
    assert create(b'{"VoiceConnectorId": "other"}') == {"VoiceConnectorId": "abc"}


def test_no_body_is_an_empty_one() -> None:
    assert create(b"") == {"VoiceConnectorId": "abc"}


def test_a_body_that_means_nothing_is_not_read() -> None:
    assert parse(VOICE["GetProxySession"], CONNECTOR, {}, {}, b"{") == {"VoiceConnectorId": "abc"}


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1", b'{"":null}', b'","'])
def test_how_much_a_body_can_hold(value: bytes) -> None:
    """A megabyte of nothing but lists would keep all others waiting."""
    create(b'{"Name": [' + b",".join([value] * 10_000) + b"]}")
    with pytest.raises(BadBody, match="too many values"):
        create(b'{"Name": [' + b",".join([value] * 30_000) + b"]}")


def test_the_largest_requests_are_read() -> None:
    text = "Name, of [30] {signs}," + "x" * 100
    item = {"PhoneNumberId": "+12065550100", "ProductType": "VoiceConnector"}
    items = [{**item, "CallingName": text, "Name": text}] * 1000
    request = {"UpdatePhoneNumberRequestItems": items}
    body = json.dumps(request).encode()
    assert parse(VOICE["BatchUpdatePhoneNumber"], {}, {}, {}, body) == request


@pytest.mark.parametrize("leaf", [b"", b"null", b"1"])
def test_how_deep_a_body_can_be(leaf: bytes) -> None:
    def nested(levels: int, opening: bytes, closing: bytes) -> bytes:
        return b'{"Name": ' + opening * levels + leaf + closing * levels + b"}"

    create(nested(63, b"[", b"]"))
    create(b'{"Name": [' + b"[],{}," * 500 + b"[1]]}")
    for levels in (64, *range(100, 1000, 100), 100_000):
        with pytest.raises(BadBody, match="nested too deeply"):
            create(nested(levels, b"[", b"]"))
        with pytest.raises(BadBody, match=r"nested too deeply|not valid JSON"):
            create(nested(levels, b'{"Name":', b"}"))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "not valid JSON"),
        (b"{} {}", "not valid JSON"),
        (b'{"Name": NaN}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"Name": "\\ud800"}', "not valid JSON"),
        (b'{"Name": ' + b"1" * 5000 + b"}", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"Name"', "must be a JSON object"),
        (b'{"Name": "\xff"}', "not valid UTF-8"),
        (b'{"Name": ' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_cannot_be_read(body: bytes, text: str) -> None:
    with pytest.raises(BadBody, match=text):
        create(body)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ("-1", -1),
        ("007", 7),
        ("", ""),
        ("-", "-"),
        ("--1", "--1"),
        ("+1", "+1"),
        ("1_0", "1_0"),
        (" 1", " 1"),
        ("1.0", "1.0"),
        ("٣", "٣"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_numbers_in_the_query(text: str, value: object) -> None:
    assert listed(max_results=text) == {"MaxResults": value}


def test_texts_in_the_query() -> None:
    assert listed(status="Open", next_token="1") == {"Status": "Open", "NextToken": "1"}


def test_what_is_said_twice_is_left_for_validation() -> None:
    assert listed(status=["Open", "Closed"]) == {"Status": ["Open", "Closed"]}


def test_a_query_that_means_nothing_is_passed_over() -> None:
    assert listed(X_Amz_Date="x", operation="y") == {}


def test_headers_booleans_and_lists() -> None:
    members = {
        "Flag": {"shape": "Flag", "location": "header", "locationName": "X-Flag"},
        "Many": {"shape": "Many", "location": "querystring", "locationName": "many"},
        "Long": {"shape": "Long", "location": "querystring", "locationName": "long"},
        "Since": {"shape": "Since", "location": "querystring", "locationName": "since"},
        "Told": {"shape": "Long"},
    }
    shapes: dict[str, dict[str, Any]] = {
        "In": {"type": "structure", "members": members},
        "Flag": {"type": "boolean"},
        "Number": {"type": "integer"},
        "Many": {"type": "list", "member": {"shape": "Number"}},
        "Long": {"type": "long"},
        "Since": {"type": "timestamp"},
    }
    operation = Operation({"name": "Try", "input": {"shape": "In"}}, shapes)
    found = parse(operation, {}, {"many": ["1", "x"]}, {b"x-flag": b"true"}, b"")
    assert found == {"Flag": True, "Many": [1, "x"]}
    assert parse(operation, {}, {}, {b"x-flag": b"yes"}, b"") == {"Flag": "yes"}
    assert parse(operation, {}, {"long": ["-7"]}, {}, b"") == {"Long": -7}
    for since in (
        "2020-04-15T16:10:10.288Z",
        "2020-04-15T18:10:10.288+02:00",
        "2020-04-15T16:10:10.288",
    ):
        assert parse(operation, {}, {"since": [since]}, {}, b"") == {"Since": 1_586_967_010_288}
    body = b'{"Flag": false, "Many": [2], "Told": 3}'
    assert parse(operation, {}, {"many": ["1"]}, {}, body) == {"Many": [1], "Told": 3}


def test_an_answer_is_in_the_models_order_without_what_is_unset() -> None:
    session = {
        "UpdatedTimestamp": 1_586_967_010_288,
        "CreatedTimestamp": 1_586_967_010_288,
        "Participants": [{"ProxyPhoneNumber": "+1", "PhoneNumber": "+2"}],
        "Name": None,
        "Capabilities": [],
        "ExpiryMinutes": 0,
        "VoiceConnectorId": "abc",
    }
    status, body = serialise(VOICE["UpdateProxySession"], {"ProxySession": session})
    assert status == 201
    assert (
        body
        == json.dumps(
            {
                "ProxySession": {
                    "VoiceConnectorId": "abc",
                    "ExpiryMinutes": 0,
                    "Capabilities": [],
                    "CreatedTimestamp": "2020-04-15T16:10:10.288Z",
                    "UpdatedTimestamp": "2020-04-15T16:10:10.288Z",
                    "Participants": [{"PhoneNumber": "+2", "ProxyPhoneNumber": "+1"}],
                }
            },
            separators=(",", ":"),
        ).encode()
    )


def test_no_content_is_no_body() -> None:
    assert serialise(VOICE["DeleteProxySession"], {}) == (204, b"")


def test_an_empty_answer_is_an_object() -> None:
    assert serialise(OURS["ListCalls"], {}) == (200, b"{}")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (1_586_967_010_288, "2020-04-15T16:10:10.288Z"),
        (1_586_967_010_000, "2020-04-15T16:10:10.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_timestamps(milliseconds: int, text: str) -> None:
    assert written_timestamp(milliseconds) == text
