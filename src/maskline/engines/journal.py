"""The journal: what the ledger has been told and has not written yet, in two files that it fills in
turns.

A line is written before whoever told it is answered, so a crash of this process loses nothing. It
is not flushed to the disk: the system keeps it when the process dies, and when the machine dies,
the calls that it carries die, too.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from maskline.domain.call import Call, CallEvent

NAMES = ("calls-1.journal", "calls-2.journal")

log = structlog.get_logger()


class Entry(msgspec.Struct, omit_defaults=True):
    """What was told of a call: that it was decided so, or what happened to it."""

    call_id: str
    call: Call | None = None
    event: CallEvent | None = None


class Journal:
    """`folder` belongs to one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._files = [_opened(folder / name) for name in NAMES]

    def note(self, entry: Entry) -> None:
        """Keeps what was told; where that is impossible, a full disk say, it goes on without."""
        try:
            # What comes after a line that did not fit must not stand on it.
            os.write(self._files[0], b"\n" + msgspec.json.encode(entry) + b"\n")
        except (OSError, ValueError) as error:
            log.error("not kept in the journal", reason=type(error).__name__)

    def turn(self) -> None:
        """What is noted from now on goes into the other file."""
        self._files.reverse()

    def forget(self) -> None:
        """What was noted before the latest turn is written."""
        _emptied(self._files[1])

    def left(self) -> Iterator[Entry]:
        """What was noted and never forgotten, the earlier file's first where a process left two."""
        for file in sorted(self._files, key=lambda file: os.fstat(file).st_mtime_ns):
            size = os.fstat(file).st_size
            lines = filter(None, os.pread(file, size, 0).split(b"\n"))
            yield from filter(None, map(_entry, lines))

    def clear(self) -> None:
        for file in self._files:
            _emptied(file)

    def close(self) -> None:
        for file in self._files:
            os.close(file)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _emptied(file: int) -> None:
    try:
        os.ftruncate(file, 0)
    except OSError as error:  # what is found again by the next start changes nothing
        log.error("the journal cannot be emptied", reason=type(error).__name__)


def _entry(line: bytes) -> Entry | None:
    try:
        return msgspec.json.decode(line, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):  # cut off, or another version's
        log.error("a line of the journal cannot be read", octets=len(line))
        return None
