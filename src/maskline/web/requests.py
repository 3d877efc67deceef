"""Requests as ASGI brings them."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from maskline.web.canonical import parameters
from maskline.web.faults import BodyTooLarge

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Disconnected(Exception):
    """The client went away before it had sent its request."""


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], most: int) -> bytes:
    """The whole body; raises BodyTooLarge above `most` bytes, Disconnected."""
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and (len(announced) > 18 or int(announced) > most):
        raise BodyTooLarge(f"The body may have at most {most} bytes")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > most:
            raise BodyTooLarge(f"The body may have at most {most} bytes")
        if not message.get("more_body"):
            return bytes(body)


def query_of(query_string: bytes) -> dict[str, list[str]]:
    """The query's values by name; bytes that are no UTF-8 become replacement characters."""
    found: dict[str, list[str]] = {}
    if query_string:
        for name, value in parameters(query_string):
            found.setdefault(name.decode(errors="replace"), []).append(
                value.decode(errors="replace")
            )
    return found
