"""Requests and answers of a service, written and read as its model says (REST with JSON)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import responses
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from maskline.model import Operation, Shape

Timestamp = Callable[[Any], Any]


class Request(NamedTuple):
    """What goes on the wire, but for what the client adds: host, signature, agent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class WireError(NamedTuple):
    """An error answer: the exception's name and the message for the user."""

    name: str
    message: str


def build(operation: "Operation", parameters: dict[str, Any]) -> Request:
    """The request that calls `operation`; the parameters are validated already."""
    members = operation.input.members if operation.input else {}
    path, headers, body = operation.uri, {}, {}
    query = list(operation.query.items())
    for name, value in parameters.items():
        shape = members[name]
        wire_name = shape.location_name or name
        if shape.location == "uri":
            path = path.replace(f"{{{wire_name}}}", quote(_text(value), safe="-._~"))
        elif shape.location == "querystring":
            query += [(wire_name, _text(item)) for item in _each(value)]
        elif shape.location == "header":
            headers[wire_name] = _text(value)
        else:
            body[wire_name] = _encode(shape, value)
    has_body = any(not shape.location for shape in members.values())
    if has_body:
        headers["Content-Type"] = "application/json"
    pairs = "&".join(
        f"{quote(name, safe='-._~')}={quote(text, safe='-._~')}" for name, text in query
    )
    content = json.dumps(body).encode() if has_body else b""
    return Request(operation.method, f"{path}?{pairs}" if pairs else path, headers, content)


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """A value inside a path, a query or a header."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _encode(shape: "Shape", value: Any) -> Any:
    """A value inside the JSON body."""
    if shape.type == "structure" and isinstance(value, dict):
        members = shape.members
        return {
            members[name].location_name or name: _encode(members[name], item)
            for name, item in value.items()
        }
    if shape.type == "list" and isinstance(value, list):
        assert shape.member is not None
        return [_encode(shape.member, item) for item in value]
    if shape.type == "map" and isinstance(value, dict):
        assert shape.value is not None
        return {name: _encode(shape.value, item) for name, item in value.items()}
    return value


def read(shape: "Shape | None", body: bytes, timestamp: Timestamp) -> dict[str, Any]:
    """The answer as the model orders it; what the model does not know, and null, is dropped.

    A body that is no JSON object reads as an empty answer, as in the AWS clients.
    """
    try:
        document = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        return {}
    if shape is None or not isinstance(document, dict):
        return {}
    return dict(_decode(shape, document, timestamp))


def _decode(shape: "Shape", value: Any, timestamp: Timestamp) -> Any:
    if shape.type == "structure" and isinstance(value, dict):
        found = {
            name: value.get(member.location_name or name) for name, member in shape.members.items()
        }
        return {
            name: _decode(shape.members[name], item, timestamp)
            for name, item in found.items()
            if item is not None
        }
    if shape.type == "list" and isinstance(value, list):
        assert shape.member is not None
        return [_decode(shape.member, item, timestamp) for item in value]
    if shape.type == "map" and isinstance(value, dict):
        assert shape.value is not None
        return {name: _decode(shape.value, item, timestamp) for name, item in value.items()}
    return timestamp(value) if shape.type == "timestamp" else value


def read_error(status: int, headers: dict[str, str], body: bytes) -> WireError:
    """The error in an answer. The name comes from the header, then the body, then the status."""
    document = _error_document(status, body)
    name = headers.get("x-amzn-errortype") or next(
        (document[key] for key in ("code", "Code", "__type") if document.get(key)), status
    )
    message = document.get("message", document.get("Message", ""))
    return WireError(str(name).partition(":")[0].rpartition("#")[2], str(message))


def _error_document(status: int, body: bytes) -> dict[str, Any]:
    """The body of an error answer. What is no JSON is the message itself.

    A proxy's page in place of the server's answer is replaced by what the status says.
    """
    text = body.decode(errors="replace").strip()
    if status >= 500 and (not text or text.startswith("<html>")):
        return {"message": responses.get(status, "")}
    try:
        document = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {"message": text}
    return document if isinstance(document, dict) else {}


def as_on_the_wire(value: Any) -> Any:
    """A timestamp as the server wrote it: 2020-04-15T16:10:10.288Z."""
    return value


def as_iso8601(value: Any) -> str:
    """A timestamp as AWS CLI 2 writes it: 2020-04-15T16:10:10.288000+00:00. Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC).isoformat()
    try:
        return datetime.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueError(f'Invalid timestamp "{value}": Unknown string format: {value}') from None
