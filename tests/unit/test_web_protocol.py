"""What the HTTP door does about clients that send no request, half of one, or too much of one."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from door import REGION, add_account, add_key, settings_with

from maskline.cli.signer import AccessKey, sign
from maskline.daemon.api import serving
from maskline.store import open_store
from maskline.web import protocol
from maskline.web.app import build

HEALTH = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
DOCUMENT = b"GET /openapi.json HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /voice-connectors HTTP/1.1\r\nHost: h\r\n"
Connect = Callable[[], Awaitable["Wire"]]


class Wire:
    """A connection of a client's, who may have a key."""

    def __init__(
        self, key: AccessKey, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.key = key
        self._reader, self._writer = reader, writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def answer(self) -> tuple[int, dict[str, str]]:
        """Status and body of the next answer."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        body = await self._reader.readexactly(length)
        return int(head.split()[1]), json.loads(body)

    async def ended(self) -> bool:
        """Waits for the server to close, without another byte."""
        try:
            return await asyncio.wait_for(self._reader.read(), 30) == b""
        except ConnectionError:
            return True


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Connect]:
    async with door(tmp_path, 64) as opened:
        yield opened


@asynccontextmanager
async def door(folder: Path, most: int) -> AsyncIterator[Connect]:
    store = open_store(f"sqlite:{folder / 'p.db'}")
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    key = await store.write(lambda tx: add_key(tx, add_account(tx)))
    wires: list[Wire] = []

    async def connect() -> Wire:
        wires.append(Wire(key, *await asyncio.open_connection("127.0.0.1", port)))
        return wires[-1]

    async with serving(build(store, settings_with(), dict), listening, most):
        yield connect
        for wire in wires:
            wire._writer.close()
    store.close()


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.2)


@pytest.mark.usefixtures("hurry")
async def test_who_says_nothing_is_closed(connect: Connect) -> None:
    assert await (await connect()).ended()


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("half", [b"G", HEALTH[:-2], POST + b"X: " + b"a" * 9000])
async def test_who_never_ends_a_request_is_told_and_closed(connect: Connect, half: bytes) -> None:
    wire = await connect()
    wire.send(half)
    status, content = await wire.answer()
    assert (status, content["Code"]) == (408, "RequestTimeout")
    assert await wire.ended()


@pytest.mark.usefixtures("hurry")
async def test_who_never_ends_a_body_is_told_and_closed(connect: Connect) -> None:
    wire = await connect()
    signed = sign(wire.key, REGION, "POST", "/voice-connectors", {"Host": "h"}, b"{")
    lines = "".join(f"{name}: {text}\r\n" for name, text in signed.items() if name != "Host")
    wire.send(POST + lines.encode() + b"Content-Length: 9\r\n\r\n{")
    status, content = await wire.answer()
    assert (status, content["Code"]) == (408, "RequestTimeout")
    assert await wire.ended()


WISH = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"


def request_with_a_wish(key: AccessKey, body: bytes, framing: bytes, written: bytes) -> bytes:
    """A request that makes a connector and would rather go on in another protocol."""
    signed = sign(key, REGION, "POST", "/voice-connectors", {"Host": "h"}, body)
    lines = "".join(f"{name}: {text}\r\n" for name, text in signed.items() if name != "Host")
    return POST + lines.encode() + WISH + framing + b"\r\n\r\n" + written


@pytest.mark.parametrize("piece", [1, 10, 100_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_who_asks_for_another_protocol_is_served_in_this_one(
    connect: Connect, piece: int, chunked: bool
) -> None:
    wire = await connect()
    body = b'{"Name":"x","RequireEncryption":false}'
    framing, written = b"Content-Length: %d" % len(body), body
    if chunked:
        framing, written = (
            b"Transfer-Encoding: chunked",
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
        )
    made = request_with_a_wish(wire.key, body, framing, written)
    health = HEALTH.replace(b"\r\n\r\n", b"\r\n" + WISH + b"\r\n")
    sent = made + HEALTH + health + health + made
    for start in range(0, len(sent), piece):
        wire.send(sent[start : start + piece])
        await asyncio.sleep(0)
    for expected in (201, 200, 200, 200, 201):
        status, content = await wire.answer()
        assert status == expected, content


async def test_many_wishes_at_once(connect: Connect) -> None:
    wire = await connect()
    wire.send(HEALTH.replace(b"\r\n\r\n", b"\r\n" + WISH + b"\r\n") * protocol.MOST_WAITING)
    for _ in range(protocol.MOST_WAITING):
        assert (await wire.answer())[0] == 200


@pytest.mark.usefixtures("hurry")
async def test_a_wish_buys_no_time_for_the_body(connect: Connect) -> None:
    wire = await connect()
    wire.send(request_with_a_wish(wire.key, b"{", b"Content-Length: 9", b"{"))
    status, content = await wire.answer()
    assert (status, content["Code"]) == (408, "RequestTimeout")
    assert await wire.ended()


@pytest.mark.usefixtures("hurry")
async def test_who_has_no_key_is_told_before_the_end_of_the_body(connect: Connect) -> None:
    wire = await connect()
    wire.send(POST + b"Content-Length: 9\r\n\r\n{")
    status, content = await wire.answer()
    assert (status, content["Code"]) == (403, "Unauthorized")
    assert await wire.ended()


@pytest.mark.usefixtures("hurry")
async def test_a_drop_now_and_then_buys_no_time(connect: Connect) -> None:
    wire = await connect()
    wire.send(b"GET /health HTTP/1.1\r\n")

    async def drip() -> None:
        while True:
            wire.send(b"X: y\r\n")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert (await wire.answer())[0] == 408
    dripping.cancel()


@pytest.mark.usefixtures("hurry")
async def test_who_pauses_between_requests_may_stay(connect: Connect) -> None:
    wire = await connect()
    for _ in range(2):
        wire.send(HEALTH)
        assert (await wire.answer())[0] == 200
        await asyncio.sleep(0.6)


async def test_slow_clients_do_not_keep_others_from_being_served(connect: Connect) -> None:
    for _ in range(30):
        (await connect()).send(HEALTH[:-2])
    wire = await connect()
    wire.send(HEALTH)
    assert (await wire.answer())[0] == 200


async def test_a_head_may_be_so_large(connect: Connect) -> None:
    wire = await connect()
    wire.send(HEALTH[:-2] + b"X: " + b"a" * 50_000 + b"\r\n\r\n")
    assert (await wire.answer())[0] == 200
    wire.send(HEALTH[:-2])
    for _ in range(1000):
        wire.send(b"X: " + b"a" * 1000 + b"\r\n")
    assert (await wire.answer())[0] == 431
    assert await wire.ended()


async def test_a_large_body_is_no_large_head(connect: Connect) -> None:
    wire = await connect()
    for _ in range(2):
        wire.send(POST + b"Content-Length: 100000\r\n\r\n" + b"{" * 100_000)
        status, content = await wire.answer()
        assert (status, content["Code"]) == (403, "Unauthorized")


async def test_the_head_after_a_large_body_may_come_in_pieces(connect: Connect) -> None:
    wire = await connect()
    body = b"{" * 100_000
    signed = sign(wire.key, REGION, "POST", "/voice-connectors", {"Host": "h"}, body)
    lines = "".join(f"{name}: {text}\r\n" for name, text in signed.items() if name != "Host")
    wire.send(POST + lines.encode() + b"Content-Length: 100000\r\n\r\n")
    await asyncio.sleep(0.05)
    wire.send(body)
    assert (await wire.answer())[0] == 400  # no JSON, but read to its end
    wire.send(HEALTH[:9])
    await asyncio.sleep(0.05)
    wire.send(HEALTH[9:])
    assert (await wire.answer())[0] == 200


@pytest.mark.parametrize("end", [b"", b"\r\n"])
async def test_who_sends_hundreds_of_headers_is_told_and_closed(
    connect: Connect, end: bytes
) -> None:
    """Sixty thousand bytes of short ones were kept as more than a megabyte, on each connection."""
    wire = await connect()
    wire.send(HEALTH[:-2] + b"a: b\r\n" * 199 + b"\r\n")
    assert (await wire.answer())[0] == 200
    wire.send(HEALTH[:-2] + b"a: b\r\n" * 205 + end)
    assert (await wire.answer())[0] == 431
    assert await wire.ended()


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"0\r\n", b"a: b\r\n" * 2000),
        (b"0\r\na: ", b"b" * 10_000),
        (b"1;a=", b"b" * 10_000),
    ],
)
async def test_who_sends_trailers_without_end_is_cut_off(
    connect: Connect, start: bytes, piece: bytes
) -> None:
    """All that a stranger sent in a minute was kept, as lines of a head, twenty times its size."""
    wire = await connect()
    wire.send(CHUNKED + start)
    assert (await wire.answer())[0] == 403  # the request has its answer already
    for _ in range(20):
        wire.send(piece)
        await asyncio.sleep(0.01)
    assert await wire.ended()


async def test_trailers_are_no_headers(connect: Connect) -> None:
    wire = await connect()
    body = b'{"Name":"x","RequireEncryption":false}'
    signed = sign(wire.key, REGION, "POST", "/voice-connectors", {"Host": "h"}, body)
    lines = "".join(f"{name}: {text}\r\n" for name, text in signed.items() if name != "Host")
    head = POST + lines.encode() + b"Transfer-Encoding: chunked\r\n\r\n"
    trailer = b"X-Amz-Date: 20200415T161010Z\r\n"
    wire.send(head + b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailer) + HEALTH)
    assert (await wire.answer())[0] == 201
    assert (await wire.answer())[0] == 200


async def test_a_body_in_many_small_pieces_is_no_head(connect: Connect) -> None:
    wire = await connect()
    body = b'{"Name":"x","RequireEncryption":false}' + b" " * 100_000
    signed = sign(wire.key, REGION, "POST", "/voice-connectors", {"Host": "h"}, body)
    lines = "".join(f"{name}: {text}\r\n" for name, text in signed.items() if name != "Host")
    wire.send(POST + lines.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(body), 1000):
        piece = body[start : start + 1000]
        wire.send(b"".join(b"1\r\n%c\r\n" % byte for byte in piece))
        await asyncio.sleep(0)
    wire.send(b"0\r\n\r\n")
    assert (await wire.answer())[0] == 201


async def test_line_ends_before_any_request_are_no_head(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    wire = await connect()
    for _ in range(10):
        wire.send(b"\r\n" * 5000)
        await asyncio.sleep(0.01)
    wire.send(HEALTH)
    assert (await wire.answer())[0] == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_connection_too_many_is_told_so(tmp_path: Path) -> None:
    async with door(tmp_path, 2) as connect:
        first, _second = await connect(), await connect()
        third = await connect()
        assert (await third.answer())[0] == 503
        assert await third.ended()
        first.send(HEALTH)
        assert (await first.answer())[0] == 200


async def test_a_connection_too_many_takes_the_place_of_one_that_is_idle(tmp_path: Path) -> None:
    """Anybody could keep all places, by a request a minute on each."""
    async with door(tmp_path, 2) as connect:
        first, second = await connect(), await connect()
        for wire in (first, second, first):
            wire.send(HEALTH)
            assert (await wire.answer())[0] == 200
        third = await connect()
        third.send(HEALTH)
        assert (await third.answer())[0] == 200
        assert await second.ended()  # which has been idle for longer than the first
        for wire in (first, third):
            wire.send(HEALTH[:-2])  # a request that is under way
        first.send(HEALTH[-2:])
        assert (await first.answer())[0] == 200
        first.send(HEALTH[:-2])
        await asyncio.sleep(0)
        fourth = await connect()
        assert (await fourth.answer())[0] == 503


async def test_who_sends_requests_without_waiting_for_answers_is_cut_off(tmp_path: Path) -> None:
    """Each takes a hundred times the memory that it has bytes."""
    small = b"GET / HTTP/1.1\r\n\r\n"
    async with door(tmp_path, 1) as connect, asyncio.timeout(30):
        wire = await connect()
        wire.send(small * (protocol.MOST_WAITING + 1))
        for _ in range(protocol.MOST_WAITING + 1):
            assert (await wire.answer())[0] == 404
        wire.send(small * (protocol.MOST_WAITING + 2))
        assert await wire.ended()


async def test_who_reads_no_answers_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger could keep a place for ever, by asking for more than the way there holds."""
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "SLOWEST", 10**7)
    async with door(tmp_path, 1) as connect, asyncio.timeout(30):
        (await connect()).send(DOCUMENT * 100)
        status = 503
        while status == 503:
            other = await connect()
            other.send(HEALTH)
            status, _ = await other.answer()
        assert status == 200


