"""Recordings: two real telephones, and what the recording of their call holds."""

import asyncio
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest
from acceptance.service import Service, at_work, free_port, running, until
from acceptance.test_announcements import SECONDS as ANNOUNCED_SECONDS
from acceptance.test_announcements import prompt
from acceptance.test_leak import open_session
from acceptance.test_phones import ANN as ANN_NUMBER
from acceptance.test_phones import ANN_HOST, BEN_HOST, Telephone, dialled, service_for, telephone
from acceptance.test_phones import BEN as BEN_NUMBER

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "demo"))
import tone  # noqa: E402  the demo's room is no package

ANN, BEN, ANNOUNCEMENT = 440, 880, 1320
RECORDED = 'record_calls = true\nrecording.announcement = "recorded.wav"\n'


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
    (call,) = service.calls()
    found: dict[str, Any] = service.ask("GET", f"/admin/calls/{call['CallId']}")["Call"]
    return found


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    yield from running(tmp_path, carrier_name="demo", more_settings=request.param)


@pytest.mark.parametrize("service", ["record_calls = true\n"], indirect=True)
def test_each_person_is_on_a_channel_of_their_own(service: Service, tmp_path: Path) -> None:
    demo(service)
    recording = finished(service)
    left, right = side(recording, 0, tmp_path), side(recording, 1, tmp_path)
    assert tone.seconds_of(left, ANN) > 1.5
    assert tone.seconds_of(right, BEN) > 1.5
    assert tone.seconds_of(left, BEN) == tone.seconds_of(right, ANN) == 0
    with wave.open(str(recording)) as sound:
        told = record_of(service)["RecordingMilliseconds"]
        assert abs(sound.getnframes() / 8 - told) < 1
    assert recording.stat().st_mode & 0o077 == 0
    assert not [*Path(service.data).rglob("*.pcap")]


def test_both_hear_the_announcement_and_the_recording_does_not_hold_it(tmp_path: Path) -> None:
    """Real telephones; the recording begins after it."""
    own = tmp_path / "service"
    own.mkdir()
    prompt(own / "recorded.wav", ANNOUNCEMENT)
    port = free_port(BEN_HOST)
    service = service_for(own, "udp", port, {})
    service.config.write_text(RECORDED + service.config.read_text())
    phones = [
        Telephone(number, host, "", tmp_path / name, at)
        for number, host, name, at in (
            (ANN_NUMBER, ANN_HOST, "ann", free_port(ANN_HOST)),
            (BEN_NUMBER, BEN_HOST, "ben", port),
        )
    ]
    for started in at_work(service):
        open_session(started)
        asyncio.run(talk(started, *phones))
        recording = finished(started)
        for channel, said in enumerate((ANN, BEN)):
            alone = side(recording, channel, tmp_path)
            assert tone.seconds_of(alone, said) >= 0.5
            assert tone.seconds_of(alone, ANNOUNCEMENT) == 0
    for phone, said in zip(phones, (BEN, ANN), strict=True):
        (heard,) = phone.folder.glob("dump-*-dec.wav")
        assert tone.seconds_of(heard, ANNOUNCEMENT) >= 0.5
        assert tone.seconds_of(heard, said) >= 0.5


async def talk(service: Service, ann: Telephone, ben: Telephone) -> None:
    async with telephone(ann, ANN), telephone(ben, BEN):
        await ann.press("dial", dialled(service))
        await ben.until("CALL_INCOMING")
        await ben.press("accept")
        await ann.until("CALL_ESTABLISHED")
        await asyncio.sleep(ANNOUNCED_SECONDS + 2)
        await ann.press("hangup")
        await ben.until("CALL_CLOSED")


def finished(service: Service) -> Path:
    """The recording of the only call, once it is there."""
    call = until(lambda: ready(service), 30)
    return Path(service.data / "recordings" / f"{call['CallId']}.wav")


def ready(service: Service) -> dict[str, Any] | None:
    call = record_of(service)
    return call if call.get("RecordingStatus") == "Ready" else None
