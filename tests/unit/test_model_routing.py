from typing import Any

import pytest

from maskline.model import load
from maskline.model.routing import Match, NoOperation, Router
from maskline.model.service import Service

VOICE, OURS = load("chime-sdk-voice"), load("maskline")
CONNECTOR = "abcdef1ghij2klmno3pqr4"
SESSION = "123a4bc5-67d8-901e-2f3g-h4ghjk56789l"
SESSIONS = f"/voice-connectors/{CONNECTOR}/proxy-sessions"


def service(**operations: str) -> Service:
    """A service with operations given as "METHOD uri"."""
    http = {name: dict(zip(("method", "requestUri"), text.split(), strict=True))
            for name, text in operations.items()}  # fmt: skip
    facts = {name: {"name": name, "http": each} for name, each in http.items()}
    metadata = {"apiVersion": "2026-08-01"}
    return Service("test", {"metadata": metadata, "operations": facts, "shapes": {}})


NUMBERS = Router([
    service(
        GetPhoneNumber="GET /phone-numbers/{phoneNumberId}",
        UpdatePhoneNumber="POST /phone-numbers/{phoneNumberId}",
        RestorePhoneNumber="POST /phone-numbers/{phoneNumberId}?operation=restore",
        BatchUpdate="POST /phone-numbers?operation=batch-update",
        BatchDelete="POST /phone-numbers?operation=batch-delete",
        Search="GET /search?type=phone-numbers",
        Literal="GET /phone-numbers/special",
    )
])  # fmt: skip


def found(method: str, path: str, **query: Any) -> tuple[str, dict[str, str]]:
    match = NUMBERS.match(method, path, {name: [value] for name, value in query.items()})
    return match.operation.name, match.path_params


@pytest.fixture(scope="module")
def router() -> Router:
    return Router([VOICE, OURS])


def test_a_path_of_thousands_of_segments_is_not_read(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody needs a key to send one."""
    read: list[str] = []
    monkeypatch.setattr("maskline.model.routing.unquote", read.append)
    with pytest.raises(NoOperation):
        router.match("GET", "/%41" * 10_000, {})
    assert read == []


@pytest.mark.parametrize("model", [VOICE, OURS], ids=lambda model: model.name)
def test_every_operation_is_found(router: Router, model: Service) -> None:
    for operation in model.operations.values():
        query = {name: [value] for name, value in operation.query.items()}
        match = router.match(operation.method, operation.uri, query)
        assert match.service is model
        assert match.operation is operation
        assert all(value == f"{{{name}}}" for name, value in match.path_params.items())


def test_parameters_have_the_names_of_the_template(router: Router) -> None:
    match = router.match("GET", f"{SESSIONS}/{SESSION}", {})
    assert match == Match(
        VOICE,
        VOICE.operations["GetProxySession"],
        {"voiceConnectorId": CONNECTOR, "proxySessionId": SESSION},
    )


def test_a_prefix_of_the_console_is_passed_over(router: Router) -> None:
    assert router.match("POST", f"/console{SESSIONS}", {}).operation.name == "CreateProxySession"


def test_another_prefix_is_not(router: Router) -> None:
    with pytest.raises(NoOperation):
        router.match("POST", f"/elsewhere{SESSIONS}", {})


def test_an_empty_segment_is_an_empty_parameter(router: Router) -> None:
    match = router.match("GET", "/voice-connectors//proxy-sessions", {})
    assert match.operation.name == "ListProxySessions"
    assert match.path_params == {"voiceConnectorId": ""}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", SESSIONS, ("GET", "POST")),
        ("DELETE", f"/console{SESSIONS}", ("GET", "POST")),
        ("GET", "/nowhere", ()),
        ("GET", "/", ()),
        ("GET", "", ()),
        ("GET", "*", ()),
        ("GET", "/console", ()),
        ("", SESSIONS, ("GET", "POST")),
    ],
)
def test_what_is_no_operation(
    router: Router, method: str, path: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(NoOperation) as refused:
        router.match(method, path, {})
    assert refused.value.allowed == allowed


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("+12065550100", "+12065550100"),
        ("%2B12065550100", "+12065550100"),
        ("%252B12065550100", "+12065550100"),
        ("%2b12065550100", "+12065550100"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("%zz", "%zz"),
        ("%ff", "\ufffd"),
        ("%C3%A9", "é"),
    ],
)
def test_parameters_are_decoded_once_but_for_a_plus(written: str, meant: str) -> None:
    assert found("GET", f"/phone-numbers/{written}")[1] == {"phoneNumberId": meant}


def test_the_query_tells_operations_of_a_path_apart() -> None:
    assert found("POST", "/phone-numbers", operation="batch-delete")[0] == "BatchDelete"
    assert found("POST", "/phone-numbers", operation="batch-update")[0] == "BatchUpdate"
    assert found("POST", "/phone-numbers/1", operation="restore")[0] == "RestorePhoneNumber"
    assert found("POST", "/phone-numbers/1")[0] == "UpdatePhoneNumber"
    assert found("GET", "/search", type="phone-numbers", country="US")[0] == "Search"


@pytest.mark.parametrize("path", ["/phone-numbers/1", "/phone-numbers"])
def test_a_misspelt_operation_is_none(path: str) -> None:
    with pytest.raises(NoOperation) as refused:
        found("POST", path, operation="batch-destroy")
    assert "POST" in refused.value.allowed


def test_other_queries_change_nothing() -> None:
    assert found("POST", "/phone-numbers/1", X_Amz_Date="x")[0] == "UpdatePhoneNumber"


def test_an_operation_said_twice_is_none() -> None:
    with pytest.raises(NoOperation):
        NUMBERS.match("POST", "/phone-numbers/1", {"operation": ["restore", "restore"]})


def test_what_is_spelt_out_goes_before_a_parameter() -> None:
    assert found("GET", "/phone-numbers/special") == ("Literal", {})


def test_what_aws_has_and_we_refuse_is_known_by_its_name() -> None:
    refused = load("refused")
    router = Router([VOICE, OURS], refused)
    for operation in refused.operations.values():
        query = {name: [value] for name, value in operation.query.items()}
        with pytest.raises(NoOperation) as known:
            router.match(operation.method, operation.uri, query)
        assert known.value.refused == operation.name


def test_what_we_refuse_hides_nothing_that_we_offer() -> None:
    router = Router([VOICE, OURS], load("refused"))
    for operation in VOICE.operations.values():
        query = {name: [value] for name, value in operation.query.items()}
        assert router.match(operation.method, operation.uri, query).operation is operation
