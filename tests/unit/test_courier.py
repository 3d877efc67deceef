"""The way out: where it goes, where it refuses to go, and how much it takes."""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from authority import Authority, Pair

from maskline.courier import (
    Courier,
    ForbiddenPlace,
    HttpRequest,
    NotSent,
    Unanswered,
    is_public,
    plain,
)

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(
    answer: bytes, asked: list[bytes] | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server on the loopback that says the same to everybody; its port."""

    serving: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        serving.add(task)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        if asked is not None:
            asked.append(head)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*serving)


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Names(AbstractResolver):
    """DNS as a hostile owner of a domain would run it: another answer each time."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: Any = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=0,
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254"),
        *("169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1"),
        *("192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7"),
        *("203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe"),
        *("64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2001:10::1"),
        *("2002:7f00:1::", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%lo", "fec0::1"),
        *("ff02::1", "ff0e::1"),
    ],
)
def test_an_address_inside_is_no_public_one(address: str) -> None:
    assert not is_public(plain(address))
    assert not Courier().may_go_to(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "54.172.60.0", "2606:4700:4700::1111", "::ffff:8.8.8.8"]
)
def test_a_public_address_is_one(address: str) -> None:
    assert Courier().may_go_to(address)


def test_an_allowed_network_is_allowed_in_every_notation_and_no_other() -> None:
    courier = Courier((ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8")))
    assert courier.may_go_to("10.1.2.3")
    assert courier.may_go_to("::ffff:10.1.2.3")
    assert courier.may_go_to("fd12::1")
    assert not courier.may_go_to("10.2.0.1")


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0"),
        *("0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.0.0.1."),
        *("127。0。0。1", "①②⑦.0.0.1"),
    ],
)
async def test_no_notation_of_the_loopback_leads_there(host: str) -> None:
    asked: list[bytes] = []
    async with peer(answer(b"secret"), asked) as port, Courier() as courier:
        with pytest.raises(NotSent):
            await courier.send(HttpRequest("GET", f"http://{host}:{port}/"))
    assert asked == []


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "//127.0.0.1/", ""),
        *("http://", "http:///path", "http://user:secret@example.com/", "https://[::1", "/path"),
        *("http://example.com:99999/", "unix:///run/secret.sock"),
    ],
)
async def test_what_is_no_plain_url_is_not_asked(url: str) -> None:
    async with Courier(LOOPBACK) as courier:
        with pytest.raises(ForbiddenPlace):
            await courier.send(HttpRequest("GET", url))


async def test_the_address_counts_that_is_connected_to_not_one_that_was_shown_before() -> None:
    """A name that answers with a public address first and with one inside afterwards."""
    asked: list[bytes] = []
    names = Names(["127.0.0.1"], ["::ffff:127.0.0.1"], ["127.0.0.1", "::1", "0.0.0.0"])
    async with peer(answer(b"secret"), asked) as port, Courier((), names) as courier:
        for host in ("rebind.example", "mapped.example", "many.example"):
            with pytest.raises(ForbiddenPlace):
                await courier.send(HttpRequest("GET", f"http://{host}:{port}/"))
    assert asked == []


async def test_a_name_with_an_address_inside_among_others_reaches_the_others_alone() -> None:
    asked: list[bytes] = []
    names = Names(["127.0.0.2", "127.0.0.1"])
    allowed = (ipaddress.ip_network("127.0.0.1/32"),)
    async with peer(answer(b"hello"), asked) as port, Courier(allowed, names) as courier:
        reply = await courier.send(HttpRequest("GET", f"http://mixed.example:{port}/"))
    assert reply.body == b"hello"


async def test_a_request_carries_what_it_was_given_and_our_name_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    asked: list[bytes] = []
    async with peer(answer(b"{}", "Set-Cookie: a=b"), asked) as port, Courier(LOOPBACK) as courier:
        url = f"http://127.0.0.1:{port}/path%2Fhere?a=%2B1"
        for _ in range(2):
            await courier.send(HttpRequest("POST", url, {"X-Own": "1"}, b"hello"))
    start, *lines = asked[1].decode().split("\r\n")
    assert start == "POST /path%2Fhere?a=%2B1 HTTP/1.1"
    headers = dict(line.split(": ", 1) for line in lines if line)
    headers.pop("Content-Type", None)
    assert headers == {
        "Host": f"127.0.0.1:{port}",
        "User-Agent": "Maskline",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "X-Own": "1",
        "Content-Length": "5",
    }


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    moved = answer(b"", "Location: http://127.0.0.1:1/", status="302 Found")
    async with peer(moved) as port, Courier(LOOPBACK) as courier:
        reply = await courier.send(HttpRequest("GET", f"http://127.0.0.1:{port}/"))
    assert reply.status == 302


