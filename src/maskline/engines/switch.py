"""The switch: where Kamailio asks what to do with a call and reports what became of it.

A Unix socket; a request is a line of JSON, `{"operation": …, "input": …}`, its answer a line with
`output` or `error`. Requests may be sent ahead; answers come in their order.

Who sends only what is answered at once, reports, waits for nothing. Reports are read together with
what comes within a moment on all such connections: to be woken for one costs more than to read it.
"""

import asyncio
import os
import select
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import structlog

from maskline.engines.ground import Runner

AHEAD = 64  # requests of one connection in hand at once; more wait in the socket
# Bytes. JSON may write an octet of what a party sent as six: of a text's, or of the tags of both
# legs of a call.
LONGEST_LINE = 1 << 17
REST_SECONDS = 0.02

Answer = dict[str, Any]
Ask = Callable[[str, dict[str, Any]], Answer | Awaitable[Answer]]

log = structlog.get_logger()


class SwitchRefusal(Exception):
    """The request will not be carried out; `code` is the name of the exception on the wire."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SwitchRequest(msgspec.Struct):
    operation: str
    input: dict[str, Any]


class SwitchServer:
    """Serves one socket, to one user; `ask` carries a request out or raises SwitchRefusal."""

    def __init__(self, path: Path, ask: Ask) -> None:
        self._path = path
        self._ask = ask
        self._server: asyncio.Server | None = None
        self.lines: set[Line] = set()
        self._reporting: set[Line] = set()
        self._resting: asyncio.TimerHandle | None = None

    async def open(self, client: Runner) -> None:
        self._path.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Line(self), self._path)
        self._path.chmod(0o600)
        os.chown(self._path, client.uid, client.gid)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._resting is not None:
            self._resting.cancel()
        working = [task for line in self.lines for task in line.close()]
        await asyncio.gather(*working, return_exceptions=True)

    def heard(self, line: "Line", reports: bool) -> None:
        """A connection said something: nothing but reports, or not."""
        if not reports:
            self._reporting.discard(line)
            return
        self._reporting.add(line)
        if self._resting is None:
            loop = asyncio.get_running_loop()
            self._resting = loop.call_later(REST_SECONDS, self.listen)
            # When all that is there now has been read: at once it would be one connection that is
            # read each time, the same one as long as it has something to say.
            loop.call_soon(self._rest)

    def _rest(self) -> None:
        if self._resting is not None:
            for line in self._reporting:
                line.rest()

    def forget(self, line: "Line") -> None:
        self.lines.discard(line)
        self._reporting.discard(line)

    def listen(self) -> None:
        """Reads reports again."""
        self._resting = None
        for line in self._reporting:
            line.listen()

    def answer(self, line: bytes) -> bytes | asyncio.Task[bytes]:
        """The answer as a line, or the task that will give it."""
        try:
            request = msgspec.json.decode(line, type=SwitchRequest)
            answer = self._ask(request.operation, request.input)
        except Exception as error:
            return encoded(failed(error))
        if isinstance(answer, dict):
            return encoded({"output": answer})
        return asyncio.ensure_future(carried_out(answer))


class Line(asyncio.Protocol):
    """One connection. Most requests are answered before the next is read; the others wait in
    `_answers`, and so does every answer that comes after them."""

    def __init__(self, server: SwitchServer) -> None:
        self._server = server
        self._begun = b""
        self._answers: deque[bytes | asyncio.Task[bytes]] = deque()
        self._last = False
        self._rests = self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has another ancestor
        self._server.lines.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.forget(self)
        self._answers.clear()

    def data_received(self, data: bytes) -> None:
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > LONGEST_LINE:
            self._transport.abort()
            return
        reports = not self._answers
        for line in lines:
            answer = self._server.answer(line)
            if isinstance(answer, asyncio.Task):
                answer.add_done_callback(self._answered)
                reports = False
            self._answers.append(answer)
        self._answered()
        if lines and not self._transport.is_closing():
            self._server.heard(self, reports)

    def eof_received(self) -> bool:
        """Who says no more may still listen. Who does not has waited too long: what was asked is
        given up, since a call that is decided now would be one that nobody carries."""
        self._last = True
        if hung_up(self._transport):
            self.close()
            return False
        return bool(self._answers)

    def pause_writing(self) -> None:
        self._full = True
        self._mind_the_queue()

    def resume_writing(self) -> None:
        self._full = False
        self._mind_the_queue()

    def rest(self) -> None:
        """Reads nothing until `listen`."""
        self._rests = True
        self._mind_the_queue()

    def listen(self) -> None:
        self._rests = False
        self._mind_the_queue()

    def close(self) -> list[asyncio.Task[bytes]]:
        """Ends the connection; gives the work that was cancelled."""
        working = [answer for answer in self._answers if isinstance(answer, asyncio.Task)]
        for task in working:
            task.cancel()
        self._transport.abort()
        return working

    def _answered(self, _done: object = None) -> None:
        ready = []
        while self._answers:
            first = self._answers[0]
            if isinstance(first, asyncio.Task):
                if not first.done() or first.cancelled():
                    break
                first = first.result()
            ready.append(first)
            self._answers.popleft()
        if ready and not self._transport.is_closing():
            self._transport.write(b"".join(ready))
        if self._last and not self._answers:
            self._transport.close()
        self._mind_the_queue()

    def _mind_the_queue(self) -> None:
        """Reads on, or lets the client wait: one that sends far ahead of its answers, say."""
        if self._transport.is_closing():
            return
        waits = self._rests or self._full or len(self._answers) > AHEAD
        if waits:
            self._transport.pause_reading()
        elif not (self._transport.is_reading() or self._last):
            self._transport.resume_reading()


def hung_up(transport: asyncio.Transport) -> bool:
    """Whether the other side has closed its socket, and not its way to us alone."""
    looking = select.poll()
    looking.register(transport.get_extra_info("socket").fileno(), 0)  # what else is told is enough
    return any(event & select.POLLHUP for _, event in looking.poll(0))


async def carried_out(work: Awaitable[Answer]) -> bytes:
    try:
        return encoded({"output": await work})
    except Exception as error:
        return encoded(failed(error))


def encoded(answer: Answer) -> bytes:
    return msgspec.json.encode(answer) + b"\n"


def failed(error: Exception) -> Answer:
    match error:
        case msgspec.DecodeError():
            return failure("BadRequestException", str(error))
        case SwitchRefusal():
            return failure(error.code, str(error))
    log.error("switch request failed", exc_info=error)
    return failure("ServiceFailureException", "the request failed")


def failure(code: str, message: str) -> Answer:
    return {"error": {"code": code, "message": message}}
