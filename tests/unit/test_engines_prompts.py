"""Sound files of the settings: taken where rtpengine can play them, else refused by name."""

import os
import stat
import wave
from pathlib import Path

import pytest

from maskline.engines.ground import GroundError, Runner
from maskline.engines.prompts import checked, folder, of_recordings, refusals
from maskline.settings import parse


def sound(
    path: Path, channels: int = 1, size: int = 2, rate: int = 8000, seconds: float = 1
) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, size, rate, 0, "NONE", ""))
        file.writeframes(bytes(int(seconds * rate) * channels * size))
    return path


def runner() -> Runner:
    return Runner.named("rtpengine", "media.user")


def test_a_file_is_known_by_the_reason_it_is_for(tmp_path: Path) -> None:
    file = sound(tmp_path / "a.wav", seconds=1.5)
    settings = parse({"announcements": {"unknown_caller": str(file), "most_at_once": 3}})
    copies = folder(tmp_path, runner())
    (found,) = refusals(settings, copies, runner()).items()
    reason, announcement = found
    assert (reason, announcement.milliseconds) == ("unknown-caller", 1500)
    assert Path(announcement.file).read_bytes() == file.read_bytes()
    assert Path(announcement.file).parent == copies
    assert of_recordings(settings, copies, runner()) is None


def test_rtpengine_may_read_the_copies_and_not_change_them(tmp_path: Path) -> None:
    settings = parse({"recording": {"announcement": str(sound(tmp_path / "a.wav"))}})
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "of-another-start.wav").touch()
    copies = folder(tmp_path, runner())
    copy = of_recordings(settings, copies, runner())
    assert copy is not None
    assert list(copies.iterdir()) == [copy]
    for path, mode in ((copies, 0o750), (copy, 0o640)):
        found = path.stat()
        assert stat.S_IMODE(found.st_mode) == mode
        assert (found.st_uid, found.st_gid) == (os.geteuid(), runner().gid)


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"channels": 6}, "it has 6 channels"),
        ({"size": 1}, "it has 8 bits"),
        ({"rate": 96_000}, "it has 96000 Hz"),
        ({"seconds": 61}, "it lasts 61.0 seconds"),
        ({"seconds": 0}, "it lasts 0.0 seconds"),
    ],
)
def test_another_form_is_refused(tmp_path: Path, choices: dict[str, int], told: str) -> None:
    with pytest.raises(GroundError) as refused:
        checked(sound(tmp_path / "a.wav", **choices), "recording.announcement")
    assert str(refused.value).startswith(f"recording.announcement: {tmp_path / 'a.wav'} must be")
    assert str(refused.value).endswith(told)


@pytest.mark.parametrize("content", [b"", b"ID3\x04 this is MP3", b"RIFF\x00\x00\x00\x00WAVE"])
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(GroundError, match=r"must be a WAV file: .*; \w"):
        checked(path, "announcements.anonymous")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GroundError, match=r"announcements\.anonymous: .*: No such file"):
        checked(tmp_path / "none.wav", "announcements.anonymous")
