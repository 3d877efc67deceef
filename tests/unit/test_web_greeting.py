"""What the HTTP door does until TLS is agreed, and about those with whom it is not."""

import asyncio
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from authority import Authority, Pair

from maskline.daemon.api import serving
from maskline.daemon.https import certificate_of
from maskline.settings.schema import ApiTls
from maskline.web import greeting, health, protocol

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Authority(tmp_path_factory.mktemp("tls")).issue("api", "localhost")


@asynccontextmanager
async def door(pair: Pair) -> AsyncIterator[int]:
    """An HTTP door that speaks TLS; its port."""
    listening = socket.create_server((HOST, 0))
    certificate = certificate_of(ApiTls(pair.certificate, pair.key))
    assert certificate is not None
    application: Any = health.door(lambda: {"store": "up"})
    async with serving(application, listening, context=certificate.context):
        yield listening.getsockname()[1]


def trusting(pair: Pair, **choices: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pair.ca))
    for name, value in choices.items():
        setattr(context, name, value)
    return context


async def asked(port: int, context: ssl.SSLContext) -> tuple[bytes, asyncio.StreamWriter]:
    """The first line of an answer over TLS, and the connection, still open."""
    reader, writer = await asyncio.open_connection(
        HOST, port, ssl=context, server_hostname="localhost"
    )
    writer.write(HEALTH)
    return await reader.readline(), writer


async def ended(reader: asyncio.StreamReader) -> bool:
    """Waits for the end of a connection on which nothing more is said."""
    try:
        return await asyncio.wait_for(reader.read(), 10) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_it_answers_over_tls(pair: Pair, version: ssl.TLSVersion) -> None:
    async with door(pair) as port:
        context = trusting(pair, minimum_version=version, maximum_version=version)
        line, writer = await asked(port, context)
        assert line == b"HTTP/1.1 200 OK\r\n"
        writer.close()


async def test_what_comes_at_once_behind_the_greeting_is_not_lost(pair: Pair) -> None:
    """The client's last word of the handshake and its request, in one packet."""
    async with door(pair) as port:
        theirs, ours = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trusting(pair).wrap_bio(theirs, ours, server_hostname="localhost")
        reader, writer = await asyncio.open_connection(HOST, port)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(ours.read())
                theirs.write(await reader.read(65_536))
        tls.write(HEALTH)
        writer.write(ours.read())
        text = b""
        while b"200 OK" not in text:
            theirs.write(await asyncio.wait_for(reader.read(65_536), 10))
            try:
                text += tls.read()
            except ssl.SSLWantReadError:  # session tickets come first
                continue
        writer.close()


async def test_a_version_that_is_too_old_is_refused(pair: Pair) -> None:
    context = trusting(pair)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with door(pair) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asked(port, context)
        line, writer = await asked(port, trusting(pair))
        assert line == b"HTTP/1.1 200 OK\r\n"
        writer.close()


async def test_who_speaks_no_tls_is_cut_off(pair: Pair) -> None:
    async with door(pair) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(HEALTH)
        said = await asyncio.wait_for(reader.read(), 10)
        assert b"HTTP" not in said  # at most an alert (RFC 8446 6.2)
        writer.close()


async def test_who_says_nothing_is_cut_off(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greeting, "GREETING_SECONDS", 0.2)
    async with door(pair) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await ended(reader)
        writer.close()


@pytest.mark.usefixtures("hurry")
async def test_who_says_nothing_after_it_is_closed(pair: Pair) -> None:
    async with door(pair) as port:
        reader, writer = await asyncio.open_connection(
            HOST, port, ssl=trusting(pair), server_hostname="localhost"
        )
        assert await ended(reader)
        writer.close()


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)


async def test_one_too_many_takes_the_place_of_the_oldest(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greeting, "MOST_GREETINGS", 2)
    async with door(pair) as port:
        silent = [await asyncio.open_connection(HOST, port) for _ in range(2)]
        assert (await asked(port, trusting(pair)))[0] == b"HTTP/1.1 200 OK\r\n"
        assert await ended(silent[0][0])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(silent[1][0].read(), 0.2)
        assert (await asked(port, trusting(pair)))[0] == b"HTTP/1.1 200 OK\r\n"
        for _, writer in silent:
            writer.close()


async def test_who_is_not_done_does_not_hold_up_the_end(pair: Pair) -> None:
    loop = asyncio.get_running_loop()
    async with door(pair) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        await asyncio.sleep(0.1)
        before = loop.time()
    assert await ended(reader)
    assert loop.time() - before < 2
    writer.close()
