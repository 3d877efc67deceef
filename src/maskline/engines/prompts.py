"""Sound files that people hear: checked at the start, and put where rtpengine can read them.

The directory is ours, not rtpengine's: we write into it as root, perhaps, and in a directory of
another user's a name may be a link to anything.
"""

import wave
from dataclasses import fields
from pathlib import Path

from maskline.engines.ground import GroundError, Runner, empty_directory
from maskline.operations import Announcement
from maskline.settings import Settings

SAMPLE_BYTES = 2
RATES = range(8_000, 48_001)
SECONDS = 60


def folder(run: Path, runner: Runner) -> Path:
    """A new directory for the copies, which `runner` can read."""
    made = empty_directory(run / "prompts")
    runner.may_read(made)
    return made


def refusals(settings: Settings, copies: Path, runner: Runner) -> dict[str, Announcement]:
    """What refused callers hear, by the reason of the refusal. Raises GroundError."""
    chosen = settings.announcements
    found = {}
    for field in fields(chosen):
        path = getattr(chosen, field.name)
        if isinstance(path, Path):
            copy, milliseconds = put(path, f"announcements.{field.name}", copies, runner)
            found[field.name.replace("_", "-")] = Announcement(str(copy), milliseconds)
    return found


def of_recordings(settings: Settings, copies: Path, runner: Runner) -> Path | None:
    """What both people hear before a call is recorded. Raises GroundError."""
    given = settings.recording.announcement
    return put(given, "recording.announcement", copies, runner)[0] if given else None


def put(path: Path, name: str, copies: Path, runner: Runner) -> tuple[Path, int]:
    """A copy of a sound file that rtpengine can read, and its milliseconds. `name` is that of the
    setting, for the GroundError that is raised when it is no sound file as we want it."""
    milliseconds = checked(path, name)
    copy = copies / f"{name}.wav"
    copy.write_bytes(path.read_bytes())
    runner.may_read(copy)
    return copy, milliseconds


def checked(path: Path, name: str) -> int:
    """How many milliseconds the file at `path` lasts. Raises GroundError."""
    wanted = f"must be a WAV file: PCM, 16 bits, 1 or 2 channels, at most {SECONDS} seconds"
    try:
        with wave.open(str(path)) as sound:
            channels, size, rate, frames, *_ = sound.getparams()
    except OSError as error:
        raise GroundError(f"{name}: {path}: {error.strerror}") from None
    except (wave.Error, EOFError) as error:
        raise GroundError(f"{name}: {path} {wanted}; {str(error) or 'it is cut short'}") from None
    if size != SAMPLE_BYTES:
        raise GroundError(f"{name}: {path} {wanted}; it has {8 * size} bits")
    if channels not in (1, 2):
        raise GroundError(f"{name}: {path} {wanted}; it has {channels} channels")
    if rate not in RATES:
        raise GroundError(f"{name}: {path} {wanted}, 8000 to 48000 Hz; it has {rate} Hz")
    if not 0 < frames <= SECONDS * rate:
        raise GroundError(f"{name}: {path} {wanted}; it lasts {frames / rate:.1f} seconds")
    return int(max(1, frames * 1000 // rate))
