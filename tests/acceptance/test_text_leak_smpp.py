"""Nothing of one party in any byte that the other's SMSC is sent: every field of a PDU, every TLV
and every element of a user data header is marked on one side and looked for on the other."""

import re
import struct
from collections.abc import AsyncIterator, Iterable
from functools import partial
from pathlib import Path

import pytest
import smsc as peer
from smsc import Manners, Smsc, Text
from text_ground import PROXY, furnish, people, relaying
from waiting import until

from maskline.settings.smpp import CarrierSmpp
from maskline.settings.values import Secret
from maskline.sms.relay import Relay
from maskline.sms.smpp.link import SmppLink

MARK = b"MRK"
[(ANN, BEN)] = people(1)
DELIVER_SM, DATA_SM = 5, 0x103

# Every TLV of SMPP 3.4 (section 5.3.2), and some of carriers' own.
TAGS = (
    *(0x0005, 0x0006, 0x0007, 0x0008, 0x000D, 0x000E, 0x000F, 0x0010, 0x0017, 0x0019, 0x001D),
    *(0x0030, 0x0201, 0x0202, 0x0203, 0x0204, 0x0205, 0x020A, 0x020B, 0x020D, 0x0210),
    *(0x0302, 0x0303, 0x0304, 0x0381, 0x0420, 0x0421, 0x0422, 0x0423, 0x0425, 0x0426),
    *(0x0501, 0x1201, 0x1203, 0x1204, 0x130C, 0x1380, 0x1383, 0x1400, 0x1401, 0x2150, 0x3FFF),
    0x4001,
)
# Not among them: message_payload and sar_*, which say what the text is, and what makes a receipt.
OF_RECEIPTS = (0x001E, 0x0427)


def tlvs(mark: bytes, tags: Iterable[int] = TAGS) -> bytes:
    return b"".join(struct.pack(">HH", tag, len(mark) + 4) + mark + b"%04x" % tag for tag in tags)


def deliver(
    source: str, words: bytes, mark: bytes, esm_class: int = 0, number: str = PROXY
) -> bytes:
    """The body of a deliver_sm with a mark in all that is not the text and its two numbers."""
    numbers = b"\1\1%b\0\1\1%b\0" % (source[1:].encode(), number[1:].encode())
    head = mark[:5] + b"\0" + numbers + bytes((esm_class, 0x41, 2))
    times = mark + b"T\0" + mark + b"V\0"  # schedule_delivery_time, validity_period
    return head + times + bytes((1, 0, 0, 77, len(words))) + words + tlvs(mark)


def data(source: str, words: bytes, mark: bytes) -> bytes:
    numbers = b"\1\1%b\0\1\1%b\0" % (source[1:].encode(), PROXY[1:].encode())
    payload = struct.pack(">HH", 0x0424, len(words)) + words
    return mark[:5] + b"\0" + numbers + bytes((0, 1, 0)) + payload + tlvs(mark)


def with_header(words: bytes, mark: bytes) -> bytes:
    """A text with a header: a sender's own element, one for a reply address, one for an index."""
    elements = b"".join(
        bytes((element, len(mark))) + mark for element in (0x22, 0x24, 0x70, 0x80, 0xC0, 0xE0)
    )
    return bytes((len(elements),)) + elements + words


class Wire:
    """All that reaches the SMSC."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.octets = bytearray()
        original = peer.Session.data_received

        def tapped(session: peer.Session, octets: bytes) -> None:
            self.octets += octets
            original(session, octets)

        monkeypatch.setattr(peer.Session, "data_received", tapped)


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    smsc = Smsc(Manners())
    await smsc.start()
    yield smsc
    await smsc.stop()


@pytest.fixture
async def relay(tmp_path: Path, smsc: Smsc) -> AsyncIterator[Relay]:
    url, key = f"sqlite:{tmp_path}/texts.db", tmp_path / "texts.db.key"
    await furnish(url, key, 1)
    settings = CarrierSmpp(
        host="127.0.0.1", port=smsc.port, system_id="maskline", password=Secret("secret")
    )
    async with relaying(url, key, SmppLink("acme", settings)) as relay:
        await until(lambda: bool(smsc.sessions and smsc.sessions[0].mode))
        yield relay


def has_taken(smsc: Smsc, many: int) -> bool:
    return len(smsc.taken) == many


@pytest.mark.parametrize(("source", "recipient"), [(ANN, BEN), (BEN, ANN)])
async def test_nothing_but_the_words_passes(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    smsc: Smsc,
    relay: Relay,
    source: str,
    recipient: str,
) -> None:
    wire = Wire(monkeypatch)
    (session,) = smsc.sessions
    for number, (command, body) in enumerate(
        [
            (DELIVER_SM, deliver(source, b"words one", MARK)),
            (DELIVER_SM, deliver(source, with_header(b"words two", MARK), MARK, 0x40)),
            (DATA_SM, data(source, b"words three", MARK)),
        ]
    ):
        session.put_now(command, 0, 9000 + number, body)
        await until(partial(has_taken, smsc, number + 1))
    assert {each.destination.lstrip("+") for each in smsc.taken} == {recipient[1:]}
    assert {each.source.lstrip("+") for each in smsc.taken} == {PROXY[1:]}
    texts = [each.octets for each in smsc.taken]
    assert [text[-len(words) :] for text, words in zip(texts, WORDS, strict=True)] == WORDS
    assert b"words three" in wire.octets
    assert not re.search(leaks(source), bytes(wire.octets))
    log = "".join(capfd.readouterr())
    assert "bound" in log
    assert not re.search(f"{MARK.decode()}|words|{ANN[1:]}|{BEN[1:]}|{PROXY[1:]}", log)


WORDS = [b"words one", b"words two", b"words three"]


def leaks(source: str) -> bytes:
    """The marks and the sender's number, in the forms in which they could travel."""
    found = [MARK, source[1:].encode(), source[1:].encode("utf-16-be"), swapped(source)]
    return b"|".join(map(re.escape, found))


def swapped(number: str) -> bytes:
    """Digits as GSM writes them: two in an octet, the first one below (3GPP 23.040 9.1.2.3)."""
    digits = number[1:] + "f" * (len(number[1:]) % 2)
    return bytes.fromhex("".join(b + a for a, b in zip(digits[::2], digits[1::2], strict=True)))


async def test_receipts_reach_nobody(
    monkeypatch: pytest.MonkeyPatch, smsc: Smsc, relay: Relay
) -> None:
    """What one carrier says about a text stays between it and us."""
    wire = Wire(monkeypatch)
    (session,) = smsc.sessions
    smsc.manners.receipts = False
    smsc.send(Text(ANN[1:], PROXY[1:], b"hello"))
    await until(lambda: len(smsc.taken) == 1)
    report = b"id:1 sub:001 dlvrd:001 submit date:2611250812 done date:2611250813 stat:DELIVRD"
    words = report + b" err:000 text:" + MARK
    body = deliver(BEN, words, MARK, 0x04) + tlvs(MARK, OF_RECEIPTS)
    session.put_now(DELIVER_SM, 0, 9000, body)
    smsc.send(Text(ANN[1:], PROXY[1:], b"again"))
    await until(lambda: len(smsc.taken) == 2)
    assert not re.search(MARK + b"|" + ANN[1:].encode(), bytes(wire.octets))
