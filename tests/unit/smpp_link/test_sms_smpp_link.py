"""The connections to a carrier: how they are made, lost, shared and ended."""

import asyncio
import ssl
import struct
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from certificates import self_signed
from smpp_linked import ANN, PROXY, linked
from smsc import Manners, Smsc, Text

from maskline.settings import CarrierSmpp
from maskline.sms.port import Accepted, Outgoing, Refused, TryLater, Unknown
from maskline.sms.smpp import codes, link
from maskline.sms.smpp.link import SmppLink


async def choke(one: SmppLink, smsc: Smsc) -> None:
    """Has the carrier ask until we wait for it to read the answers."""
    session, [connection] = smsc.sessions[0], one._connections
    session.transport.pause_reading()
    for _ in range(2_000):
        session.send(struct.pack(">IIII", 16, codes.ENQUIRE_LINK, 0, 1) * 500)
        await asyncio.sleep(0)
        if not connection._reading:
            break
    assert not connection._reading


async def test_a_carrier_that_never_reads_again_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the texts under way wait for ever, and with them all that follow between two people."""
    monkeypatch.setattr("maskline.sms.smpp.connection.CLOSING_SECONDS", 0.1)
    async with linked(inactivity_seconds=1) as (relay, one, smsc):
        await relay.until(lambda: one.room)
        await choke(one, smsc)
        one.submit([relay.outgoing()])
        await relay.until(lambda: relay.outcomes)
        assert relay.outcomes["m1"] == [Unknown(reason="connection lost")]
        await relay.until(lambda: one.room)
        assert smsc.counts["binds"] == 2


async def test_a_carrier_that_does_not_read_is_not_read_from() -> None:
    async with linked() as (relay, one, smsc):
        await relay.until(lambda: one.room)
        session, [connection] = smsc.sessions[0], one._connections
        await choke(one, smsc)
        session.transport.resume_reading()
        await relay.until(lambda: connection._reading)
        assert isinstance(await relay.outcome(one, relay.outgoing()), Accepted)


async def test_a_text_without_answer_is_repeated_over_another_connection() -> None:
    async with linked() as (relay, one, smsc):
        may = asyncio.Event()
        relay.gate = may.wait
        text = Text(ANN, PROXY, b"x")
        smsc.send(text)
        await relay.until(lambda: text.deliveries)
        smsc.drop_links()
        await relay.until(lambda: text.deliveries == 2)
        may.set()
        await relay.until(lambda: smsc.delivered and len(relay.texts) == 2)
        names = {arrived.connection for arrived in relay.texts}
        assert len(names) == 2
        assert set(one.connections) < names


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, struct.pack(">IIII", 1 << 31, 5, 0, 1)]
)
async def test_garbage_ends_the_link_and_a_new_one_works(garbage: bytes) -> None:
    async with linked() as (relay, one, smsc):
        await relay.until(lambda: one.room)
        smsc.sessions[0].send(garbage)
        await relay.until(lambda: smsc.counts["binds"] == 2 and one.room)
        assert isinstance(await relay.outcome(one, relay.outgoing()), Accepted)


async def test_unknown_pdus_are_nacked() -> None:
    async with linked() as (relay, one, smsc):
        await relay.until(lambda: one.room)
        smsc.sessions[0].send(struct.pack(">IIII", 16, 0x77, 0, 5))
        await relay.until(lambda: smsc.counts["stray answers"])
        assert one.room


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_nothing_waits_for_a_timer(
    run: Callable[[Coroutine[None, None, None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every text of a long row is let out by the answer to the one before it."""
    monkeypatch.setattr("maskline.sms.smpp.connection.LONGEST_SLEEP", 1000.0)

    async def converse() -> None:
        async with linked(enquire_link_seconds=1000, inactivity_seconds=1000) as (relay, one, smsc):
            await relay.until(lambda: one.room)
            for number in range(300):
                smsc.send(Text(ANN, PROXY, b"%d" % number))
                one.submit([relay.outgoing()] if one.room else [])
            await relay.until(lambda: smsc.delivered)
            assert [text.text for text in relay.texts] == [str(n) for n in range(300)]
            assert len(relay.receipts) == len(relay.outcomes) == 10

    run(converse())


