"""HTTP as uvicorn reads it, with bounds on what one who sends no request may hold of us.

What is no HTTP, a request that does not come to its end in time and a connection too many are
refused in the form of all our errors: clients read every answer as JSON. What comes here is a URL
of more than 64 KiB, for one, or a header that is none.
"""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from maskline.web import answers
from maskline.web.pipeline import new_request_id
from maskline.web.upgrades import Parser, body_follows

HEAD_SECONDS = 20.0  # for the first byte of a connection, and from a request's first to its head
BODY_SECONDS = 60.0
# For a client to read what waits for it, where that is much: a second more for each so many bytes.
READ_SECONDS = 60.0
SLOWEST = 16_384
MOST_HEAD_BYTES = 65_536
# Requests that wait for the answers to those before them. They are read as fast as they come and
# each takes a hundred times the memory that it has bytes; hardly any client sends one.
MOST_WAITING = 100
MOST_HEADERS = 200  # short ones take twenty times the memory that they have bytes
TIMEOUT = "RequestTimeoutException"
TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
LARGE = "The head of the request is too large"
CONTINUE = b"HTTP/1.1 100 "


class Joined:
    """What one answer is written to: its head waits for what follows, so that both leave in one
    packet. A packet each would cost a tenth of a request, and wake the client twice."""

    __slots__ = ("_begun", "_head", "_transport")

    def __init__(self, transport: asyncio.Transport, *, begun: bool) -> None:
        """`begun` where nothing follows a head: after HEAD."""
        self._transport = transport
        self._head = b""
        self._begun = begun

    def write(self, data: bytes) -> None:
        if self._begun or (not self._head and data.startswith(CONTINUE)):
            self._transport.write(data)
        elif self._head:
            self._begun = True
            self._transport.write(self._head + data)
        else:
            self._head = data

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        if self._head and not self._begun:
            self._transport.write(self._head)
        self._transport.close()


class Protocol(HttpToolsProtocol):
    """One connection. `due` is when what is under way must have come; None while we answer.
    `unread` is when what waits for the client must have been read; None while little does.

    `idle` are those of the server that have had their answer and ask for nothing, the longest idle
    first.
    """

    most_connections = 4096
    idle: ClassVar[dict["Protocol", None]] = {}
    due: float | None
    unread: float | None = None
    in_head = in_message = False
    head_bytes = 0  # of a head, or of what stands around a body: all that came since there was some

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.parser = Parser(self, self)
        self.due = self.loop.time() + HEAD_SECONDS
        if len(self.connections) > self.most_connections:
            if self.idle:  # its client connects again when it needs to (RFC 9112, 9.5)
                next(iter(self.idle)).timeout_keep_alive_handler()
            else:
                status = HTTPStatus.SERVICE_UNAVAILABLE
                self.turn_away(status, answers.UNAVAILABLE, "Too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self.idle.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.idle.pop(self, None)
        self.head_bytes += len(data)
        super().data_received(data)
        if self.in_message and self.is_large() and not self.transport.is_closing():
            self.break_off(TOO_LARGE, answers.BAD_REQUEST, LARGE)

    def is_large(self) -> bool:
        """Whether more has come of a head, or around a body, than anybody has reason to send."""
        return self.head_bytes > MOST_HEAD_BYTES or len(self.headers) > MOST_HEADERS

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_head = self.in_message = True
        self.due = self.loop.time() + HEAD_SECONDS

    def on_headers_complete(self) -> None:
        if len(self.headers) > MOST_HEADERS:  # of a head that came whole
            self.turn_away(TOO_LARGE, answers.BAD_REQUEST, LARGE)
            raise ValueError(LARGE)  # so that the parser reads no further
        if len(self.pipeline) >= MOST_WAITING:
            self.transport.abort()  # a refusal would be read as the answer to another
            raise ValueError("Too many requests wait for their answers")
        self.in_head = False
        self.head_bytes = 0
        self.due = self.loop.time() + BODY_SECONDS
        super().on_headers_complete()
        self.headers = []  # for trailers, which are nobody's
        joined = Joined(self.transport, begun=self.scope["method"] == "HEAD")
        self.cycle.transport = joined  # type: ignore[assignment]  # all that a cycle uses of it

    def on_body(self, body: bytes) -> None:
        self.head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if body_follows(self):
            return
        self.in_message = False
        self.head_bytes = 0
        self.due = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None and not self.in_message:
            self.idle[self] = None

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that is of no use any more, also one whose answer nobody reads."""
        self.idle.pop(self, None)
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        super().pause_writing()
        waiting = self.transport.get_write_buffer_size()
        self.unread = self.loop.time() + READ_SECONDS + waiting / SLOWEST

    def resume_writing(self) -> None:
        super().resume_writing()
        self.unread = None

    def look(self, now: float) -> None:
        """To be told the time now and then."""
        if self.unread is not None and now >= self.unread:
            self.transport.abort()
            return
        if self.due is None or now < self.due or self.transport.is_closing():
            return
        if self.scope is None:
            self.transport.close()  # it never said anything
        else:
            message = "The request did not come in time"
            self.break_off(HTTPStatus.REQUEST_TIMEOUT, TIMEOUT, message)

    def break_off(self, status: HTTPStatus, name: str, message: str) -> None:
        """Ends the connection in the midst of a request; says why, unless an answer has begun."""
        if self.in_head or self.cycle is None or not self.cycle.response_started:
            self.turn_away(status, name, message)
        else:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        self.turn_away(HTTPStatus.BAD_REQUEST, answers.BAD_REQUEST, msg)

    def turn_away(self, status: HTTPStatus, name: str, message: str) -> None:
        """The answer to what never became a request, and the end of the connection."""
        if self.transport.is_closing():
            return
        answer = answers.error(name, status, name.removesuffix("Exception"), message)
        headers = [
            *answer.headers,
            (b"x-amzn-requestid", new_request_id().encode()),
            (b"content-length", str(len(answer.body)).encode()),
            (b"connection", b"close"),
        ]
        line = f"HTTP/1.1 {status.value} {status.phrase}".encode()
        lines = [line, *(b": ".join(header) for header in headers)]
        self.transport.write(b"\r\n".join([*lines, b"", answer.body]))
        self.transport.close()


def bounded(most_connections: int) -> type[Protocol]:
    """A protocol for a server that holds that many connections at most."""
    facts: dict[str, Any] = {"most_connections": most_connections, "idle": {}}
    return type("BoundedProtocol", (Protocol,), facts)
