"""What was told of calls and is not written yet, as a process leaves it that is killed."""

import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from a_call import CALL

from maskline.domain.call import CallEvent, Happening, Party
from maskline.engines import journal as journal_module
from maskline.engines.journal import NAMES, Entry, Journal

ENDED = CallEvent(
    happening=Happening.ENDED, at=9, ended_by=Party.CALLER, sip_status=200, legs=({"From": "a"},)
)
OPENED = Entry("n-1", call=replace(CALL, proxy_session_name="naïve"))
OVER = Entry("n-1", event=ENDED)
SMALL = 3 << 15  # octets: more than are read at once


def left(folder: Path) -> list[Entry]:
    """What the next process finds."""
    journal = Journal(folder)
    found = list(journal.left())
    journal.close()
    return found


def test_what_was_noted_is_found_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.note(OPENED)
    journal.note(OVER)
    assert left(tmp_path) == [OPENED, OVER]


def test_what_was_written_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.note(OPENED)
    journal.turn()
    journal.note(OVER)  # while the first is being written
    assert left(tmp_path) == [OPENED, OVER]
    journal.forget()
    assert left(tmp_path) == [OVER]
    journal.turn()
    journal.note(OPENED)
    journal.forget()
    assert left(tmp_path) == [OPENED]
    journal.clear()
    assert left(tmp_path) == []


def written(path: Path) -> bytes:
    return path.read_bytes().rstrip(b"\0")


def test_a_full_disk_has_room_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written over takes no more of it, and behind what did not fit comes the next."""
    monkeypatch.setattr(journal_module, "ROOM", SMALL)
    journal, size = Journal(tmp_path), [(tmp_path / name).stat() for name in NAMES]
    pwrite = os.pwrite

    def full(file: int, data: bytes, at: int) -> int:
        return pwrite(file, data[: SMALL - at], at)

    monkeypatch.setattr("os.pwrite", full)
    line = len(msgspec.json.encode(OPENED)) + 2
    for _ in range(3):
        assert [journal.note(OPENED) for _ in range(SMALL // line + 2)][-3:] == [True, False, False]
        assert len(left(tmp_path)) == SMALL // line
        journal.turn()
        journal.forget()
        journal.turn()
        journal.forget()
        assert left(tmp_path) == []
    assert [(tmp_path / name).stat().st_blocks for name in NAMES] == [one.st_blocks for one in size]
    assert min(one.st_blocks * 512 for one in size) >= SMALL


def test_what_goes_beyond_its_room_is_kept_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "ROOM", 1000)
    journal = Journal(tmp_path)
    for _ in range(9):
        assert journal.note(OPENED)
    assert left(tmp_path) == [OPENED] * 9
    journal.turn()
    journal.forget()
    assert [(tmp_path / name).stat().st_size for name in NAMES] == [1000, 1000]
    assert left(tmp_path) == []


def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.note(OPENED)
    journal.note(OVER)
    path = tmp_path / NAMES[0]
    path.write_bytes(b'{"call_id": 5}\n\xff\n' + written(path)[:-20])
    assert left(tmp_path) == [OPENED]


def test_a_line_that_did_not_fit_costs_no_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.note(OPENED)
    path = tmp_path / NAMES[0]
    os.truncate(path, len(written(path)) - 20)
    journal.note(OVER)
    assert left(tmp_path) == [OVER]


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    Journal(tmp_path).note(OPENED)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in NAMES] == [0o600, 0o600]


def test_what_cannot_be_noted_stops_nobody(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.note(Entry("\ud800", event=ENDED))
    full = os.open("/dev/full", os.O_WRONLY)
    journal._files[0]._file = full
    journal.note(OPENED)
    os.close(full)
    assert left(tmp_path) == []
