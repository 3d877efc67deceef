"""Two people's RTP as one sound of two channels, each on a channel of its own.

G.711 alone is understood, which is all that recorded calls are let use. What is not there is
silence: lost packets, pauses, keys pressed. A channel is laid out by the timestamps of its sender,
and by the clock where a sender begins anew, so that the two keep step.
"""

import wave
from collections.abc import Iterable
from pathlib import Path

from maskline.engines.recording.packets import Packet, Place

RATE = 8000  # samples a second (RFC 3551 section 4.5.14)
MICROSECONDS = 1_000_000
WIDTH = 2  # bytes of a linear sample
# How far a packet may come from where the clock has it before its sender counts as begun anew; and
# so how much of a channel may still change.
DRIFT = 2 * RATE
LONGEST_SECONDS = 24 * 3600


def companded(law: str, octet: int) -> int:
    """The linear sample that one octet stands for (ITU-T G.711)."""
    if law == "A":
        octet ^= 0x55
        exponent, mantissa = octet >> 4 & 7, octet & 15
        size = (mantissa << 4) + 8 if exponent == 0 else (mantissa << 4) + 264 << exponent - 1
        return size if octet & 0x80 else -size
    octet ^= 0xFF
    size = ((octet & 15) << 3) + 132 << (octet >> 4 & 7)
    return 132 - size if octet & 0x80 else size - 132


def halves(law: str) -> tuple[bytes, bytes]:
    """Tables that give the low and the high byte of a sample for an octet."""
    samples = [companded(law, octet) & 0xFFFF for octet in range(256)]
    return bytes(sample & 0xFF for sample in samples), bytes(sample >> 8 for sample in samples)


# Payload type -> tables (RFC 3551 section 6).
LAWS = {0: halves("µ"), 8: halves("A")}


def linear(payload_type: int, payload: bytes) -> bytes:
    """The payload as linear samples of 16 bits, little-endian."""
    low, high = LAWS[payload_type]
    samples = bytearray(WIDTH * len(payload))
    samples[0::2], samples[1::2] = payload.translate(low), payload.translate(high)
    return bytes(samples)


class Channel:
    """One person's sound, from `begin` on (in samples since the start); what is done is taken."""

    def __init__(self) -> None:
        self.begin = 0
        self._samples = bytearray()
        self._source: int | None = None
        self._offset = 0  # from the sender's timestamps to our samples

    def add(self, packet: Packet, at: int) -> None:
        """Lays a packet down that came `at` so many samples after the start."""
        place = (packet.timestamp + self._offset) % 2**32
        if packet.source != self._source or abs(place - at) > DRIFT:
            self._source, self._offset, place = packet.source, at - packet.timestamp, at
        sound = linear(packet.payload_type, packet.payload)
        first = max(0, place - self.begin) * WIDTH
        late = max(0, self.begin - place) * WIDTH
        sound = sound[late:]
        if len(self._samples) < first:
            self._samples.extend(bytes(first - len(self._samples)))
        self._samples[first : first + len(sound)] = sound

    def take(self, end: int) -> bytes:
        """The sound up to sample `end`, which will not change any more."""
        size = max(0, end - self.begin) * WIDTH
        taken = bytes(self._samples[:size])
        del self._samples[:size]
        self.begin = max(self.begin, end)
        return taken + bytes(size - len(taken))

    @property
    def end(self) -> int:
        return self.begin + len(self._samples) // WIDTH


def record(packets: Iterable[Packet], left: Place, right: Place, path: Path) -> float:
    """Writes what came at the places `left` and `right` into a WAV file; its length in seconds. A
    place with an empty address is that port at any."""
    channels = Channel(), Channel()
    places = dict(zip((left, right), channels, strict=True))
    with path.open("xb") as file, wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(WIDTH)
        out.setframerate(RATE)
        start: int | None = None
        for packet in packets:
            start = packet.at if start is None else start
            at = (packet.at - start) * RATE // MICROSECONDS
            channel = places.get(packet.place) or places.get((b"", packet.place[1]))
            if channel is None or packet.payload_type not in LAWS:
                continue
            if not 0 <= at < LONGEST_SECONDS * RATE:
                continue
            channel.add(packet, at)
            flush(out, channels, at - 2 * DRIFT)
        end = max(channel.end for channel in channels)
        flush(out, channels, end)
    return end / RATE


def flush(out: wave.Wave_write, channels: tuple[Channel, Channel], end: int) -> None:
    """Writes what is settled, a second or more at once."""
    one, other = channels
    if end - one.begin < RATE and end < max(one.end, other.end):
        return
    sounds = one.take(end), other.take(end)
    both = bytearray(2 * len(sounds[0]))
    for half in range(WIDTH):
        for channel, sound in enumerate(sounds):
            both[2 * channel + half :: 2 * WIDTH] = sound[half::WIDTH]
    out.writeframes(both)