# --- binds


async def test_transmitters_and_receivers_share_the_work() -> None:
    async with linked(bind="transmitter_receiver", binds=2) as (relay, one, smsc):
        await relay.until(lambda: len(one.connections) == 4)
        assert one.room == 20
        assert one.health.detail == "4 of 4 binds"
        smsc.send(Text(ANN, PROXY, b"x"))
        outcomes = [await relay.outcome(one, relay.outgoing()) for _ in range(4)]
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        await relay.until(lambda: smsc.delivered and len(relay.receipts) == 4)
        modes = sorted(session.mode for session in smsc.sessions)
        assert modes == [codes.BIND_RECEIVER] * 2 + [codes.BIND_TRANSMITTER] * 2


async def test_a_receiver_sends_nothing() -> None:
    async with linked(bind="receiver") as (relay, one, _):
        await relay.until(lambda: one.connections)
        assert one.room == 0


async def test_a_refused_bind_is_tried_again() -> None:
    async with linked(Manners(refuse_bind=codes.ESME_RBINDFAIL)) as (relay, one, smsc):
        await relay.until(lambda: "ESME_RBINDFAIL" in one.health.detail)
        assert not one.health.up
        smsc.manners.refuse_bind = None
        await relay.until(lambda: one.room)


async def test_a_bind_too_many_is_tried_ever_more_rarely_however_much_others_carry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "FIRST_RETRY", 0.001)
    monkeypatch.setattr(link, "LONGEST_RETRY", 60.0)
    async with linked(Manners(most_binds=1), binds=2) as (relay, one, smsc):
        await relay.until(lambda: one.room)
        for _ in range(600):
            await relay.outcome(one, relay.outgoing())
        assert smsc.counts["binds too many"] < 20


async def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong\n")
    async with linked(password=None, password_file=wrong) as (relay, one, _):
        await relay.until(lambda: "ESME_RINVPASWD" in one.health.state)
        assert one.health.state.startswith("away: 0 of 1 binds; ")


