"""Whether a process does its work: for load balancers and whoever else watches, unsigned."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from maskline.domain.health import State, is_away
from maskline.web import answers
from maskline.web.answers import HttpAnswer
from maskline.web.pipeline import new_request_id
from maskline.web.requests import Receive, Scope, Send

PATH = "/health"
METHODS = ("GET", "HEAD")

Health = Callable[[], Mapping[str, str]]


def answer(engines: Mapping[str, str]) -> HttpAnswer:
    """200 when every engine works, otherwise 503; the state of each in both.

    A carrier that is away, or does not register us, is no fault of ours: its texts wait. What
    follows a colon tells why.
    """
    well = all(state == State.UP or is_away(state) for state in engines.values())
    content: dict[str, Any] = {"status": State.UP if well else State.DOWN, "engines": dict(engines)}
    return answers.document(200 if well else 503, content)


def door(health: Health) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An application that tells this and nothing else."""

    async def application(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        found = scope["path"] == PATH and scope["method"] in METHODS
        told = answer(health()) if found else nothing()
        await answers.deliver(told, new_request_id(), send)

    return application


def nothing() -> HttpAnswer:
    return answers.error(
        "UnknownOperationException", HTTPStatus.NOT_FOUND, "NotFound", f"There is only {PATH} here"
    )
