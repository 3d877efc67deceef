"""Requests as ASGI brings them."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from maskline.domain.refusals import BadRequest, Unavailable
from maskline.web.canonical import parameters
from maskline.web.faults import BodyTooLarge

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# What a body has beyond this counts as large. Who knows no more than an access key's id can make
# large bodies be refused, but no others: so many for each connection are always there.
ORDINARY = 65_536
# What large bodies under way may have together, in bodies of the largest size.
MOST_TOGETHER = 32
MOST_OF_ONE = 8  # access key: its id is all that one needs to know for a body to be read
MOST_PARAMETERS = 200  # of a query, which is read for strangers too; no operation takes twenty


class Disconnected(Exception):
    """The client went away before it had sent its request."""


def for_the_patient(scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """How to deal with a client that asks before it sends a body (Expect: 100-continue), with
    others as is.

    The body of one who is refused at once may never come, and what comes next would be taken for
    it: so the connection ends with an answer that did not wait for the body (RFC 9110, 10.1.1).
    """
    asks = (value for name, value in scope["headers"] if name == b"expect")
    if b"100-continue" not in map(bytes.lower, asks):
        return receive, send
    awaited = False

    async def receiving() -> Message:
        nonlocal awaited
        awaited = True
        return await receive()

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and not awaited:
            message["headers"].append((b"connection", b"close"))
        await send(message)

    return receiving, sending


class Bodies:
    """The bodies of the requests under way, so that they take a bounded part of the memory.

    None is larger than `most` bytes. What they have beyond their ORDINARY first bytes is all
    together no larger than MOST_TOGETHER times that, and of one access key MOST_OF_ONE times.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()  # bytes beyond ORDINARY by access key
        self._total = 0

    async def read(self, receive: Receive, headers: Mapping[bytes, bytes], owner: str) -> bytes:
        """The whole body, counted as the owner's until it is released.

        Raises BodyTooLarge, Unavailable where there are too many at once, Disconnected.
        """
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and (len(announced) > 18 or int(announced) > self._most):
            raise self._too_large()
        body = bytearray()
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                if piece := message.get("body"):
                    before = beyond(len(body))
                    body += piece
                    self._hold(owner, beyond(len(body)) - before)
                if len(body) > self._most:
                    raise self._too_large()
                if not message.get("more_body"):
                    return bytes(body)
        except BaseException:
            self.release(owner, len(body))
            raise

    def release(self, owner: str, size: int) -> None:
        """To be told when a body of so many bytes is needed no more."""
        if large := beyond(size):
            self._total -= large
            self._held[owner] -= large
            if not self._held[owner]:
                del self._held[owner]

    def _hold(self, owner: str, size: int) -> None:
        if not size:
            return
        self._total += size
        self._held[owner] += size
        if self._total > MOST_TOGETHER * self._most:
            raise Unavailable("The requests under way are too large together", retry_after=1)
        if self._held[owner] > MOST_OF_ONE * self._most:
            raise Unavailable(
                "The requests of this access key that are under way are too large together",
                retry_after=1,
            )

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The body may have at most {self._most} bytes")


def beyond(size: int) -> int:
    """How much a body of so many bytes has beyond what is ordinary."""
    return max(0, size - ORDINARY)


def query_of(query_string: bytes) -> dict[str, list[str]]:
    """The query's values by name; bytes that are no UTF-8 become replacement characters.

    Raises BadRequest for more parameters than anybody has reason to send.
    """
    if query_string.count(b"&") >= MOST_PARAMETERS:
        raise BadRequest(f"The query can have at most {MOST_PARAMETERS} parameters")
    found: dict[str, list[str]] = {}
    if query_string:
        for name, value in parameters(query_string):
            found.setdefault(name.decode(errors="replace"), []).append(
                value.decode(errors="replace")
            )
    return found
