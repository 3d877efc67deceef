"""Recordings: packets out of a capture, and sound out of packets."""

import io
import random
import struct
import wave
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.engines.recording.packets import NoCapture, Packet, Place, packets
from maskline.engines.recording.sound import LAWS, RATE, linear, record

HEADER = b"\xd4\xc3\xb2\xa1" + struct.pack("<HHiIII", 2, 4, 0, 0, 65535, 101)
LEFT, RIGHT = 40_010, 40_000
HERE, HERE_6 = "192.0.2.7", "2001:db8::7"
START = 1_700_000_000_000_000


def rtp(payload: bytes, timestamp: int = 0, kind: int = 0, flags: int = 0x80) -> bytes:
    return bytes([flags, kind]) + struct.pack(">HII", 1, timestamp, 7) + payload


def ipv4(data: bytes, port: int = LEFT, protocol: int = 17) -> bytes:
    udp = struct.pack(">HHHH", 5004, port, 8 + len(data), 0) + data
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, protocol, 0)
    return head + bytes(4) + packed(HERE) + udp


def ipv6(data: bytes, port: int = LEFT) -> bytes:
    udp = struct.pack(">HHHH", 5004, port, 8 + len(data), 0) + data
    return struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + bytes(16) + packed(HERE_6) + udp


def packed(address: str) -> bytes:
    return ip_address(address).packed


def capture(*datagrams: bytes) -> io.BytesIO:
    records = (struct.pack("<IIII", 1, n, len(d), len(d)) + d for n, d in enumerate(datagrams))
    return io.BytesIO(HEADER + b"".join(records))


def test_packets_are_read_over_both_kinds_of_ip() -> None:
    found = list(packets(capture(ipv4(rtp(b"a", 160)), ipv6(rtp(b"b", 320, 8), RIGHT))))
    assert found == [
        Packet(1_000_000, (packed(HERE), LEFT), 0, 160, 7, b"a"),
        Packet(1_000_001, (packed(HERE_6), RIGHT), 8, 320, 7, b"b"),
    ]


@pytest.mark.parametrize(
    ("packet", "payload"),
    [
        (rtp(b"\0\0\0\1" + b"x", flags=0x81), b"x"),  # a contributor
        (rtp(b"\xbe\xde\0\1abcd" + b"x", flags=0x90), b"x"),  # an extension
        (rtp(b"x\0\0\3", flags=0xA0), b"x"),  # padding
        (rtp(b"", flags=0x80), b""),
    ],
)
def test_what_stands_around_the_payload_is_left_out(packet: bytes, payload: bytes) -> None:
    (found,) = packets(capture(ipv4(packet)))
    assert found.payload == payload


@pytest.mark.parametrize(
    "datagram",
    [
        b"", b"\x45", ipv4(rtp(b"a"), protocol=6), ipv4(b"short"), ipv4(rtp(b"a", flags=0x40)),
        ipv4(rtp(b"\xff", flags=0xA0)), ipv4(rtp(b"", flags=0x8F)),
    ],
)  # fmt: skip
def test_what_is_no_sound_is_passed_over(datagram: bytes) -> None:
    assert list(packets(capture(datagram))) == []


@given(st.lists(st.binary(max_size=80), max_size=8), st.integers(0, 400))
def test_no_bytes_upset_the_reader(datagrams: list[bytes], cut: int) -> None:
    data = capture(*datagrams).getvalue()
    try:
        list(packets(io.BytesIO(data[: len(data) - cut])))
    except NoCapture:
        assert len(data) - cut < len(HEADER)


@pytest.mark.filterwarnings("ignore:'audioop'")
def test_companding_is_that_of_the_standard_library() -> None:
    audioop = pytest.importorskip("audioop")  # gone from Python 3.13 on
    octets = bytes(range(256))
    assert linear(0, octets) == audioop.ulaw2lin(octets, 2)
    assert linear(8, octets) == audioop.alaw2lin(octets, 2)


def speech(port: int, octet: int, count: int, first: int = 0, address: str = HERE) -> list[Packet]:
    """20 milliseconds a packet, from so many packets after the start."""
    place, sound = (packed(address), port), bytes([octet]) * 160
    return [
        Packet(START + 20_000 * (first + n), place, 0, 777 + 160 * n, port, sound)
        for n in range(count)
    ]


