"""The door for what providers send: `/carriers/<name>/messages` and `/carriers/<name>/status`, and
for those who come to see a picture: `/media/<token>`. An ASGI application.

Only what bears its provider's signature is read, and it is thanked for only once it is kept.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import structlog

from maskline import clock
from maskline.courier import Courier
from maskline.logs import whereabouts
from maskline.operations import Context
from maskline.operations.pictures import find_picture
from maskline.sms.foresight import foreseen
from maskline.sms.http.provider import (
    MESSAGES,
    STATUS,
    Callback,
    NotGenuine,
    Provider,
    Thanks,
    Unreadable,
)
from maskline.sms.media import PATH as MEDIA
from maskline.sms.media import MediaIntake
from maskline.sms.port import Arrival, InboundText, Taker, TryLater, Verdict
from maskline.store import Store, Transaction

CARRIERS = "/carriers/"
PREFIXES = (CARRIERS, MEDIA)
MOST_BYTES = 262_144
LONGEST_TOKEN = 64
BUSY_SECONDS = 5.0
# A picture is shown and nothing more: it runs nothing, is kept nowhere and tells nobody of itself.
PICTURE_HEADERS = {
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "cache-control": "private, no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "content-disposition": "inline",
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = structlog.get_logger()


class Turned(Exception):
    """A request that is answered with a status alone."""

    def __init__(self, status: int, reason: str = "", **headers: str) -> None:
        super().__init__(reason)
        self.status, self.headers = status, headers


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Desk:
    """A carrier's place at the door."""

    provider: Provider
    courier: Courier


