"""Texts from Kannel through Maskline to Kannel: somebody else's SMPP client plays the telephones.

Kannel and Maskline are both clients, so an SMSC stands before each of them, and what one takes the
other delivers.
"""

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote_to_bytes, urlencode, urlsplit

import pytest
from acceptance.smpp_stage import ANN, BEN, PROXY, served, until_states
from kannel import Kannel, bind, installed, kannel
from smsc import Smsc, Submit, Text
from waiting import until

UCS2 = "2"  # in Kannel's words, where 0 is the GSM alphabet
SERVICE = """
group = sendsms-user
username = phones
password = phones
max-messages = 10
concatenation = true

group = sms-service
keyword = default
catch-all = true
get-url = "http://127.0.0.1:{port}/?from=%p&to=%P&coding=%c&words=%b"
max-messages = 0
"""
Shown = tuple[str, str, str]  # from, to, words


class Screens:
    """What Kannel shows of the texts that it got, told by HTTP."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._hear, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readline():
            while (await reader.readline()).strip():
                pass
            self._note(urlsplit(request.split()[1].decode()).query)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    def _note(self, query: str) -> None:
        fields = {name: values[0] for name, values in parse_qs(query).items()}
        words = unquote_to_bytes(query.rpartition("words=")[2].replace("+", " "))
        alphabet = "utf-16-be" if fields["coding"] == UCS2 else "utf-8"
        self.shown.append((fields["from"], fields["to"], words.decode(alphabet)))


def passing_on(to: Smsc, submit: Submit) -> None:
    """Delivers what another SMSC took."""
    udh = submit.esm_class & 0x40
    to.send(
        Text(submit.source, submit.destination, submit.octets, udh, data_coding=submit.data_coding)
    )


@asynccontextmanager
async def exchange() -> AsyncIterator[tuple[Smsc, Smsc]]:
    """Two SMSCs, each of which delivers what the other takes."""
    one, other = Smsc(), Smsc()
    one.on_submit = lambda submit: passing_on(other, submit)
    other.on_submit = lambda submit: passing_on(one, submit)
    for smsc in (one, other):
        await smsc.start()
    try:
        yield one, other
    finally:
        for smsc in (one, other):
            await smsc.stop()


def write(phones: Kannel, source: str, words: str, coding: str) -> None:
    """Somebody writes to the number that they know."""
    fields = {
        "username": "phones", "password": "phones", "from": source[1:], "to": PROXY[1:],
        "coding": coding, "charset": "utf-8", "text": words,
    }  # fmt: skip
    url = f"http://127.0.0.1:{phones.sendsms}/cgi-bin/sendsms?{urlencode(fields)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.status == 202, answer.read()


WRITTEN = [
    (ANN, "Grüße, Ben! [5 €]", "0"),
    (BEN, "привет 👍🏽", UCS2),
    (ANN, "It is the white van by the main gate, and it leaves at {5}. " * 8, "0"),
    (BEN, "Zażółć gęślą jaźń 👍🏽 " * 12, UCS2),
    (ANN, "so long", "0"),
]


@pytest.mark.skipif(not installed(), reason="needs Debian's package kannel")
async def test_texts_go_both_ways_between_telephones_that_kannel_plays(
    tmp_path: Path, store: str
) -> None:
    screens = Screens()
    async with screens.listening(), exchange() as (before_kannel, before_us):
        (tmp_path / "kannel").mkdir()
        service_of_kannel = SERVICE.format(port=screens.port)
        binds = bind(before_kannel.port)
        with kannel(tmp_path / "kannel", binds, service=service_of_kannel) as phones:
            async with served(tmp_path, before_us.port, store) as service:
                for source, words, coding in WRITTEN:
                    await asyncio.to_thread(write, phones, source, words, coding)
                await until(lambda: len(screens.shown) == len(WRITTEN))
                await until_states(service, *["Delivered"] * len(WRITTEN))
    others = {ANN: BEN, BEN: ANN}
    expected = sorted((PROXY[1:], others[source][1:], words) for source, words, _ in WRITTEN)
    assert sorted((one.lstrip("+"), to.lstrip("+"), words) for one, to, words in screens.shown) == (
        expected
    )
    assert {one.source for one in before_us.taken} == {PROXY[1:]}
