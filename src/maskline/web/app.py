"""The HTTP door as an ASGI application: the control API, and what needs no signature.

That is /health for whoever watches, and /openapi.json for whoever writes a client.
"""

import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from maskline import clock, logs
from maskline.domain.refusals import Refusal, Unavailable
from maskline.operations.policy import policy_of
from maskline.settings import Settings
from maskline.store import Store, StoreFailed
from maskline.web import answers, health, openapi
from maskline.web.answers import HttpAnswer
from maskline.web.canonical import joined
from maskline.web.faults import Fault
from maskline.web.health import Health
from maskline.web.pipeline import Pipeline, Trail, new_request_id
from maskline.web.requests import Disconnected, Receive, Scope, Send, for_the_patient

Door = Callable[[Scope, Receive, Send], Awaitable[None]]

STORE_FAILED = (
    "The database does not answer, or cannot keep anything; please try again later. A change that"
    " was asked for may have been made all the same"
)
OPEN = (health.PATH, openapi.PATH)  # what needs no signature

log = structlog.get_logger()


def build(
    store: Store,
    settings: Settings,
    engines: Health,
    clock: Callable[[], int] = clock.now,
    doors: Mapping[str, Door] | None = None,
) -> "App":
    """The application. `engines` tells the state of each: `up` for one that works, `away` for
    the link to a carrier that does not answer.

    `clock` gives the time in milliseconds since the epoch. `doors` are applications of others, by
    what the paths begin with that are theirs.
    """
    pipeline = Pipeline(
        store,
        policy_of(settings),
        most_bytes=settings.api.max_body_bytes,
        requests_per_second=settings.api.max_requests_per_second,
        requests_per_account=settings.api.max_account_requests_per_second,
        clock=clock,
    )
    return App(pipeline, engines, doors or {})


class App:
    """Answers every request, whatever happens, and leaves one line in the log for it."""

    def __init__(
        self,
        pipeline: Pipeline,
        engines: Health,
        doors: Mapping[str, Door],
    ) -> None:
        self._pipeline = pipeline
        self._engines = engines
        self._doors = tuple(doors.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        receive, send = for_the_patient(scope, receive, send)
        for prefix, door in self._doors:
            if scope["path"].startswith(prefix):
                await door(scope, receive, send)
                return
        started, trail = time.perf_counter(), Trail(new_request_id())
        try:
            answer = await self._answer(scope, receive, trail)
        except Disconnected:
            return
        logs.tell(line_of(scope["method"], trail, answer, time.perf_counter() - started))
        await answers.deliver(answer, trail.request_id, send)

    def _open_answer(self, path: str) -> HttpAnswer:
        if path == health.PATH:
            return health.answer(self._engines())
        return answers.success(200, openapi.document())

    async def _answer(self, scope: Scope, receive: Receive, trail: Trail) -> HttpAnswer:
        try:
            if scope["path"] in OPEN and scope["method"] in health.METHODS:
                return self._open_answer(scope["path"])
            return await self._pipeline.pass_through(
                scope, joined(scope["headers"]), receive, trail
            )
        except Refusal as refusal:
            return answers.refused(refusal, trail.operation)
        except Fault as fault:
            return answers.faulty(fault)
        except Disconnected:
            raise
        except Exception as error:
            log.error("request failed", request_id=trail.request_id, **logs.whereabouts(error))
            if isinstance(error, StoreFailed):
                return answers.refused(Unavailable(STORE_FAILED), trail.operation)
            return answers.failed()


class RequestLine(logs.Line, kw_only=True):
    """The line in the log. Of the path it holds the template only: ids may be phone numbers."""

    event: str = "request"
    request_id: str
    method: str
    route: str | None
    operation: str | None
    access_key_id: str | None
    status: int
    error: str | None
    milliseconds: float


def line_of(method: str, trail: Trail, answer: HttpAnswer, seconds: float) -> RequestLine:
    operation = trail.operation
    return RequestLine(
        request_id=trail.request_id,
        method=method,
        route=operation.uri if operation else None,
        operation=operation.name if operation else None,
        access_key_id=trail.access_key_id,
        status=answer.status,
        error=answer.error,
        milliseconds=round(seconds * 1000, 3),
    )