@pytest.mark.parametrize("word", [b"ninechars", "schlüssel".encode()[:8]])
def test_a_password_that_cannot_be_sent_is_told_at_once(tmp_path: Path, word: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(word)
    with pytest.raises(OSError, match="at most 8 ASCII characters"):
        SmppLink("acme", CarrierSmpp(host="h", system_id="u", password_file=path))


@pytest.mark.parametrize("setting", ["password_file", "tls_ca", "tls_certificate"])
def test_a_file_that_is_not_there_is_told_with_its_setting(tmp_path: Path, setting: str) -> None:
    files: dict[str, Any] = {setting: tmp_path / "none"}
    with pytest.raises(OSError, match=f"^smpp.{setting}: cannot use {tmp_path}/none: No such file"):
        SmppLink("acme", CarrierSmpp(host="h", system_id="u", tls=True, **files))


async def test_a_carrier_that_is_not_there_is_tried_again() -> None:
    async with linked() as (relay, one, smsc):
        await relay.until(lambda: one.room)
        await smsc.stop()
        await relay.until(lambda: "cannot connect" in one.health.detail)
        assert (one.room, one.health.up, list(one.connections)) == (0, False, [])
        await smsc.start()
        await relay.until(lambda: one.room)


async def test_texts_for_a_link_without_binds_are_for_later() -> None:
    async with linked(Manners(refuse_bind=codes.ESME_RBINDFAIL)) as (relay, one, _):
        text = relay.outgoing()
        one.submit([text])
        await relay.until(lambda: relay.outcomes)
        assert relay.outcomes[text.message_id] == [TryLater(reason="no bind")]


async def test_a_silent_carrier_is_left() -> None:
    manners = Manners(ignore_enquiries=True)
    async with linked(manners, enquire_link_seconds=1, response_seconds=1) as (relay, _one, smsc):
        await relay.until(lambda: smsc.counts["binds"] == 2)
        assert smsc.counts["enquiries"] >= 1


# --- all at once

STORM = Manners(
    window=20, throttle=0.02, full=0.01, refuse=0.02, nack=0.01, silent=0.003, late=0.02,
    wrong_sequence=0.003, drop=0.02, drop_mid_pdu=0.001, duplicate=0.02, receipt_first=0.2,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
async def test_a_storm(seed: int) -> None:
    """All kinds of trouble at once: each text has one outcome, and none that is not true."""
    manners = replace(STORM)
    async with linked(manners, binds=2, window=8, response_seconds=1) as (relay, one, smsc):
        smsc.chance.seed(seed)
        arriving = [Text(f"1206555{n % 50:04}", PROXY, b"%d" % n) for n in range(500)]
        for text in arriving:
            smsc.send(text)
        leaving = [relay.outgoing("long " * (70 if n % 9 == 0 else 1) + str(n)) for n in range(500)]
        for text in leaving:
            await relay.until(lambda: one.room)
            one.submit([text])
            one.recall([each.message_id for each in leaving if smsc.chance.random() < 0.1])
        await relay.until(lambda: len(relay.outcomes) == len(leaving), seconds=60)
        smsc.manners.__dict__.update(Manners().__dict__)
        await relay.until(lambda: smsc.delivered, seconds=60)
    assert all(len(outcomes) == 1 for outcomes in relay.outcomes.values())
    taken: dict[int, set[str]] = {}
    for submit in smsc.taken:
        [reference] = struct.unpack(">H", submit.tlvs[codes.USER_MESSAGE_REFERENCE])
        taken.setdefault(reference, set()).add(submit.message_id)
    for text in leaving:
        [outcome] = relay.outcomes[text.message_id]
        ids = taken.get(text.reference, set())
        if isinstance(outcome, Accepted):
            assert set(outcome.message_ids) == ids
        elif isinstance(outcome, TryLater):
            assert not ids
    assert {type(outcomes[0]) for outcomes in relay.outcomes.values()} == {
        Accepted, TryLater, Refused, Unknown
    }  # fmt: skip
    assert {text.text for text in relay.texts} == {str(n) for n in range(500)}


# --- the end


async def test_stopping_unbinds_and_leaves_nothing_open() -> None:
    async with linked(Manners(silent=1.0)) as (relay, one, smsc):
        await relay.until(lambda: one.room)
        text = relay.outgoing()
        one.submit([text])
        await relay.until(lambda: smsc.taken)
    assert smsc.counts["unbinds"] == 1
    assert relay.outcomes == {text.message_id: [Unknown(reason="connection lost")]}


async def test_draining_waits_for_what_is_under_way_and_takes_nothing_in() -> None:
    async with linked(Manners(late=1.0)) as (relay, one, smsc):
        await relay.until(lambda: one.room)
        text: Outgoing = relay.outgoing()
        one.submit([text])
        draining = asyncio.create_task(one.drain())
        await asyncio.sleep(0)
        arriving = Text(ANN, PROXY, b"x")
        smsc.send(arriving)
        await draining
        await relay.until(lambda: relay.outcomes and arriving.answers)
        assert one.room == 0
        assert arriving.answers[0] == codes.ESME_RX_T_APPN
        assert isinstance(relay.outcomes[text.message_id][0], Accepted)


# --- TLS


async def test_tls_checks_the_carriers_certificate(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "smsc.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    good = {"tls": True, "tls_ca": certificate, "tls_name": "smsc.example"}
    async with linked(served_by=context, **good) as (relay, one, _):
        assert isinstance(await relay.outcome(one, relay.outgoing()), Accepted)
    for bad in ({"tls_ca": None}, {"tls_name": "other.example"}):
        async with linked(served_by=context, **{**good, **bad}) as (relay, one, smsc):
            await relay.until(lambda: "certificate verify failed" in one.health.detail)
            assert smsc.counts["binds"] == 0
