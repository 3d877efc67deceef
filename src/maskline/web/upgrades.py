"""Requests that ask for another protocol (`Upgrade: h2c`, say), read as HTTP/1.1 like all others.

A server may pass such a wish over (RFC 9110, 7.8), and clients send the body in any case: Java's
own HttpClient does so with its first request. httptools takes all that follows the head for the
other protocol's, so what reads the body is a second parser, which was given a head with no wishes.
"""

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

FRAMING = (b"content-length", b"transfer-encoding")
Data = Any  # bytes, or a view of some


class Parser(httptools.HttpRequestParser):
    """Tells `callbacks` the parts of a protocol's requests."""

    def __init__(self, protocol: HttpToolsProtocol, callbacks: object) -> None:
        super().__init__(callbacks)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self._protocol = protocol

    def feed_data(self, data: Data) -> None:
        parser: Parser = self
        rest = data
        while rest:
            rest = parser.left_of(rest)
            parser = self._protocol.parser  # type: ignore[assignment]

    def left_of(self, data: Data) -> Data:
        """Reads data to the end of a head with a wish; what follows is left."""
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as wish:
            if framing := framing_of(self._protocol):
                lines = [name + b": " + value for name, value in framing]
                body = self._protocol.parser = Parser(self._protocol, Resumed(self._protocol))
                body.left_of(b"\r\n".join([b"POST / HTTP/1.1", *lines, b"", b""]))
            return memoryview(data)[wish.args[0] :]
        return b""


def framing_of(protocol: HttpToolsProtocol) -> list[tuple[bytes, bytes]]:
    """The headers of a request that say that a body follows, and how long it is."""
    return [(name, value) for name, value in protocol.scope["headers"] if name in FRAMING]


def body_follows(protocol: HttpToolsProtocol) -> bool:
    """Whether a request is said to be complete whose body is still to be read."""
    return protocol.parser.should_upgrade() and bool(framing_of(protocol))


class Resumed:
    """What a parser calls that begins with the body of a request: the head that it is given before
    is nobody's, all that comes later is the protocol's."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._begun = False
        self.on_body = protocol.on_body

    def __getattr__(self, name: str) -> Any:
        """The callbacks of a head. httptools asks for those that it knows, once."""
        callback = getattr(self._protocol, name)

        def call(*parts: bytes) -> None:
            if self._begun:
                callback(*parts)

        return call

    def on_message_complete(self) -> None:
        self._begun = True
        self._protocol.on_message_complete()
