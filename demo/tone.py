"""Tones: written for a phone to speak, found again in what another phone heard."""

import math
import struct
import wave
from pathlib import Path

RATE = 8000
SECONDS_WRITTEN = 30


def write(path: Path, frequency: int) -> None:
    """A steady tone, longer than any demo."""
    samples = (
        int(8000 * math.sin(2 * math.pi * frequency * n / RATE))
        for n in range(RATE * SECONDS_WRITTEN)
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


def seconds_of(path: Path, frequency: int) -> float:
    """For how long a recording, if there is one, holds this tone above all else."""
    if not path.exists():
        return 0.0
    with wave.open(str(path), "rb") as file:
        rate = file.getframerate()
        frames = file.readframes(file.getnframes())
        samples = [sample for (sample,) in struct.iter_unpack("<h", frames)][:: file.getnchannels()]
    size = rate // 10
    windows = (samples[at : at + size] for at in range(0, len(samples) - size, size))
    return sum(share(window, frequency, rate) > 0.5 for window in windows) / 10


def share(window: list[int], frequency: int, rate: int) -> float:
    """The part of a window's energy at the frequency, 0 to 1, by Goertzel's algorithm."""
    energy = sum(sample * sample for sample in window)
    if energy < len(window) * 100:  # as good as silent
        return 0.0
    factor = 2 * math.cos(2 * math.pi * frequency / rate)
    last = before = 0.0
    for sample in window:
        last, before = sample + factor * last - before, last
    power = last * last + before * before - factor * last * before
    return 2 * power / (len(window) * energy)