def recorded(
    tmp_path: Path,
    sent: list[Packet],
    sides: tuple[Place, Place] = ((packed(HERE), LEFT), (packed(HERE), RIGHT)),
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The samples of the left and of the right channel."""
    path = tmp_path / "call.wav"
    path.unlink(missing_ok=True)
    seconds = record(sent, *sides, path)
    with wave.open(str(path)) as sound:
        frames = sound.readframes(sound.getnframes())
        assert sound.getnframes() == round(seconds * RATE)
    samples = struct.unpack(f"<{len(frames) // 2}h", frames)
    return samples[0::2], samples[1::2]


def value(octet: int) -> int:
    return struct.unpack("<h", linear(0, bytes([octet])))[0]  # type: ignore[no-any-return]


def in_time(*speakers: list[Packet]) -> list[Packet]:
    return sorted((packet for one in speakers for packet in one), key=lambda packet: packet.at)


def test_each_speaks_on_a_channel(tmp_path: Path) -> None:
    left, right = recorded(
        tmp_path, in_time(speech(LEFT, 16, 500), speech(RIGHT, 144, 250, first=50))
    )
    assert set(left) == {value(16)}
    assert len(left) == len(right) == 500 * 160
    assert set(right[: 50 * 160]) == set(right[300 * 160 :]) == {0}
    assert set(right[50 * 160 : 300 * 160]) == {value(144)}


def test_one_port_of_two_addresses_is_two_places(tmp_path: Path) -> None:
    """As it may be taken where one side speaks over IPv4 and the other over IPv6."""
    sent = in_time(speech(LEFT, 16, 10), speech(LEFT, 144, 10, address=HERE_6))
    left, right = recorded(tmp_path, sent, ((packed(HERE), LEFT), (packed(HERE_6), LEFT)))
    assert (set(left), set(right)) == ({value(16)}, {value(144)})


def test_a_place_without_an_address_is_the_port(tmp_path: Path) -> None:
    """Of which alone earlier versions took note."""
    sent = in_time(speech(LEFT, 16, 10), speech(RIGHT, 144, 10, address=HERE_6))
    left, right = recorded(tmp_path, sent, ((b"", LEFT), (b"", RIGHT)))
    assert (set(left), set(right)) == ({value(16)}, {value(144)})


def test_two_sides_at_one_place_upset_nobody(tmp_path: Path) -> None:
    left, right = recorded(tmp_path, speech(LEFT, 16, 10), ((b"", LEFT), (b"", LEFT)))
    assert len(left) == len(right) == 1600


def test_packets_that_come_late_twice_or_not_at_all(tmp_path: Path) -> None:
    sent = speech(LEFT, 16, 400)
    missing = sent.pop(200)
    disorder = random.Random(4)
    for at in range(0, len(sent) - 5, 5):
        five = sent[at : at + 5]
        times = [packet.at for packet in five]
        disorder.shuffle(five)
        sent[at : at + 5] = [p._replace(at=t) for p, t in zip(five, times, strict=True)]
    sent[300:300] = sent[299:300]
    left, _ = recorded(tmp_path, sent)
    gap = (missing.timestamp - 777) - (sent[0].timestamp - 777)
    assert set(left[gap : gap + 160]) <= {0, value(16)}
    assert left.count(0) <= 3 * 160
    assert set(left) == {0, value(16)}


def test_a_sender_that_begins_anew_goes_on_by_the_clock(tmp_path: Path) -> None:
    before, after = speech(LEFT, 16, 100), speech(LEFT, 144, 100, first=150)
    after = [packet._replace(timestamp=(packet.timestamp + 2**31) % 2**32) for packet in after]
    left, _ = recorded(tmp_path, before + after)
    assert len(left) == 250 * 160
    assert set(left[: 100 * 160]) == {value(16)}
    assert set(left[100 * 160 : 150 * 160]) == {0}
    assert set(left[150 * 160 :]) == {value(144)}


def test_timestamps_pass_their_end(tmp_path: Path) -> None:
    sent = [
        packet._replace(timestamp=(packet.timestamp + 2**32 - 8000) % 2**32)
        for packet in speech(LEFT, 16, 200)
    ]
    left, _ = recorded(tmp_path, sent)
    assert left == (value(16),) * (200 * 160)


def test_keys_and_strange_ports_are_silence(tmp_path: Path) -> None:
    sent = speech(LEFT, 16, 10)
    sent[3] = sent[3]._replace(payload_type=101)
    sent[4] = sent[4]._replace(place=(packed(HERE), 1))
    left, right = recorded(tmp_path, sent)
    assert set(left[480:800]) == {0}
    assert set(right) == {0}


def test_a_call_in_which_nobody_spoke(tmp_path: Path) -> None:
    assert recorded(tmp_path, []) == ((), ())


def test_every_law_has_a_table() -> None:
    tables: dict[int, Any] = LAWS
    assert {kind: len(low) for kind, (low, _) in tables.items()} == {0: 256, 8: 256}
