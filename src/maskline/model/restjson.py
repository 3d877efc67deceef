"""Requests and answers of a service that speaks REST with JSON: bytes to members and back."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple

import msgspec

from maskline.model.service import Operation, Shape

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_CONTENT = 204
LONGEST_NUMBER = 20  # characters of the longest integer that a shape can hold
DEEPEST = 64  # levels of a body: no shape has ten, and what walks a value calls itself for each
TOO_DEEP = f"The request body is nested too deeply: it can have {DEEPEST} levels at most"
# No operation takes more than a thousand entries; a megabyte of empty lists would keep the server
# for a third of a second. Signs within texts count, too.
MOST_SEPARATORS = 30_000
SEPARATORS = (b",", b"{", b"[")
TOO_MANY = "The request body holds too many values, or is nested too deeply"
BOOLEANS = {"true": True, "false": False}

Encode = Callable[[Any], Any]


class BadBody(ValueError):
    """The body of a request cannot be read. The text is for the one who sent it."""


class Input(NamedTuple):
    """Where the members of an operation's input are found."""

    uri: dict[str, str]  # name in the path -> member
    query: dict[str, tuple[str, Shape]]  # name in the query string -> member
    headers: dict[bytes, tuple[str, Shape]]  # name of the header, in lower case -> member
    body: dict[str, str]  # name in the body -> member


def parse(
    operation: Operation,
    path_params: Mapping[str, str],
    query: Mapping[str, list[str]],
    headers: Mapping[bytes, bytes],
    body: bytes,
) -> dict[str, Any]:
    """The request's members by name, not validated yet. Raises BadBody.

    Header names are in lower case. What the path, query or headers say about a member counts, and
    nothing the body says. Members that are null are left out.
    """
    places = _input(operation)
    found = _from_body(places, body) if places.body else {}
    for name, values in query.items():
        if name in places.query:
            member, shape = places.query[name]
            found[member] = _from_query(shape, values)
    for header, (member, shape) in places.headers.items():
        if header in headers:
            found[member] = _from_text(shape, headers[header].decode("latin-1"))
    for name, text in path_params.items():
        found[places.uri[name]] = text
    return found


@cache
def _input(operation: Operation) -> Input:
    places = Input({}, {}, {}, {})
    for name, shape in operation.input.members.items() if operation.input else ():
        wire_name = shape.location_name or name
        match shape.location:
            case "uri":
                places.uri[wire_name] = name
            case "querystring":
                places.query[wire_name] = (name, shape)
            case "header":
                places.headers[wire_name.lower().encode()] = (name, shape)
            case _:
                places.body[wire_name] = name
    return places


def _from_body(places: Input, body: bytes) -> dict[str, Any]:
    """The members in the body, with unknown ones, which validation names to who sent them."""
    elsewhere = {*places.uri.values()}
    elsewhere |= {name for name, _ in (*places.query.values(), *places.headers.values())}
    return {
        places.body.get(name, name): value
        for name, value in _json_object(body).items()
        if name not in elsewhere
    }


def _json_object(body: bytes) -> dict[str, Any]:
    if sum(map(body.count, SEPARATORS)) > MOST_SEPARATORS:
        raise BadBody(TOO_MANY)
    try:
        document: Any = msgspec.json.decode(body) if body else {}
    except UnicodeDecodeError:
        raise BadBody("The request body is not valid UTF-8") from None
    except msgspec.DecodeError as error:
        raise BadBody(f"The request body is not valid JSON: {error}") from None
    except RecursionError:
        raise BadBody(TOO_DEEP) from None
    if not isinstance(document, dict):
        raise BadBody("The request body must be a JSON object")
    # Only what opens so often can be so deep.
    if body.count(b"{") + body.count(b"[") > DEEPEST and _is_deeper(document, DEEPEST):
        raise BadBody(TOO_DEEP)
    return _without_nulls(document) if b"null" in body else document


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether a value has more levels of objects and lists than these."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in inner)


def _without_nulls(value: Any) -> Any:
    """The value without members that are null, at any depth. Nulls in lists stay."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _from_query(shape: Shape, values: list[str]) -> Any:
    """What a query string says about a member; saying it twice is for validation to refuse."""
    if shape.type == "list" and shape.member:
        return [_from_text(shape.member, value) for value in values]
    return _from_text(shape, values[0]) if len(values) == 1 else values


def _from_text(shape: Shape, text: str) -> Any:
    """The value that a text stands for, or the text itself where it stands for none."""
    if shape.type == "boolean":
        return BOOLEANS.get(text, text)
    if shape.type in ("integer", "long") and len(text) <= LONGEST_NUMBER:
        digits = text.removeprefix("-")
        return int(text) if digits.isascii() and digits.isdigit() else text
    if shape.type == "timestamp":
        return _from_timestamp(text)
    return text


def _from_timestamp(text: str) -> int | str:
    """A time in ISO 8601 as milliseconds since the epoch; without a zone it is in UTC."""
    try:
        moment = datetime.fromisoformat(text)
        since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    except (ValueError, OverflowError):
        return text
    return since // timedelta(milliseconds=1)


def serialise(operation: Operation, result: dict[str, Any]) -> tuple[int, bytes]:
    """The status and body of an answer: members in the model's order, without those unset.

    Times in the result are milliseconds since the epoch.
    """
    if operation.status == NO_CONTENT or operation.output is None:
        return operation.status, b""
    return operation.status, msgspec.json.encode(_structure_encoder(operation.output)(result))


def _encoder(shape: Shape) -> Encode | None:
    """Makes of a value what its JSON shows; None where it is that already."""
    match shape.type:
        case "structure":
            return _structure_encoder(shape)
        case "list":
            assert shape.member is not None
            return _list_encoder(_encoder(shape.member))
        case "timestamp":
            return written_timestamp
    return None


@cache
def _structure_encoder(shape: Shape) -> Encode:
    members = [
        (name, member.location_name or name, _encoder(member))
        for name, member in shape.members.items()
    ]

    def encode(value: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for name, wire_name, inner in members:
            item = value.get(name)
            if item is not None:
                found[wire_name] = inner(item) if inner else item
        return found

    return encode


def _list_encoder(inner: Encode | None) -> Encode | None:
    return (lambda items: [inner(item) for item in items]) if inner else None


@lru_cache(maxsize=4096)  # most sessions are read soon after they were opened, and again
def written_timestamp(milliseconds: int) -> str:
    """A time as AWS writes it: 2020-04-15T16:10:10.288Z."""
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{_written_minute(minutes)}:{rest // 1000:02}.{rest % 1000:03}Z"


@lru_cache(maxsize=4096)
def _written_minute(minutes: int) -> str:
    return (EPOCH + timedelta(minutes=minutes)).isoformat(timespec="minutes")[:-6]
