"""The ng protocol: bencoding by property, the client against a stand-in on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.engines import ng
from maskline.engines.ng import NgClient, NgRefusal, NgSilence, decode, encode
from maskline.settings import Address
from maskline_sip import media

VALUES = st.recursive(
    st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_encoded_is_decoded(value: Any) -> None:
    assert decode(encode(value)) == value


@given(st.binary(max_size=64))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        decode(data)


@pytest.mark.parametrize("data", [b"", b"i1", b"5:abc", b"l", b"d1:ae", b"i1ei2e", b"x"])
def test_broken_bencoding_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the kind is the promise
        decode(data)


def test_keys_are_sorted_as_bencoding_demands() -> None:
    assert encode({"b": 1, "a": "x"}) == b"d1:a1:x1:bi1ee"


class StandIn(asyncio.DatagramProtocol):
    """Answers like rtpengine, forgetting the first `deaf` requests."""

    def __init__(self, deaf: int = 0) -> None:
        self.deaf = deaf
        self.heard: list[dict[str, Any]] = []
        self.known: dict[str, Any] = {}  # of the one call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        cookie, _, body = data.partition(b" ")
        self.heard.append(decode(body))
        if len(self.heard) <= self.deaf:
            return
        answers = {
            "delete": {"result": "error", "error-reason": "Unknown call-id"},
            "ping": {"result": "pong"},
            "query": {"result": "ok", **self.known}
            if self.heard[-1].get("call-id") == "known"
            else {"result": "error", "error-reason": "Unknown call-id"},
        }
        answer = answers[self.heard[-1]["command"]]
        self.transport.sendto(b"stray d6:result4:ponge", addr)  # type: ignore[attr-defined]
        self.transport.sendto(cookie + b" " + encode(answer), addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def client_of(stand_in: StandIn) -> AsyncIterator[NgClient]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: stand_in, local_addr=("127.0.0.1", 0)
    )
    client = NgClient(Address(*transport.get_extra_info("sockname")))
    await client.open()
    yield client
    client.close()
    transport.close()
    await asyncio.sleep(0)


async def test_a_ping_is_answered() -> None:
    async with client_of(StandIn()) as client:
        assert await client.answers()


async def test_a_lost_request_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ng, "FIRST_WAIT", 0.02)
    stand_in = StandIn(deaf=2)
    async with client_of(stand_in) as client:
        assert await client.answers()
    assert len(stand_in.heard) == 3


async def test_a_refusal_is_told_with_its_reason() -> None:
    async with client_of(StandIn()) as client:
        with pytest.raises(NgRefusal, match="Unknown call-id"):
            await client.ask("query", **{"call-id": "x"})
        assert not await client.holds("x")
        assert await client.holds("known")


SENDING = ["initialized", "send", "recv"]


@pytest.mark.parametrize(
    ("signal", "packets", "flags", "holds"),
    [
        (100, [199, 101], SENDING, False), (200, [100, 101], SENDING, True),
        (100, [100, 200], SENDING, True), (100, [100, 101], ["initialized", "send"], True),
        (100, [], SENDING, False),
    ],
    ids=["silent", "changed", "heard", "on hold", "refused"],
)  # fmt: skip
async def test_a_call_may_have_to_be_heard(
    signal: int, packets: list[int], flags: list[str], holds: bool
) -> None:
    sides = zip(("caller", "called"), (SENDING, flags), strict=True)
    tags = {
        side: {"medias": [{"flags": own, "streams": [{"last packet": at} for at in packets]}]}
        for side, own in sides
    }
    stand_in = StandIn()
    stand_in.known = {"last signal": signal, "tags": tags}
    async with client_of(stand_in) as client:
        assert await client.holds("known", 200) is holds
        assert await client.holds("known")
        assert not await client.holds("x", 200)


async def test_both_halves_of_a_call_are_released() -> None:
    """Whatever it says, as to a call that it does not know."""
    stand_in = StandIn()
    async with client_of(stand_in) as client:
        await client.release("x")
    assert stand_in.heard == [
        {"command": "delete", "call-id": half} for half in ("x", f"x{media.SECOND}")
    ]


async def test_silence_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ng, "FIRST_WAIT", 0.02)
    async with client_of(StandIn(deaf=9)) as client:
        assert not await client.answers()
        with pytest.raises(NgSilence):
            await client.holds("x")
