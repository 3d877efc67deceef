"""What goes back over HTTP: results, refusals and faults in the form that AWS's clients read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

from maskline.domain.refusals import Refusal
from maskline.model import Operation
from maskline.web.faults import Fault
from maskline.web.requests import Send

Headers = list[tuple[bytes, bytes]]

JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")
BAD_REQUEST = "BadRequestException"
SERVICE_FAILURE = "ServiceFailureException"
THROTTLED = "ThrottledClientException"
UNAVAILABLE = "ServiceUnavailableException"
STATUSES = {
    BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
}


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer; `error` is the name of its exception, for the log."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)
    error: str | None = None


def success(status: int, body: bytes) -> HttpAnswer:
    return HttpAnswer(status, body, [JSON] if body else [])


def document(status: int, content: dict[str, Any]) -> HttpAnswer:
    return HttpAnswer(status, msgspec.json.encode(content), [JSON])


def refused(refusal: Refusal, operation: Operation | None) -> HttpAnswer:
    """A refusal as the exception that the operation's model has for it."""
    name = exception_name(refusal, operation.errors if operation else ())
    status = (operation.error_statuses if operation else {}).get(name) or STATUSES[name]
    answer = error(name, status, refusal.code, refusal.message)
    if refusal.retry_after is not None:
        answer.headers.append((b"retry-after", str(refusal.retry_after).encode()))
    return answer


def exception_name(refusal: Refusal, listed: tuple[str, ...]) -> str:
    """The listed exception that comes nearest: of the refusal's kind, or of what it is a kind of.

    What clients are to try again keeps its name in any case: another would tell them not to.
    """
    own = f"{refusal.kind}Exception"
    if own in STATUSES:
        return own
    return next((name for name in names(type(refusal)) if name in listed), BAD_REQUEST)


def names(kind: type[Refusal]) -> Iterator[str]:
    for each in kind.__mro__:
        if issubclass(each, Refusal):
            yield f"{each.kind}Exception"


def faulty(fault: Fault) -> HttpAnswer:
    return error(fault.name, fault.status, fault.code, fault.message)


def failed() -> HttpAnswer:
    """What becomes of an error of our own: nothing about it leaves the house."""
    return error(
        SERVICE_FAILURE,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "ServiceFailure",
        "The service failed to carry out the request",
    )


def error(name: str, status: int, code: str, message: str) -> HttpAnswer:
    # Most clients take the name from the header; version 2 of the JavaScript SDK takes __type, and
    # would take Code without it.
    body = msgspec.json.encode({"__type": name, "Code": code, "Message": message})
    return HttpAnswer(status, body, [JSON, (b"x-amzn-errortype", name.encode())], name)


async def deliver(answer: HttpAnswer, request_id: str, send: Send) -> None:
    headers = [*answer.headers, (b"x-amzn-requestid", request_id.encode())]
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