async def test_media_are_followed_to_another_origin_without_our_credentials() -> None:
    first: list[bytes] = []
    second: list[bytes] = []
    async with peer(answer(b"picture"), second) as store:
        moved = answer(b"", f"Location: http://127.0.0.2:{store}/p", status="307 Moved")
        async with peer(moved, first) as port, Courier(LOOPBACK) as courier:
            with pytest.raises(NotSent):  # nobody listens at that address
                await courier.fetch(
                    HttpRequest("GET", f"http://127.0.0.1:{port}/", {"Authorization": "Basic x"}),
                    hops=3, seconds=10, most_bytes=100,
                )  # fmt: skip
        moved = answer(b"", f"Location: http://localhost:{store}/p", status="307 Moved")
        async with peer(moved, first) as port, Courier(LOOPBACK) as courier:
            reply = await courier.fetch(
                HttpRequest("GET", f"http://127.0.0.1:{port}/", {"Authorization": "Basic x"}),
                hops=3, seconds=10, most_bytes=100,
            )  # fmt: skip
    assert reply.body == b"picture"
    assert b"Authorization: Basic x" in first[0]
    assert b"Authorization" not in second[0]


async def test_a_redirect_inside_is_refused() -> None:
    asked: list[bytes] = []
    allowed = (ipaddress.ip_network("127.0.0.1/32"),)
    async with peer(answer(b"secret"), asked) as inside:
        for target in (f"http://127.0.0.2:{inside}/", f"http://[::1]:{inside}/", "file:///etc"):
            moved = answer(b"", f"Location: {target}", status="302 Found")
            async with peer(moved) as port, Courier(allowed) as courier:
                with pytest.raises(ForbiddenPlace):
                    await courier.fetch(
                        HttpRequest("GET", f"http://127.0.0.1:{port}/"),
                        hops=3, seconds=10, most_bytes=100,
                    )  # fmt: skip
    assert asked == []


async def test_redirects_without_end_come_to_one() -> None:
    moved = answer(b"", "Location: /again", status="302 Found")
    asked: list[bytes] = []
    async with peer(moved, asked) as port, Courier(LOOPBACK) as courier:
        with pytest.raises(ForbiddenPlace, match="too many"):
            await courier.fetch(
                HttpRequest("GET", f"http://127.0.0.1:{port}/"),
                hops=3, seconds=10, most_bytes=100,
            )  # fmt: skip
    assert len(asked) == 4


@pytest.mark.parametrize(
    "said",
    [
        answer(b"x" * 1001),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"3e8\r\n"
        + b"x" * 1000
        + b"\r\n"
        b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n",
        answer(b"\x1f\x8b\x08", "Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"",
    ],
    ids=["long", "long-in-chunks", "compressed", "cut-off", "long-header", "no-http", "nothing"],
)
async def test_an_answer_that_is_none_leaves_it_open_what_became_of_the_request(
    said: bytes,
) -> None:
    async with peer(said) as port, Courier(LOOPBACK) as courier:
        with pytest.raises(Unanswered):
            await courier.send(HttpRequest("POST", f"http://127.0.0.1:{port}/"), most_bytes=1000)


async def test_a_peer_that_says_nothing_is_not_waited_for_without_end() -> None:
    done = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server, Courier(LOOPBACK) as courier:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unanswered):
            await courier.send(HttpRequest("POST", f"http://127.0.0.1:{port}/"), seconds=0.2)
        await done.wait()


async def test_as_many_requests_are_under_way_as_there_are() -> None:
    """How many that may be is for whoever sends to say: one that waits here looks unanswered."""
    all_here = asyncio.Barrier(120)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        async with all_here:
            writer.write(answer())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=256)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, Courier(LOOPBACK) as courier:
        sent = (courier.send(HttpRequest("POST", url), seconds=5) for _ in range(120))
        assert {reply.status for reply in await asyncio.gather(*sent)} == {200}


async def test_a_port_that_nobody_listens_on_and_a_certificate_of_nobody_are_not_sent_to() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with Courier(LOOPBACK) as courier:
            with pytest.raises(NotSent):
                await courier.send(HttpRequest("GET", f"http://127.0.0.1:{port}/"))


async def test_a_certificate_must_be_of_the_name_and_of_an_authority_that_the_system_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    asked: list[bytes] = []
    names = Names(["127.0.0.1"])

    async def outcome(certificate: Pair, trusted: Path | None) -> str:
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        served = peer(answer(b"hello"), asked, certificate.server())
        async with served as port, Courier(LOOPBACK, names) as courier:
            try:
                url = f"https://sms.example:{port}/"
                return (await courier.send(HttpRequest("GET", url))).body.decode()
            except NotSent as error:
                return str(error)

    right = authority.issue("right", "sms.example")
    other = authority.issue("other", "other.example")
    assert await outcome(right, None) == "ClientConnectorCertificateError"
    assert await outcome(other, authority.ca) == "ClientConnectorCertificateError"
    assert asked == []
    assert await outcome(right, authority.ca) == "hello"
