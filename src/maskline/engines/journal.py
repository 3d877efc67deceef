"""The journal: what the ledger has been told and has not written yet, in two files that it fills in
turns.

A line is written before whoever told it is answered, so a crash of this process loses nothing. It
is not flushed to the disk: the system keeps it when the process dies, and when the machine dies,
the calls that it carries die, too.

The files have their room from the start, filled with zeros, and are written over: calls go on on a
full disk, when the database keeps nothing.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from maskline.domain.call import Call, CallEvent

NAMES = ("calls-1.journal", "calls-2.journal")
ROOM = 8 << 20  # octets of each, for what is told of some 2,500 calls
PART = 1 << 16  # octets that are read at once
EMPTY = b"\0"

log = structlog.get_logger()


class Entry(msgspec.Struct, omit_defaults=True):
    """What was told of a call: that it was decided so, or what happened to it."""

    call_id: str
    call: Call | None = None
    event: CallEvent | None = None


class Journal:
    """`folder` belongs to one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._files = [File(folder / name) for name in NAMES]

    def note(self, entry: Entry) -> bool:
        """Keeps what was told, and whether it could; where that is impossible, since its room and
        the disk are full, it goes on without."""
        try:
            # What comes after a line that did not fit must not stand on it.
            self._files[0].append(b"\n" + msgspec.json.encode(entry) + b"\n")
        except (OSError, ValueError) as error:
            log.error("not kept in the journal", reason=type(error).__name__)
            return False
        return True

    def turn(self) -> None:
        """What is noted from now on goes into the other file."""
        self._files.reverse()

    def forget(self) -> None:
        """What was noted before the latest turn is written."""
        self._files[1].empty()

    def left(self) -> Iterator[Entry]:
        """What was noted and never forgotten, the earlier file's first where a process left two."""
        for file in sorted(self._files, key=lambda file: file.written_at):
            lines = (line.strip(EMPTY) for line in file.content.split(b"\n"))
            yield from filter(None, map(_entry, filter(None, lines)))

    def clear(self) -> None:
        for file in self._files:
            file.empty()

    def close(self) -> None:
        for file in self._files:
            file.close()


class File:
    """A file that is written from its beginning on, and has zeros behind what was written."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._end = len(self.content)
        self.written_at = os.fstat(self._file).st_mtime_ns  # by whoever had it before
        try:
            os.posix_fallocate(self._file, 0, ROOM)
        except OSError as error:
            log.warning("no room is kept for the journal", reason=type(error).__name__)

    @property
    def content(self) -> bytes:
        """All up to where zeros begin: to read these takes as long as the rest of a start."""
        parts: list[bytes] = []
        while part := os.pread(self._file, PART, len(parts) * PART):
            parts.append(part)
            if part.endswith(EMPTY):
                break
        return b"".join(parts).rstrip(EMPTY)

    def append(self, line: bytes) -> None:
        """Raises OSError where not all of it found room."""
        written = os.pwrite(self._file, line, self._end)
        self._end += written
        if written < len(line):
            raise OSError(errno.ENOSPC, "no room for a line")

    def empty(self) -> None:
        try:
            os.pwrite(self._file, EMPTY * self._end, 0)
            if self._end > ROOM:
                os.ftruncate(self._file, ROOM)
            self._end = 0
        except OSError as error:  # what is found again by the next start changes nothing
            log.error("the journal cannot be emptied", reason=type(error).__name__)

    def close(self) -> None:
        os.close(self._file)


def _entry(line: bytes) -> Entry | None:
    try:
        return msgspec.json.decode(line, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):  # cut off, or another version's
        log.error("a line of the journal cannot be read", octets=len(line))
        return None
