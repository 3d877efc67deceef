"""The control line: the requests it writes, the replies it reads, its patience."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.domain.trunk import Target
from maskline.engines import control
from maskline.engines.control import ControlLine, SipText, read_reply, request
from maskline.settings import Address

LEG = {
    "CallId": "abc",
    "From": "<sip:a@127.0.0.1>;tag=1",
    "To": "<sip:b@127.0.0.1>;tag=2",
    "Target": "sip:token@127.0.0.1:5060",
}


def test_a_bye_stands_in_the_dialogue_of_its_leg() -> None:
    message = request("BYE", LEG, 7, Address("127.0.0.1", 9), "z9hG4bKx")
    assert message == (
        b"BYE sip:token@127.0.0.1:5060 SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n"
        b"Max-Forwards: 70\r\n"
        b"From: <sip:a@127.0.0.1>;tag=1\r\n"
        b"To: <sip:b@127.0.0.1>;tag=2\r\n"
        b"Call-ID: abc\r\n"
        b"CSeq: 7 BYE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx;received=h\r\n\r\n", "z9hG4bKx"),
        (b"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP h; branch=z9hG4bKx, SIP/2.0/UDP i\r\n\r\n", "z9hG4bKx"),
        (b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n", ""),
    ],
)
def test_a_reply_is_known_by_its_branch(data: bytes, expected: str) -> None:
    assert read_reply(data) == (200, expected)


@given(st.binary(max_size=80))
def test_any_bytes_are_read(data: bytes) -> None:
    status, _ = read_reply(data)
    assert 0 <= status <= 999


class StandIn(asyncio.DatagramProtocol):
    """Answers every request with the given statuses, forgetting the first `deaf` requests."""

    def __init__(self, *statuses: int, deaf: int = 0) -> None:
        self.statuses = statuses
        self.deaf = deaf
        self.heard: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.heard.append(data)
        if len(self.heard) > self.deaf:
            via = data.split(b"\r\n")[1]
            for status in self.statuses:
                reply = b"SIP/2.0 %d Any\r\n%b\r\n\r\n" % (status, via)
                self.transport.sendto(reply, addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def line_to(stand_in: StandIn) -> AsyncIterator[ControlLine]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: stand_in, local_addr=("127.0.0.1", 0)
    )
    line = ControlLine(Address(*transport.get_extra_info("sockname")))
    await line.open()
    yield line
    line.close()
    transport.close()
    await asyncio.sleep(0)


async def test_any_final_answer_to_options_is_health() -> None:
    async with line_to(StandIn(100, 404)) as line:
        assert await line.answers()


async def test_silence_is_no_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "T1", 0.02)
    monkeypatch.setattr(control, "PROBE_SECONDS", 0.1)
    async with line_to(StandIn(100)) as line:
        assert not await line.answers()


async def test_kamailio_is_as_late_as_the_latest_of_its_sockets() -> None:
    """Calls may come by another one than the one over which we talk to it."""
    async with line_to(StandIn(200)) as prompt, line_to(StandIn()) as silent:
        both = ControlLine(prompt._kamailio, Address("::1", 5060), silent._kamailio)
        await both.open()
        assert await both.answers(5)
        assert not await both.all_answer(0.1)
        alone = ControlLine(prompt._kamailio, Address("::1", 5060))
        await alone.open()
        assert await alone.all_answer(5)
        both.close()
        alone.close()


async def test_a_lost_bye_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "T1", 0.02)
    stand_in = StandIn(200, deaf=2)
    async with line_to(stand_in) as line:
        assert await line.hang_up(LEG) == 200
    assert len(stand_in.heard) == 3
    assert stand_in.heard[0] == stand_in.heard[2]


async def test_a_bye_says_why_to_kamailio() -> None:
    stand_in = StandIn(200)
    async with line_to(stand_in) as line:
        await line.hang_up(LEG)
        await line.hang_up(LEG, 41)
        await line.hang_up(LEG, None)  # of a call that has ended before
    *told, late = stand_in.heard
    reasons = [heard.split(b"Reason: ")[1].split(b"\r\n")[0] for heard in told]
    assert reasons == [b"Q.850;cause=16", b"Q.850;cause=41"]
    assert late.startswith(b"BYE ")
    assert b"Reason" not in late


async def test_who_answers_too_late_is_hung_up_but_not_any_number_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A carrier could else fill Kamailio's memory, and ours, by what it answers to one call."""
    monkeypatch.setattr(control, "MOST_DISMISSED", 2)
    stand_in = StandIn(200, deaf=100)
    async with line_to(stand_in) as line:
        for tag in range(5):
            line.dismiss({**LEG, "To": f"<sip:b@127.0.0.1>;tag={tag}"}, 1)
        while len(stand_in.heard) < 7:
            await asyncio.sleep(0.01)
        methods = [heard.split()[0] for heard in stand_in.heard]
        assert sorted(methods[:7]) == [b"ACK"] * 5 + [b"BYE"] * 2


def number_of(heard: bytes) -> int:
    return int(heard.split(b"CSeq: ")[1].split()[0])


async def test_a_text_that_is_sent_again_is_another_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But where an answer is waited for."""
    monkeypatch.setattr(control, "T1", 0.02)
    stand_in = StandIn(503, deaf=1)
    target = Target("192.0.2.1:5060", "udp")
    text = SipText("acme", "+19135550199", "+14015550101", "0" * 32, b"Hi")
    async with line_to(stand_in) as line:
        for _ in range(2):
            assert await line.send_text(target, text)
    one, same, other = stand_in.heard
    assert one == same
    assert b"\r\nCall-ID: " + b"0" * 32 + b"\r\n" in other
    assert abs(number_of(one) - number_of(other)) >= control.TEXT_STEP
    assert 0 < max(map(number_of, stand_in.heard)) + control.TEXT_STEP < 2**31


async def test_each_bye_has_a_higher_number_than_the_last() -> None:
    stand_in = StandIn(481)
    async with line_to(stand_in) as line:
        assert await line.hang_up(LEG) == 481
        assert await line.hang_up(LEG) == 481
    first, second = map(number_of, stand_in.heard)
    assert control.HIGH_CSEQ < first < second
