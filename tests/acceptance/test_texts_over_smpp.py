"""Texts through the whole service over SMPP: with an SMSC by others, and with one whose PDUs are
full of what nobody else may see."""

import struct
from pathlib import Path
from typing import Any

import pytest
from acceptance.smpp_stage import ANN, BEN, PROXY, served, until_states
from smpp_peers import npm_smsc
from smsc import Manners, Smsc, Submit, Text
from waiting import until

from maskline.sms import text as sms

CAT = "+13035550102"


async def test_texts_through_an_smsc_by_others(tmp_path: Path, store: str) -> None:
    words = ["Grüße, Ben! 5 €", "привет 👍🏽", "a" * 160]
    async with npm_smsc() as (peer, port), served(tmp_path, port, store) as service:
        for text in words:
            peer.say(
                source_addr=ANN.lstrip("+"), source_addr_ton=1, dest_addr_ton=1,
                destination_addr=PROXY.lstrip("+"), short_message=text,
            )  # fmt: skip
        await until(lambda: len(peer.named("submit_sm")) == 3)
        taken = peer.named("submit_sm")
        assert [one["text"] for one in taken] == words
        assert {(one["source"], one["destination"]) for one in taken} == {
            (PROXY.lstrip("+"), BEN.lstrip("+"))
        }
        assert [one["status"] for one in peer.named("answer")][:3] == [0, 0, 0]
        peer.say(
            source_addr=BEN.lstrip("+"), source_addr_ton=1, dest_addr_ton=1,
            destination_addr=PROXY.lstrip("+"), short_message="and back",
        )  # fmt: skip
        await until(lambda: len(peer.named("submit_sm")) == 4)
        back = peer.named("submit_sm")[3]
        assert (back["source"], back["destination"]) == (PROXY.lstrip("+"), ANN.lstrip("+"))
        await until_states(service, *["Delivered"] * 4)
    assert peer.named("unbind")
    assert not peer.named("error")


async def test_a_late_text_reaches_no_stranger_where_numbers_rest(
    tmp_path: Path, store: str
) -> None:
    """SMPP tells of no text when it was written: it is late, for its session is over."""
    rest = "number_rest_minutes = 60\n"
    async with npm_smsc() as (peer, port), served(tmp_path, port, rest + store) as service:

        def say(text: str) -> None:
            peer.say(
                source_addr=ANN.lstrip("+"), source_addr_ton=1, dest_addr_ton=1,
                destination_addr=PROXY.lstrip("+"), short_message=text,
            )  # fmt: skip

        client = service.client()
        (connector,) = client.list_voice_connectors()["VoiceConnectors"]
        where = {"VoiceConnectorId": connector["VoiceConnectorId"]}

        def open_with(number: str) -> None:
            client.create_proxy_session(
                **where, ParticipantPhoneNumbers=[ANN, number], Capabilities=["SMS"]
            )

        (session,) = client.list_proxy_sessions(**where)["ProxySessions"]
        client.delete_proxy_session(**where, ProxySessionId=session["ProxySessionId"])
        with pytest.raises(client.exceptions.BadRequestException, match="resting for one of them"):
            open_with(CAT)
        say("for Ben alone")
        await until_states(service, "Refused")
        open_with(BEN)
        say("for Ben again")
        await until_states(service, "Refused", "Delivered")
        taken = peer.named("submit_sm")
        assert [(one["text"], one["destination"]) for one in taken] == [
            ("for Ben again", BEN.lstrip("+"))
        ]


def marked(number: int, text: bytes, *, header: bytes = b"") -> bytes:
    """A deliver_sm from Ann in which every field that there is says something secret."""
    tlvs = {
        0x0204: b"\x5e\xc9", 0x0202: b"\xa0SECsub", 0x0203: b"\xa0SECsub", 0x0381: b"\1\0\0SECcall",
        0x0303: b"\1\0SECatag", 0x001D: b"SECinfo\0", 0x0501: b"\5", 0x020A: b"\xec\x5e",
        0x1401: b"SECvendor", 0x3FFF: b"SECvendor", 0x1383: b"SEC", 0x000D: b"SECbearer",
    }  # fmt: skip
    octets = header + text
    return (
        b"SECSV\0\1\1" + ANN[1:].encode() + b"\0\1\1" + PROXY[1:].encode() + b"\0"
        + bytes((0x43 if header else 0x03, 0x5E, 0x02))
        + b"SECschedule00000\0SECvalidity00000\0"
        + bytes((0x1F, 1, 0, 0x5E, len(octets))) + octets
        + b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in tlvs.items())
    )  # fmt: skip


async def test_nothing_of_one_side_reaches_the_other(tmp_path: Path) -> None:
    """Every field, header element and TLV of the sender's PDU carries a mark; none comes out."""
    smsc = Smsc(Manners(receipts=False))
    await smsc.start()
    raw: list[bytes] = []
    try:
        async with served(tmp_path, smsc.port) as service:
            await until(lambda: smsc.sessions and smsc.sessions[0].mode)
            session = smsc.sessions[0]
            watch(session, raw)
            header = bytes.fromhex("0a0a035345430b03534543")  # a format and a sound: "SEC"
            for number, (text, own) in enumerate([(b"hello", b""), (b"again", header)], 1000):
                session.put_now(5, 0, number, marked(number, text, header=own))
            await until(lambda: len(smsc.taken) == 2)
            assert [sms.read(one.octets, "gsm") for one in smsc.taken] == ["hello", "again"]
            for one in smsc.taken:
                assert (one.source, one.destination) == (PROXY[1:], BEN[1:])
                assert (one.esm_class, one.registered) == (0, 1)
                assert set(one.tlvs) <= {0x0204}
            seen = b"".join(raw)
            assert b"hello" in seen
            for secret in (b"SEC", ANN[1:].encode(), ANN[4:].encode(), b"\x5e\xc9"):
                assert secret not in seen
            log = service.log
            for secret in (ANN, ANN[1:], BEN[1:], "SEC", "hello"):
                assert secret not in log
    finally:
        await smsc.stop()


def watch(session: Any, raw: list[bytes]) -> None:
    """Keeps the submit_sm bodies that come, as octets."""
    submitted = session.submitted

    def see(command: int, sequence: int, body: bytes) -> None:
        raw.append(body)
        submitted(command, sequence, body)

    session.submitted = see


async def test_a_long_text_is_joined_and_cut_anew(tmp_path: Path) -> None:
    """Its parts come in disorder, with a surrogate pair cut in two; they go out in order, whole."""
    text = "Zażółć gęślą jaźń 👍🏽 " * 8
    octets = text.encode("utf_16_be")
    pieces = [octets[place : place + 134] for place in range(0, len(octets), 134)]
    smsc = Smsc()
    await smsc.start()
    try:
        async with served(tmp_path, smsc.port) as service:
            for number in (2, 1, *range(3, len(pieces) + 1)):
                header = bytes((5, 0, 3, 77, len(pieces), number))
                smsc.send(
                    Text(ANN[1:], PROXY[1:], header + pieces[number - 1], 0x40, data_coding=8)
                )
            await until(lambda: len(smsc.taken) >= 2 and total(smsc.taken) == len(smsc.taken))
            parts = [sms.read_part(one.octets[6:], "ucs2") for one in smsc.taken]
            assert sms.join(parts) == text
            assert all(one.esm_class == 0x40 for one in smsc.taken)
            await until_states(service, "Delivered")
    finally:
        await smsc.stop()


def total(taken: list[Submit]) -> int:
    return taken[0].octets[4]
