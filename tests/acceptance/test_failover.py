"""Calls that go on to another carrier, and those that cannot: real peers on the loopback."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from acceptance.carriers import (
    answered,
    ends,
    hang_up,
    masked,
    no_sound_is_left,
    ring,
    section,
)
from acceptance.peers import SDP, Peer, accept, header, ignore, refuse, reply
from acceptance.plain_phone import ALICE, Phone, within
from acceptance.service import until
from acceptance.test_call_soak import media_sessions


@pytest.mark.parametrize("trouble", [refuse(503), ignore])
def test_another_carrier_takes_the_call(tmp_path: Path, trouble: Any) -> None:
    """Also when the first one says nothing; the next call does not try it first."""
    first, second = Peer(trouble), Peer()
    more = 'failover_carriers = ["globex"]\n' + section("globex", second.where)
    with masked(tmp_path, first, more) as (service, phone):
        hang_up(phone, *answered(phone))
        until(lambda: "EndedTimestamp" in service.newest_call())
        assert service.newest_call()["OutboundCarrierName"] == "globex"
        tried = len(first.of("INVITE"))
        assert tried
        hang_up(phone, *answered(phone))
        assert len(first.of("INVITE")) == tried
        for text in second.received:
            assert ALICE[1:] not in text
    first.close()
    second.close()


REASON = "Reason: Q.850;cause=23\r\n"


REFUSALS = [(486, "", 486, "called", 17), (404, "", 404, "carrier", 1),
            (302, REASON, 480, "carrier", 23)]  # fmt: skip


def test_a_call_that_nobody_takes_is_refused_once(tmp_path: Path) -> None:
    """The record tells who is behind it, and the cause that the carrier told (RFC 6432)."""
    first, second = Peer(refuse(503, "Reason: Q.850;cause=34\r\n")), Peer()
    more = 'failover_carriers = ["globex"]\n' + section("globex", second.where)
    with masked(tmp_path, first, more) as (service, _):
        for status, reason, seen, ended_by, cause in REFUSALS:
            second.answer, phone = refuse(status, reason), Phone(service)
            phone.send(phone.invite())
            assert phone.final() == seen
            phone.socket.close()
            until(lambda wanted=status: service.newest_call().get("SipStatus") == wanted)
            told = service.newest_call()
            assert (told["EndedBy"], told["Cause"]) == (ended_by, cause)
            assert told["OutboundCarrierName"] == "globex"
    first.close()
    second.close()


def test_a_target_that_speaks_too_late_is_not_taken_for_the_next(tmp_path: Path) -> None:
    """It rings, and is answered, after the call went on to another carrier: it is cancelled, who
    answered is hung up, and the call is with that one."""
    busy, first, second = Peer(refuse(503)), Peer(ignore), Peer(ring)
    more = 'failover_carriers = ["slow", "globex"]\n'
    more += section("slow", first.where) + section("globex", second.where)
    with masked(tmp_path, busy, more) as (service, phone):
        sent = phone.invite()
        phone.send(sent)
        until(lambda: second.of("INVITE"))
        late, first.answer = first.of("INVITE")[0], accept
        for status in (180, 183, 200):
            first.send(reply(late, status, first.where, SDP * (status > 180)), phone.server)
        until(lambda: first.of("CANCEL"))
        until(lambda: first.of("ACK") and first.of("BYE"))
        for name in ("From", "Call-ID"):
            told = {header(one, name) for one in (late, *first.of("ACK"), *first.of("BYE"))}
            assert len(told) == 1
        assert header(first.of("ACK")[0], "CSeq").split()[0] == header(late, "CSeq").split()[0]
        assert {header(one, "To") for one in (*first.of("ACK"), *first.of("BYE"))} == {
            header(late, "To") + ";tag=theirs"
        }
        until(lambda: "RingingTimestamp" in service.newest_call())
        assert "AnsweredTimestamp" not in service.newest_call()
        second.answer = accept
        second.send(reply(second.of("INVITE")[0], 200, second.where, SDP), phone.server)
        answer = phone.taken()
        phone.send(within("ACK", sent, answer, phone))
        until(lambda: second.of("ACK"))
        hang_up(phone, sent, answer)
        assert second.of("BYE")
        assert len(first.of("BYE")) == 1
        assert ends(service, 1) == ("caller", 200)
        assert service.newest_call()["OutboundCarrierName"] == "globex"
    for peer in (busy, first, second):
        peer.close()


def try_on(peer: Peer, request: str) -> list[str]:
    """A carrier that looks for the phone."""
    if request.startswith("INVITE"):
        return [reply(request, 100)]
    return ring(peer, request) if request.startswith("ACK") else [reply(request, 200)]


@pytest.mark.parametrize("others", [0, 1])
def test_a_carrier_that_says_that_it_tries_has_time(tmp_path: Path, others: int) -> None:
    """More than one that says nothing. The caller hears of it when it rings."""
    first, second = Peer(try_on), Peer()
    more = 'failover_carriers = ["globex"]\n' * others + section("globex", second.where)
    with masked(tmp_path, first, more) as (service, phone):
        sent = phone.invite()
        phone.send(sent)
        until(lambda: first.of("INVITE"))
        time.sleep(3.5 if others else 6)  # what one has that says nothing, and more
        first.answer = accept
        rings, takes = accept(first, first.of("INVITE")[0])
        first.send(rings, phone.server)
        phone.expect("SIP/2.0 180")  # else another worker might overtake it
        first.send(takes, phone.server)
        answer = phone.taken()
        phone.send(within("ACK", sent, answer, phone))
        until(lambda: first.of("ACK"))
        hang_up(phone, sent, answer)
        told = dict.fromkeys(phone.received)  # what comes again is no news
        assert [text[8:11] for text in told] == ["100", "180", "200", "200"]
        assert ends(service, 1) == ("caller", 200)
    assert not second.received
    for peer in (first, second):
        peer.close()


def test_a_carrier_that_tries_for_ever_is_passed_by(tmp_path: Path) -> None:
    first, second = Peer(try_on), Peer()
    more = 'failover_carriers = ["globex"]\n' + section("globex", second.where)
    choices = {"more_settings": "max_ring_seconds = 5\n"}
    with masked(tmp_path, first, more, **choices) as (_, phone):
        hang_up(phone, *answered(phone))
        until(lambda: first.of("CANCEL"))
        assert second.of("BYE")
    for peer in (first, second):
        peer.close()


def test_who_does_not_take_our_password_is_passed_by(tmp_path: Path) -> None:
    first, second = Peer(refuse(407)), Peer()
    more = 'username = "maskline"\npassword = "wrong"\nfailover_carriers = ["globex"]\n'
    with masked(tmp_path, first, more + section("globex", second.where)) as (service, phone):
        hang_up(phone, *answered(phone))
        assert ends(service, 1) == ("caller", 200)
        assert service.newest_call()["OutboundCarrierName"] == "globex"
        assert len(first.of("INVITE")) == 1
        until(lambda: "carrier acme takes no call" in service.log)
    first.close()
    second.close()


WIDEBAND = 'codecs = ["G722"]'  # which the phone of these tests does not have


def test_a_carrier_that_cannot_have_the_sound_is_passed_by(tmp_path: Path) -> None:
    first, second = Peer(), Peer()
    more = f'{WIDEBAND}\nfailover_carriers = ["globex"]\n' + section("globex", second.where)
    with masked(tmp_path, first, more, sources="127.0.0.9/32") as (service, phone):
        hang_up(phone, *answered(phone))
        assert ends(service, 1) == ("caller", 200)
        assert service.newest_call()["OutboundCarrierName"] == "globex"
        assert not first.of("INVITE")
    first.close()
    second.close()


def test_a_call_whose_sound_no_carrier_can_have_is_over(tmp_path: Path) -> None:
    peer = Peer()
    more = f"{WIDEBAND}\n" + section("globex", "127.0.0.1:9")
    with masked(tmp_path, peer, more, sources="127.0.0.9/32") as (service, phone):
        phone.send(phone.invite())
        assert phone.final() == 488
        assert ends(service, 1) == ("us", 488)
        assert not peer.received
    peer.close()


def test_a_call_that_cannot_go_on_to_another_carrier_is_over(tmp_path: Path) -> None:
    """Because that one cannot have its sound, or because rtpengine is gone meanwhile."""
    first, second, stopped = Peer(), Peer(), list[int]()

    def stop_the_sound(peer: Peer, request: str) -> list[str]:
        if request.startswith("INVITE") and not stopped:
            stopped.append(service.engine_pid("rtpengine"))
            os.kill(stopped[0], signal.SIGSTOP)
        return refuse(503)(peer, request)

    more = 'failover_carriers = ["globex"]\n' + section("globex", second.where, WIDEBAND)
    with masked(tmp_path, first, more) as (service, phone):
        for number, trouble in enumerate((refuse(503), stop_the_sound), start=1):
            first.answer = trouble
            phone.send(phone.invite())
            assert phone.final() == 500
            assert ends(service, number) == ("carrier", 503)
        with suppress(ProcessLookupError):  # it may have been replaced, for it hung
            os.kill(stopped[0], signal.SIGCONT)
        assert not second.received
    first.close()
    second.close()


def test_of_a_call_that_goes_on_to_a_plain_carrier_no_sound_is_left(tmp_path: Path) -> None:
    """Between two that encrypt the engine has two calls, with a plain one it has one."""
    first, second = Peer(refuse(503)), Peer()
    more = 'srtp = "optional"\nfailover_carriers = ["globex"]\n' + section("globex", second.where)
    with masked(tmp_path, first, more) as (service, phone):
        sent, answer = answered(phone)
        assert first.of("INVITE")
        until(lambda: len(asyncio.run(media_sessions(service))) == 1)
        hang_up(phone, sent, answer)
        no_sound_is_left(service)
    first.close()
    second.close()
