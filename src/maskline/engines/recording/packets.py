"""RTP packets from a capture that rtpengine writes of a call. Pure: bytes in, values out.

Sources: the pcap file format (draft-ietf-opsawg-pcap), IPv4 (RFC 791), IPv6 (RFC 8200), UDP
(RFC 768), RTP (RFC 3550 section 5.1).
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

GLOBAL_HEADER, RECORD_HEADER = 24, struct.Struct("<IIII")
MAGIC = b"\xd4\xc3\xb2\xa1"  # microseconds, little-endian: what rtpengine writes here
LINKTYPE_RAW = 101
LONGEST_RECORD = 65_575
UDP = 17


class NoCapture(ValueError):
    """The file is not a capture as rtpengine writes it."""


# An IP address as packets hold it, and a port of it.
Place = tuple[bytes, int]


class Packet(NamedTuple):
    """An RTP packet, when it came (microseconds since the epoch) and where we heard it."""

    at: int
    place: Place
    payload_type: int
    timestamp: int
    source: int
    payload: bytes


def packets(capture: BinaryIO) -> Iterator[Packet]:
    """The RTP packets of a capture; the end may be cut off. Raises NoCapture."""
    header = capture.read(GLOBAL_HEADER)
    if len(header) < GLOBAL_HEADER or header[:4] != MAGIC:
        raise NoCapture("no capture in little-endian order")
    if int.from_bytes(header[20:24], "little") != LINKTYPE_RAW:
        raise NoCapture("a capture of something else than IP packets")
    while len(record := capture.read(RECORD_HEADER.size)) == RECORD_HEADER.size:
        seconds, microseconds, length, _ = RECORD_HEADER.unpack(record)
        if length > LONGEST_RECORD:
            return
        data = capture.read(length)
        if len(data) == length and (packet := read(data, seconds * 1_000_000 + microseconds)):
            yield packet


def read(data: bytes, at: int) -> Packet | None:
    """The RTP packet in an IP packet, None when there is none."""
    address, datagram = udp_of(data)
    if len(datagram) < 8 + 12:
        return None
    port, rtp = int.from_bytes(datagram[2:4], "big"), datagram[8:]
    payload = payload_of(rtp)
    if payload is None:
        return None
    timestamp, source = struct.unpack_from(">II", rtp, 4)
    return Packet(at, (address, port), rtp[1] & 0x7F, timestamp, source, payload)


def udp_of(data: bytes) -> tuple[bytes, bytes]:
    """Where an IP packet went, and the UDP datagram in it; nothing where there is none."""
    version = data[0] >> 4 if data else 0
    if version == 4 and len(data) >= 20 and data[9] == UDP:
        return data[16:20], data[(data[0] & 0x0F) * 4 :]
    if version == 6 and len(data) >= 40 and data[6] == UDP:
        return data[24:40], data[40:]
    return b"", b""


def payload_of(rtp: bytes) -> bytes | None:
    """What an RTP packet carries, without contributors, extension and padding."""
    if rtp[0] >> 6 != 2:
        return None
    begin, end = 12 + 4 * (rtp[0] & 0x0F), len(rtp)
    if rtp[0] & 0x10:
        begin += 4 + 4 * int.from_bytes(rtp[begin + 2 : begin + 4], "big")
    if rtp[0] & 0x20:
        end -= rtp[-1]
    return rtp[begin:end] if begin <= end else None
