"""Our link bound to SMSCs by others; a client by others bound to the SMSC of our tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
import smpp34
from certificates import self_signed
from kannel import ECHO, bind, installed, kannel
from ports import free_port
from relays import Relay
from smpp_peers import npm_smsc
from smsc import Manners, Smsc, Text
from waiting import beside

from maskline.domain.message import Encoding, Reported
from maskline.settings import CarrierSmpp, Secret
from maskline.sms import text as sms
from maskline.sms.port import Accepted
from maskline.sms.smpp.link import SmppLink

TEXTS = ["hello", "Grüße für 5 €", "[]{}~\\^|", "привет", "👍🏽 and \u2764\ufe0f", "a" * 160]


@asynccontextmanager
async def linked(port: int, **settings: object) -> AsyncIterator[tuple[Relay, SmppLink]]:
    given = {"host": "127.0.0.1", "port": port, "system_id": "maskline"}
    relay = Relay()
    link = SmppLink("acme", CarrierSmpp(**{**given, "password": Secret("secret"), **settings}))
    async with beside(link.run(relay)):
        yield relay, link


# --- npm smpp


async def test_npm_texts_go_out_and_come_in() -> None:
    settings = {"data_coding_1": "gsm", "enquire_link_seconds": 1}
    async with npm_smsc() as (peer, port), linked(port, **settings) as (relay, link):
        for text in TEXTS:
            outcome = await relay.outcome(link, relay.outgoing(text))
            assert isinstance(outcome, Accepted)
        await relay.until(lambda: len(peer.named("submit_sm")) == len(TEXTS))
        taken = peer.named("submit_sm")
        assert [one["text"] for one in taken] == TEXTS
        assert {(one["source"], one["destination"], one["source_ton"]) for one in taken} == {
            ("19135550199", "12065550100", 1)
        }
        assert [one["reference"] for one in taken] == list(range(1, len(TEXTS) + 1))
        await relay.until(lambda: len(relay.receipts) == len(TEXTS))
        assert {one.state for one in relay.receipts} == {Reported.DELIVERED}
        assert [one.message_id for one in relay.receipts] == [
            outcomes[0].message_ids[0]  # type: ignore[union-attr]
            for outcomes in relay.outcomes.values()
        ]
        for text in TEXTS:
            peer.say(
                source_addr="12065550100", source_addr_ton=1, dest_addr_ton=1,
                destination_addr="19135550199", short_message=text,
            )  # fmt: skip
        await relay.until(lambda: len(relay.texts) == len(TEXTS))
        assert [one.text for one in relay.texts] == TEXTS
        await relay.until(lambda: len(peer.named("answer")) == len(TEXTS))
        assert {one["status"] for one in peer.named("answer")} == {0}
    assert not peer.named("error")


@pytest.mark.parametrize("long_texts", ["udh", "udh16", "payload"])
async def test_npm_reads_long_texts(long_texts: str) -> None:
    text = "Zażółć gęślą jaźń " * 20
    async with npm_smsc() as (peer, port), linked(port, long_texts=long_texts) as (relay, link):
        outcome = await relay.outcome(link, relay.outgoing(text))
        assert isinstance(outcome, Accepted)
        await relay.until(lambda: len(peer.named("submit_sm")) == len(outcome.message_ids))
        taken = peer.named("submit_sm")
        assert "".join(one["text"] for one in taken) == text
        size = {"udh": "000301", "udh16": "08040001"}.get(long_texts)
        for number, one in enumerate(taken, 1):
            expected = size and [f"{size}{len(taken):02x}{number:02x}"]
            assert one.get("udh") == expected


async def test_npm_reads_data_sm() -> None:
    async with npm_smsc() as (peer, port), linked(port, send_by="data_sm") as (relay, link):
        outcome = await relay.outcome(link, relay.outgoing("Grüße € 5"))
        assert isinstance(outcome, Accepted)
        await relay.until(lambda: relay.receipts)
        [taken] = peer.named("data_sm")
        assert (taken["text"], taken["reference"]) == ("Grüße € 5", 1)
        assert 0 < taken["seconds"] <= 3600
        assert relay.receipts[0].message_id == outcome.message_ids[0]


async def test_npm_refuses_a_wrong_password() -> None:
    async with npm_smsc() as (peer, port), linked(port, password=Secret("no")) as (relay, link):
        await relay.until(lambda: "ESME_RINVPASWD" in link.health.detail)
        await relay.until(lambda: peer.named("bind"))
        assert not peer.named("bind")[0]["good"]


async def test_npm_by_tls(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "smsc.example")
    settings = {"tls": True, "tls_ca": certificate, "tls_name": "smsc.example"}
    async with npm_smsc(key, certificate) as (_, port), linked(port, **settings) as (relay, link):
        assert isinstance(await relay.outcome(link, relay.outgoing()), Accepted)


async def test_npm_by_a_transmitter_and_a_receiver() -> None:
    async with npm_smsc() as (peer, port):
        async with linked(port, bind="transmitter_receiver") as (relay, link):
            await relay.until(lambda: len(link.connections) == 2)
            assert isinstance(await relay.outcome(link, relay.outgoing()), Accepted)
        await relay.until(lambda: len(peer.named("unbind")) == 2)
        assert sorted(one["command"] for one in peer.named("bind")) == [
            "bind_receiver", "bind_transmitter"
        ]  # fmt: skip


# --- smpp34


async def test_smpp34_texts_go_out_and_come_in() -> None:
    port = free_port()
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    try:
        async with linked(port) as (relay, link):
            esme = await server.next()
            assert (esme.system_id, esme.can_receive) == ("maskline", True)
            text = relay.outgoing("Grüße " * 40)
            await relay.until(lambda: link.room)
            link.submit([text])
            for _ in range(2):  # it tells of them in no order
                taken = await server.next()
                assert (taken.esm_class, taken.short_message[:5]) == (0x40, b"\5\0\3\1\2")
                assert [(one.tag, one.value) for one in taken.tlvs] == [(0x204, b"\0\1")]
                taken.accept(f"rust-{taken.short_message[5]}")
            await relay.until(lambda: relay.outcomes)
            assert relay.outcomes[text.message_id] == [
                Accepted(message_ids=("rust-1", "rust-2"), segments=2, encoding=Encoding.GSM)
            ]
            tlvs = [smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, b"rust-1\0"),
                    smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, b"\5")]  # fmt: skip
            answer = await esme.deliver_sm(
                "19135550199", source_addr="12065550100", esm_class=4, tlvs=tlvs
            )
            assert answer.is_success
            [receipt] = relay.receipts
            assert (receipt.message_id, receipt.state) == ("rust-1", Reported.UNDELIVERABLE)
            for text_in in TEXTS:
                written = sms.write(text_in, (sms.GSM, sms.UCS2))
                await esme.deliver_sm(
                    "19135550199", written.segments[0], source_addr="12065550100",
                    data_coding=8 if written.coding is sms.UCS2 else 0,
                )  # fmt: skip
            assert [one.text for one in relay.texts] == TEXTS
    finally:
        await server.stop()


# --- Kannel


@pytest.mark.skipif(not installed(), reason="needs Debian's package kannel")
async def test_kannel_agrees_with_the_smsc_of_our_tests(tmp_path: Path) -> None:
    """Our SMSC is what all else is tested by, so somebody else's client must find it in order."""
    smsc = Smsc(Manners(receipts=True))
    await smsc.start()
    try:
        with kannel(tmp_path, bind(smsc.port), service=ECHO):
            texts = [text for text in TEXTS if text.isascii()]
            for number, text in enumerate(texts):
                octets = sms.write(text, (sms.GSM,)).segments[0]
                smsc.send(Text(f"1206555010{number}", "19135550199", octets))
            await Relay().until(lambda: len(smsc.taken) >= len(texts), seconds=60)
            assert smsc.delivered
            answers = {
                one.destination: unquote_plus(sms.read(one.octets, "gsm")) for one in smsc.taken
            }
            assert answers == {f"1206555010{n}": text for n, text in enumerate(texts)}
    finally:
        await smsc.stop()
