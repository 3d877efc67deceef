"""rtpengine's control protocol, "ng": a cookie and a bencoded dictionary in one UDP datagram.

Source: rtpengine's own documentation of the ng protocol.
"""

import asyncio
import secrets
from contextlib import suppress
from typing import Any

from maskline.settings import Address

Value = int | bytes | str | list[Any] | dict[str, Any]

# A call between two sides that encrypt has another one beside it (maskline_sip/media.py).
SECOND = "/called"
FIRST_WAIT = 0.2  # seconds before a request is sent again; rtpengine answers a repeat from memory
ATTEMPTS = 3


class NgError(Exception):
    """rtpengine did not do what it was asked."""


class NgSilence(NgError):
    """It did not answer."""


class NgRefusal(NgError):
    """It answered no; the text is its reason."""


def encode(value: Value) -> bytes:
    match value:
        case int():
            return b"i%de" % value
        case bytes():
            return b"%d:%b" % (len(value), value)
        case str():
            return encode(value.encode())
        case list():
            return b"l" + b"".join(map(encode, value)) + b"e"
        case dict():
            pairs = (encode(key) + encode(value[key]) for key in sorted(value))
            return b"d" + b"".join(pairs) + b"e"


def decode(data: bytes) -> Any:
    """The value in `data`, texts as str; raises ValueError when it is no bencoding."""
    try:
        value, end = decode_at(data, 0)
    except IndexError:
        raise ValueError("bencoding is cut short") from None
    if end != len(data):
        raise ValueError("bencoding has something after its end")
    return value


def decode_at(data: bytes, at: int) -> tuple[Any, int]:
    mark = data[at : at + 1]
    if mark == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if mark == b"l":
        return decode_items(data, at + 1)
    if mark == b"d":
        items, end = decode_items(data, at + 1)
        return dict(zip(items[::2], items[1::2], strict=True)), end
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    if end > len(data):
        raise IndexError
    return data[colon + 1 : end].decode(errors="replace"), end


def decode_items(data: bytes, at: int) -> tuple[list[Any], int]:
    items = []
    while data[at] != ord("e"):
        item, at = decode_at(data, at)
        items.append(item)
    return items, at + 1


class NgClient(asyncio.DatagramProtocol):
    """A client of one rtpengine. Safe for concurrent requests."""

    def __init__(self, rtpengine: Address) -> None:
        self.place = rtpengine
        self._address = (rtpengine.host, rtpengine.port)
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[bytes, asyncio.Future[dict[str, Any]]] = {}

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, remote_addr=self._address
        )

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        cookie, _, body = data.partition(b" ")
        answer = self._waiting.get(cookie)
        if answer is None or answer.done():
            return
        try:
            answer.set_result(decode(body))
        except ValueError as error:
            answer.set_exception(NgError(str(error)))

    async def ask(self, command: str, **arguments: Value) -> dict[str, Any]:
        """The answer to a command; raises NgSilence or NgRefusal when there is none."""
        assert self._transport is not None, "open() comes first"
        cookie = secrets.token_hex(8).encode()  # a guess at it would be taken for an answer
        request = cookie + b" " + encode({"command": command, **arguments})
        answer = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = answer
        try:
            for attempt in range(ATTEMPTS):
                self._transport.sendto(request)
                await asyncio.wait({answer}, timeout=FIRST_WAIT * 2**attempt)
                if answer.done():
                    return accepted(answer.result())
            raise NgSilence(f"no answer to {command}")
        finally:
            del self._waiting[cookie]

    async def answers(self) -> bool:
        """Whether rtpengine answers a ping."""
        try:
            return (await self.ask("ping")).get("result") == "pong"
        except NgError:
            return False

    async def idle(self) -> bool:
        """Whether it relays nothing at all."""
        return not (await self.ask("list", limit=1)).get("calls")

    async def holds(self, call_id: str, heard_since: int = 0) -> bool:
        """Whether rtpengine relays, or relayed a moment ago, the sound of this call, and has heard
        any since then (in seconds since the epoch), unless the call is on hold."""
        try:
            told = await self.ask("query", **{"call-id": call_id})
        except NgRefusal:
            return False
        return heard_at(told) >= heard_since or is_on_hold(told)

    async def release(self, call_id: str) -> None:
        """Ends what rtpengine relays of a call, if it does; nothing is lost when it is silent."""
        for half in (call_id, call_id + SECOND):
            with suppress(NgError):
                await self.ask("delete", **{"call-id": half})


def medias_of(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Both sides' streams, as a query tells them."""
    return [media for side in told.get("tags", {}).values() for media in side.get("medias", [])]


def heard_at(told: dict[str, Any]) -> int:
    """When anything was heard last of a call, or told of it."""
    streams = [stream for media in medias_of(told) for stream in media.get("streams", [])]
    times = [told.get("last signal", 0), *(stream.get("last packet", 0) for stream in streams)]
    return max(map(int, times))


def is_on_hold(told: dict[str, Any]) -> bool:
    """Whether a side has said that it sends nothing."""
    return any("recv" not in media.get("flags", []) for media in medias_of(told))


def accepted(answer: dict[str, Any]) -> dict[str, Any]:
    if answer.get("result") == "error":
        raise NgRefusal(str(answer.get("error-reason", "refused")))
    return answer