async def test_who_reads_in_the_end_is_not_cut_off(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_up: list[protocol.Protocol] = []
    real = protocol.Protocol.pause_writing

    def pause_writing(connection: protocol.Protocol) -> None:
        held_up.append(connection)
        real(connection)

    monkeypatch.setattr(protocol.Protocol, "pause_writing", pause_writing)
    wire = await connect()
    wire.send(DOCUMENT * 100)
    for _ in range(100):
        assert (await wire.answer())[0] == 200
    held_up[0].look(asyncio.get_running_loop().time() + 10 * protocol.READ_SECONDS)
    wire.send(HEALTH)
    assert (await wire.answer())[0] == 200


async def test_requests_in_a_row_are_answered_in_order(connect: Connect) -> None:
    wire = await connect()
    wire.send(HEALTH + b"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n" + HEALTH)
    assert [(await wire.answer())[0] for _ in range(3)] == [200, 404, 200]


@pytest.mark.parametrize(
    "smuggled",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 5, 5\r\n\r\nhello",
        POST + b"Content-Length : 5\r\n\r\nhello",
        POST + b" folded: 1\r\n\r\n",
        POST + b"X: a\x00b\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"get /health HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_two_might_read_in_two_ways_is_no_request(
    connect: Connect, smuggled: bytes
) -> None:
    wire = await connect()
    wire.send(smuggled)
    status, content = await wire.answer()
    assert status in (400, 403)
    assert sorted(content) == ["Code", "Message", "__type"]
    assert await wire.ended()


async def test_an_answer_leaves_in_one_piece(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    real = protocol.Joined.__init__

    class Noted:
        def __init__(self, transport: asyncio.Transport) -> None:
            self.write, self._transport = self._note, transport
            self.is_closing, self.close = transport.is_closing, transport.close

        def _note(self, data: bytes) -> None:
            written.append(data)
            self._transport.write(data)

    monkeypatch.setattr(
        protocol.Joined,
        "__init__",
        lambda self, transport, **facts: real(self, Noted(transport), **facts),
    )
    wire = await connect()
    wire.send(HEALTH)
    assert (await wire.answer())[0] == 200
    assert [data.startswith(b"HTTP/1.1 200 ") for data in written] == [True]


async def test_head_is_answered_by_a_head_alone(connect: Connect) -> None:
    wire = await connect()
    for _ in range(2):  # what follows is not taken for its body
        wire.send(HEALTH.replace(b"GET", b"HEAD"))
        head = await asyncio.wait_for(wire._reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 200 ")
    wire.send(HEALTH)
    assert (await wire.answer())[0] == 200


async def test_who_asks_first_is_told_to_go_on_at_once(connect: Connect) -> None:
    wire = await connect()
    url = "/voice-connectors"
    head = "".join(
        f"{name}: {value}\r\n"
        for name, value in sign(wire.key, REGION, "POST", url, {"Host": "h"}, b"{}").items()
    )
    wire.send(f"POST {url} HTTP/1.1\r\n{head}".encode())
    wire.send(b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    told = await asyncio.wait_for(wire._reader.readuntil(b"\r\n\r\n"), 5)
    assert told.startswith(b"HTTP/1.1 100 ")
    wire.send(b"{}")
    assert (await wire.answer())[0] == 400


async def test_who_asks_first_and_is_refused_has_the_connection_closed(connect: Connect) -> None:
    """Java's SDK does not send the body then, and its next request over the connection would be
    taken for it."""
    wire = await connect()
    wire.send(POST + b"Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n")
    assert (await wire.answer())[0] == 403
    assert await wire.ended()
