"""Whatever is sent is answered, and never by an error of ours."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from door import HOST, REGION, Door
from fuzz import sending
from hypothesis import given
from hypothesis import strategies as st

from maskline.cli.signer import sign
from maskline.model import Operation, Shape, load
from maskline.web.pipeline import SERVICES

OPERATIONS = [each for name in SERVICES for each in load(name).operations.values()]
# What stands for the id of something that is there.
CONNECTOR, SESSION = "@connector", "@session"
REAL: dict[str, str] = {}
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]

texts = st.text(max_size=30) | st.sampled_from(
    ["", "+12065550100", "%2B1", "\0", "..", "Voice", CONNECTOR]
)
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
deep = st.builds(
    lambda levels, leaf: nested(levels, leaf), st.integers(1, 1500), st.none() | st.just("deep")
)
ids = st.sampled_from([CONNECTOR, CONNECTOR, SESSION, "+12065550198", "%2B12065550198"])
raw = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="?"))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, module_url: str) -> Iterator[Door]:
    opened = Door(tmp_path_factory.mktemp("door"), module_url)
    numbers = {"CarrierName": "acme", "E164PhoneNumbers": ["+12065550198"], "Shared": True}
    assert opened.ask("POST", "/admin/phone-numbers/import", numbers).status == 200
    furnish(opened)
    yield opened
    opened.close()


def furnish(door: Door) -> None:
    """A connector with a session, so that what is nearly right can be quite right."""
    made = door.ask("POST", "/voice-connectors", {"Name": "f", "RequireEncryption": False})
    connector = made.content["VoiceConnector"]["VoiceConnectorId"]
    path = f"/voice-connectors/{connector}"
    proxy = {"DefaultSessionExpiryMinutes": 60, "PhoneNumberPoolCountries": ["US"]}
    door.ask("PUT", f"{path}/programmable-numbers/proxy", proxy)
    asked = {"ParticipantPhoneNumbers": ["+14155550100", "+14155550101"], "Capabilities": ["SMS"]}
    opened = door.ask("POST", f"{path}/proxy-sessions", asked)
    REAL[CONNECTOR], REAL[SESSION] = connector, opened.content["ProxySession"]["ProxySessionId"]


def nested(levels: int, leaf: Any) -> Any:
    """A value so many levels deep, of objects and lists in turn."""
    for level in range(levels):
        leaf = [leaf] if level % 2 else {"Name": leaf}
    return leaf


def value_of(shape: Shape) -> st.SearchStrategy[Any]:
    """Values that are nearly right: of the right type, with bounds as likely broken as not."""
    match shape.type:
        case "structure":
            return st.fixed_dictionaries(
                {}, optional={name: value_of(member) for name, member in shape.members.items()}
            )
        case "list":
            assert shape.member
            return st.lists(value_of(shape.member), max_size=3)
        case "string" if shape.enum:
            return st.sampled_from(shape.enum) | texts
        case "string":
            return texts | numbers | st.sampled_from(["US", "206", "acme", "a" * 22])
        case "integer" | "long":
            return st.integers() | st.integers(1, 100)
        case "boolean":
            return st.booleans()
    return anything


numbers = st.from_regex(r"\A\+1[2-9][0-9]{9}\Z")


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, bytes]:
    """A request of one of the operations: method, target, body."""
    operation: Operation = draw(st.sampled_from(OPERATIONS))
    path = "/".join(
        draw(ids | raw.map(lambda text: text.replace("/", ""))) if part.startswith("{") else part
        for part in operation.uri.split("/")
    )
    members = operation.input.members if operation.input else {}
    names = [shape.location_name for shape in members.values() if shape.location == "querystring"]
    query = "&".join(f"{name}={draw(raw)}" for name in names if name and draw(st.booleans()))
    fixed = "&".join(f"{name}={value}" for name, value in operation.query.items())
    body = {
        name: draw(value_of(shape) | anything | deep)
        for name, shape in members.items()
        if not shape.location and draw(st.integers(0, 9))
    }
    target = f"{path}?{'&'.join(filter(None, (fixed, query)))}"
    return operation.method, target, json.dumps(body).encode()


@sending(0.2)  # signed and not
@given(asked=requests())
def test_requests_that_are_nearly_right(door: Door, asked: tuple[str, str, bytes]) -> None:
    answered(door, *asked)


@sending(0.15)  # signed and not
@given(
    method=st.sampled_from(METHODS),
    path=raw,
    query=raw,
    body=st.binary(max_size=60) | (anything | deep).map(lambda value: json.dumps(value).encode()),
    operation=st.none() | st.sampled_from(OPERATIONS),
)
def test_any_bytes(
    door: Door, method: str, path: str, query: str, body: bytes, operation: Operation | None
) -> None:
    if operation is not None:
        method, path = operation.method, operation.uri
    answered(door, method, f"/{path.lstrip('/')}?{query}", body)


def answered(door: Door, method: str, target: str, body: bytes) -> None:
    """Holds the answer against what every answer has; signed and not."""
    for name, real in REAL.items():
        target, body = target.replace(name, real), body.replace(name.encode(), real.encode())
    headers = sign(door.key, REGION, method, target, {"Host": HOST}, body)
    for sent in (headers, {}):
        reply = door.send(method, target, sent, body)
        assert reply is not None
        assert reply.status < 500, reply
        if reply.status >= 300:
            assert reply.error.endswith("Exception")
            assert reply.content["Message"]
