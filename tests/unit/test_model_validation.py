import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.model import Shape, load
from maskline.model.validation import LONGEST_SHOWN, MOST_FAULTS, READ_AS, faults, message

VOICE = load("chime-sdk-voice")
NUMBERS, ANN = "ParticipantPhoneNumbers", "+12065550100"
NOT_NULL = "not be null"
AT_LEAST = "have {} greater than or equal to {}"
AT_MOST = "have value less than or equal to {}"
ONE_OF = "satisfy enum value set: "
LIKE = "satisfy regular expression pattern: "
PHONE = r"^\+?[1-9]\d{1,14}$"
MAP = {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}}
GOOD: dict[str, Any] = {
    "VoiceConnectorId": "abcdef1ghij2klmno3pqr4",
    "ParticipantPhoneNumbers": ["+12065550100", "14015550101"],
    "Capabilities": ["Voice", "SMS"],
    "ExpiryMinutes": 60,
    "Name": "A name",
    "NumberSelectionBehavior": "PreferSticky",
    "GeoMatchLevel": "AreaCode",
    "GeoMatchParams": {"Country": "US", "AreaCode": ""},
}


def shape(operation: str = "CreateProxySession") -> Shape:
    found = VOICE.operations[operation].input
    assert found is not None
    return found


def with_(**changes: Any) -> list[str]:
    return faults(shape(), GOOD | changes)


def of(value: Any, facts: dict[str, Any]) -> list[str]:
    """The faults of a value as the member "X" of a shape with these facts."""
    shapes = {
        "In": {"type": "structure", "members": {"Xy": {"shape": "X"}}},
        "X": facts,
        "Text": {"type": "string", "min": 2},
        "Secret": {"type": "string", "sensitive": True},
    }
    return faults(Shape({"shape": "In"}, shapes), {"Xy": value})


def test_a_good_request_has_no_faults() -> None:
    assert with_() == []


@pytest.mark.parametrize(
    ("member", "value", "place", "must"),
    [
        ("VoiceConnectorId", None, " null at 'voiceConnectorId'", NOT_NULL),
        ("ExpiryMinutes", 0, " '0' at 'expiryMinutes'", AT_LEAST.format("value", 1)),
        ("ExpiryMinutes", 2**31, " '2147483648' at 'expiryMinutes'", AT_MOST.format(2**31 - 1)),
        ("ExpiryMinutes", True, " 'true' at 'expiryMinutes'", "be of type integer"),
        ("ExpiryMinutes", "60", " '60' at 'expiryMinutes'", "be of type integer"),
        ("ExpiryMinutes", 60.0, " '60.0' at 'expiryMinutes'", "be of type integer"),
        ("ExpiryMinutes", [1], " '[1]' at 'expiryMinutes'", "be of type integer"),
        ("GeoMatchLevel", {"a": 1}, " '{a=1}' at 'geoMatchLevel'", "be of type string"),
        ("GeoMatchLevel", "City", " 'City' at 'geoMatchLevel'", ONE_OF + "[Country, AreaCode]"),
        ("Capabilities", "Voice", " 'Voice' at 'capabilities'", "be of type list"),
        (
            "Capabilities",
            ["SMS", "Fax"],
            " 'Fax' at 'capabilities.2.member'",
            ONE_OF + "[Voice, SMS]",
        ),
        ("Capabilities", ["SMS", None], " null at 'capabilities.2.member'", NOT_NULL),
        ("Name", "No!", " at 'name'", LIKE + "^$|^[a-zA-Z0-9 ]{0,30}$"),
        ("Name", "End\n", " at 'name'", LIKE + "^$|^[a-zA-Z0-9 ]{0,30}$"),
        (NUMBERS, [ANN], " at 'participantPhoneNumbers'", AT_LEAST.format("length", 2)),
        (NUMBERS, ANN, " at 'participantPhoneNumbers'", "be of type list"),
        (NUMBERS, [ANN, "ann"], " at 'participantPhoneNumbers.2.member'", LIKE + PHONE),
        (NUMBERS, [ANN, "+\u0661\u0662"], " at 'participantPhoneNumbers.2.member'", LIKE + PHONE),
        ("GeoMatchParams", {"Country": "US"}, " null at 'geoMatchParams.areaCode'", NOT_NULL),
        (
            "GeoMatchParams",
            {"Country": "US", "AreaCode": "1"},
            " '1' at 'geoMatchParams.areaCode'",
            LIKE + "^$|^[0-9]{3,3}$",
        ),
    ],
    ids=str,
)
def test_a_fault(member: str, value: Any, place: str, must: str) -> None:
    assert with_(**{member: value}) == [
        f"Value{place} failed to satisfy constraint: Member must {must}"
    ]


def test_members_that_need_not_be_there_may_be_null() -> None:
    assert with_(Name=None) == []


@pytest.mark.parametrize("value", [1, None, "+12065550100"])
def test_unknown_members(value: object) -> None:
    said = "failed to satisfy constraint: Unknown member"
    assert with_(Nonsense=value) == [f"Value at 'Nonsense' {said}"]
    params = {"Country": "US", "AreaCode": "", "City": value}
    assert with_(GeoMatchParams=params) == [f"Value at 'geoMatchParams.City' {said}"]


def test_all_faults_are_found_in_the_models_order() -> None:
    found = faults(shape(), {"Capabilities": ["Fax"], "VoiceConnectorId": " ", "Foo": 1})
    assert [fault.partition(" at ")[2].partition(" ")[0] for fault in found] == [
        "'voiceConnectorId'",
        "'participantPhoneNumbers'",
        "'capabilities.1.member'",
        "'Foo'",
    ]