class Door:
    """`public_url` is what providers put before our paths, without a last slash."""

    def __init__(
        self,
        desks: Sequence[Desk],
        inbox: Taker,
        intake: MediaIntake,
        store: Store,
        context: Callable[[Transaction], Context],
        public_url: str,
        most_queued: int,
    ) -> None:
        self._desks = {desk.provider.carrier: desk for desk in desks}
        self._inbox = inbox
        self._intake = intake
        self._store = store
        self._context = context
        self._public_url = public_url
        self._most_queued = most_queued
        self._coming: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Fetches pictures inside the block; outside, none."""
        async with AsyncExitStack() as stack:
            for desk in self._desks.values():
                await stack.enter_async_context(desk.courier)
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        carrier, kind = place_of(scope["path"])
        began = time.perf_counter()
        try:
            if scope["path"].startswith(MEDIA):
                answer = await self._picture(scope)
            else:
                answer = await self._called_back(carrier, kind, scope, receive)
        except Turned as turned:
            answer = Answer(turned.status, turned.headers)
            if str(turned):
                log.warning("callback turned away", carrier=carrier, reason=str(turned))
        except Exception as error:  # nothing was kept: the provider is to come again
            log.error("callback failed", **whereabouts(error))
            answer = Answer(503, {"retry-after": str(int(BUSY_SECONDS))})
        log.info(
            "picture" if scope["path"].startswith(MEDIA) else "callback",
            carrier=carrier if carrier in self._desks else None,
            kind=kind if kind in (MESSAGES, STATUS) else None,
            status=answer.status,
            milliseconds=round((time.perf_counter() - began) * 1000, 3),
        )
        await deliver(answer, scope["method"], send)

    async def _picture(self, scope: Scope) -> Answer:
        if scope["method"] not in ("GET", "HEAD"):
            raise Turned(405, allow="GET, HEAD")
        token = scope["path"][len(MEDIA) :]
        if not token.isascii() or len(token) > LONGEST_TOKEN:
            raise Turned(404)
        found = await self._store.read(lambda tx: find_picture(self._context(tx), token))
        if found is None:
            raise Turned(404)
        content_type, content = found
        return Answer(200, {"content-type": content_type, **PICTURE_HEADERS}, content)

    async def _called_back(self, carrier: str, kind: str, scope: Scope, receive: Receive) -> Answer:
        desk = self._desks.get(carrier)
        if desk is None or kind not in (MESSAGES, STATUS):
            raise Turned(404)
        if scope["method"] not in ("GET", "POST"):
            raise Turned(405, allow="GET, POST")
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if not desk.provider.bears_proof(headers):  # not even its body is read
            raise unproved(desk.provider.challenge)
        callback = await self._callback(kind, scope, headers, receive)
        try:
            reading = desk.provider.read(callback)
        except NotGenuine:
            raise Turned(403, "signature") from None
        except Unreadable as error:
            raise Turned(400, str(error)) from None
        await self._keep(desk, reading.arrivals)
        if reading.fault:  # the rest is kept, but a thanks would speak for all
            raise Turned(400, reading.fault)
        return thanks(reading.thanks)

    async def _keep(self, desk: Desk, arrivals: Sequence[Arrival]) -> None:
        async with AsyncExitStack() as stack:
            for turn in self._turns(arrivals):
                await stack.enter_async_context(turn)
            await self._keep_now(desk, arrivals)

    def _turns(self, arrivals: Sequence[Arrival]) -> list[asyncio.Lock]:
        """Those of texts with pictures: one that comes again before it is kept, since its provider
        waits for seconds alone, waits until it is known, and nothing is fetched twice."""
        texts = [each for each in arrivals if isinstance(each, InboundText) and each.media]
        names = {(text.carrier, text.message_id) for text in texts if text.message_id}
        return [self._coming.setdefault(name, asyncio.Lock()) for name in sorted(names)]

    async def _keep_now(self, desk: Desk, arrivals: Sequence[Arrival]) -> None:
        found = await self._all_passed_on(desk, arrivals)
        ready = [each for each in found if isinstance(each, Arrival)]
        verdicts = [each for each in found if not isinstance(each, Arrival)]
        verdicts += await self._inbox.take(ready) if ready else []
        busy = [verdict for verdict in verdicts if isinstance(verdict, TryLater)]
        if busy:
            after = max(verdict.after or BUSY_SECONDS for verdict in busy)
            raise Turned(503, busy[0].reason, **{"retry-after": str(max(1, round(after)))})

    async def _all_passed_on(
        self, desk: Desk, arrivals: Sequence[Arrival]
    ) -> list[Arrival | Verdict]:
        """As `_passed_on`. Where one fails all will come again: the others go no further."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._passed_on(desk, each)) for each in arrivals]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _passed_on(self, desk: Desk, arrival: Arrival) -> Arrival | Verdict:
        """What arrived, with our links for its pictures; the verdict where none need be fetched."""
        if not isinstance(arrival, InboundText) or not arrival.media:
            return arrival
        verdict, has_reader = await self._store.read(
            lambda tx: foreseen(self._context(tx), arrival, self._most_queued)
        )
        if verdict is not None:
            return verdict
        if not has_reader:
            return self._intake.leave_behind(arrival)
        return await self._intake.pass_on(arrival, desk.courier, desk.provider.media_headers)

    async def _callback(
        self, kind: str, scope: Scope, headers: Mapping[str, str], receive: Receive
    ) -> Callback:
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1")
        return Callback(
            kind=kind,
            method=scope["method"],
            url=self._public_url + path + (f"?{query}" if query else ""),
            query=query,
            headers=headers,
            body=await whole_body(receive),
            received_at=clock.now(),
        )


def place_of(path: str) -> tuple[str, str]:
    """The carrier and the kind that a path names, as ASGI gives it: decoded. Empty where it names
    none."""
    parts = path.removeprefix(CARRIERS).split("/")
    return (parts[0], parts[1]) if len(parts) == 2 else ("", "")


def unproved(challenge: str) -> Turned:
    """The answer to a callback without a proof. Some providers wait to be asked for it."""
    return Turned(401, **{"www-authenticate": challenge}) if challenge else Turned(403, "signature")


async def whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Turned(400)
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            raise Turned(413, "too large")
        if not message.get("more_body"):
            return bytes(body)


def thanks(said: Thanks) -> Answer:
    return Answer(said.status, {"content-type": said.content_type} if said.body else {}, said.body)


async def deliver(answer: Answer, method: str, send: Send) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
