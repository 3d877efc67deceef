"""Recordings: two real telephones, and what the recording of their call holds."""

import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest
from acceptance.service import Service, running, until

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "demo"))
import tone  # noqa: E402  the demo's room is no package

ANN, BEN, ANNOUNCEMENT = 440, 880, 1320


def demo(service: Service) -> None:
    """Ann calls Ben and each hears the other's tone."""
    done = subprocess.run(
        [sys.executable, ROOT / "demo", "--config", service.config],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def side(recording: Path, channel: int, folder: Path) -> Path:
    """One channel of a recording, in a file of its own."""
    with wave.open(str(recording)) as both:
        assert (both.getnchannels(), both.getframerate(), both.getsampwidth()) == (2, 8000, 2)
        frames = both.readframes(both.getnframes())
    alone = folder / f"side-{channel}.wav"
    with wave.open(str(alone), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(b"".join(frames[at : at + 2] for at in range(2 * channel, len(frames), 4)))
    return alone


def record_of(service: Service) -> dict[str, Any]:
    (call,) = service.maskline("admin", "list-calls")["Calls"]
    found: dict[str, Any] = service.maskline("admin", "get-call", "--call-id", call["CallId"])
    return dict(found["Call"])


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    yield from running(tmp_path, carrier_name="demo", more_settings=request.param)


@pytest.mark.parametrize("service", ["record_calls = true\n"], indirect=True)
def test_each_person_is_on_a_channel_of_their_own(service: Service, tmp_path: Path) -> None:
    demo(service)
    call = until(lambda: ready(service), 30)
    recording = service.data / "recordings" / f"{call['CallId']}.wav"
    left, right = side(recording, 0, tmp_path), side(recording, 1, tmp_path)
    assert tone.seconds_of(left, ANN) > 1.5
    assert tone.seconds_of(right, BEN) > 1.5
    assert tone.seconds_of(left, BEN) == tone.seconds_of(right, ANN) == 0
    with wave.open(str(recording)) as sound:
        assert abs(sound.getnframes() / 8 - call["RecordingMilliseconds"]) < 1
    assert recording.stat().st_mode & 0o077 == 0
    assert not [*Path(service.data).rglob("*.pcap")]


def ready(service: Service) -> dict[str, Any] | None:
    call = record_of(service)
    return call if call.get("RecordingStatus") == "Ready" else None