def test_the_request_itself_may_be_wrong() -> None:
    (fault,) = faults(shape(), [])
    assert fault == "Value failed to satisfy constraint: Member must be of type structure"


@pytest.mark.parametrize(
    ("value", "facts", "count"),
    [
        ("ab", {"type": "string", "min": 2, "max": 2}, 0),
        ("a", {"type": "string", "min": 2}, 1),
        ("abc", {"type": "string", "max": 2, "pattern": "[0-9]+"}, 2),
        ("é" * 2, {"type": "string", "max": 2}, 0),
        (2**63 - 1, {"type": "long"}, 0),
        (2**63, {"type": "long"}, 1),
        (-(2**31), {"type": "integer"}, 0),
        (-(2**31) - 1, {"type": "integer"}, 1),
        (10**30, {"type": "integer", "min": 1}, 1),
        (0, {"type": "integer", "max": 0, "min": 0}, 0),
        (0.5, {"type": "float", "max": 1}, 0),
        (1, {"type": "double", "max": 1}, 0),
        (1.5, {"type": "float", "max": 1}, 1),
        (1_586_967_010_288, {"type": "timestamp"}, 0),
        ("yesterday", {"type": "timestamp"}, 1),
        (False, {"type": "boolean"}, 0),
        (0, {"type": "boolean"}, 1),
        ({"k": "vv"}, {"type": "map", "key": {"shape": "Secret"}, "value": {"shape": "Text"}}, 0),
        ({"k": "v"}, {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}}, 2),
        (["aa"], {"type": "list", "member": {"shape": "Text"}, "min": 2}, 1),
        ({"aa": "bb"}, MAP | {"max": 0}, 1),
        ({"aa": "bb"}, MAP | {"max": 1}, 0),
    ],
    ids=str,
)
def test_how_many_faults(value: Any, facts: dict[str, Any], count: int) -> None:
    assert len(of(value, facts)) == count


@pytest.mark.parametrize(
    ("value", "facts"),
    [
        ("hush", {"type": "string", "sensitive": True, "max": 1}),
        (["hush"], {"type": "list", "member": {"shape": "Secret"}, "max": 0}),
        ("hush", {"type": "list", "member": {"shape": "Secret"}}),
        ("hush", {"type": "structure", "members": {"A": {"shape": "Secret"}}}),
        ("hush", {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Secret"}}),
        ("hush", {"type": "map", "key": {"shape": "Secret"}, "value": {"shape": "Text"}}),
        ({"A": {"hush": 1}}, {"type": "structure", "members": {"A": {"shape": "Secret"}}}),
        ({"hush": 1}, {"type": "string", "sensitive": True}),
    ],
    ids=str,
)
def test_sensitive_values_are_not_told(value: Any, facts: dict[str, Any]) -> None:
    (fault,) = of(value, facts)
    assert "hush" not in fault


def test_long_values_are_told_in_part() -> None:
    (fault,) = of("x" * 100_000, {"type": "string", "max": 1})
    assert len(fault) < LONGEST_SHOWN + 200


def test_a_shape_that_holds_itself() -> None:
    shapes: dict[str, dict[str, Any]] = {
        "Tree": {
            "type": "structure",
            "members": {"Left": {"shape": "Tree"}, "Leaf": {"shape": "Leaf"}},
        },
        "Leaf": {"type": "integer"},
    }
    tree = Shape({"shape": "Tree"}, shapes)
    assert faults(tree, {"Left": {"Left": {"Leaf": 1}}}) == []
    assert len(faults(tree, {"Left": {"Left": {"Leaf": "x"}}})) == 1
    (fault,) = faults(tree, {"Left": "x"})
    assert "'x' at 'left'" in fault  # it holds nothing sensitive


@pytest.mark.parametrize("wrong", [{NUMBERS: [""] * 9_999}, {f"X{n}": n for n in range(9_999)}])
def test_faults_beyond_counting_are_not_told(wrong: dict[str, Any]) -> None:
    assert len(with_(**wrong)) == MOST_FAULTS


def test_messages_count_the_faults() -> None:
    assert message(["a"]) == "1 validation error detected: a"
    assert message(["a", "b"]) == "2 validation errors detected: a; b"


@pytest.mark.parametrize("service", ["chime-sdk-voice", "maskline", "switch"])
def test_every_input_can_be_checked(service: str) -> None:
    for operation in load(service).operations.values():
        assert operation.input is None or isinstance(faults(operation.input, {}), list)


@given(st.text("x \n\t\u00a0é", max_size=12))
def test_a_pattern_that_is_read_another_way_matches_the_same(value: str) -> None:
    for pattern, read_as in READ_AS.items():
        same = [re.fullmatch(each, value, re.ASCII) is None for each in (pattern, read_as)]
        assert same[0] is same[1]


@pytest.mark.parametrize("service", ["chime-sdk-voice", "maskline", "switch"])
def test_the_largest_text_that_no_pattern_likes(service: str) -> None:
    # Read naively, these take hours.
    for pattern in {each.pattern for each in load(service).shapes.values() if each.pattern}:
        for start in ("", "arn:", "chime:"):
            for unit in ("x", " ", "1", "x ", "-"):
                value = start + unit * 500_000 + "\n"
                assert len(of(value, {"type": "string", "pattern": pattern})) == 1
