"""The file that a whole installation travels in: lines of JSON, written and read as a stream.

The first line says what follows and for which key; then for each table a line that describes it and
a line for each row, in the order of its primary key; the last line has the number of rows and the
SHA-256 of all before it. What is sealed stays sealed: the file gives no secret of an access key
away without the key file, which travels apart. It does hold phone numbers.
"""

import base64
import binascii
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import msgspec

FORMAT = "maskline-export"
VERSION = 1
KINDS = ("integer", "text", "blob")

Row = tuple[Any, ...]


class BadArchive(Exception):
    """The file is no whole export; the text says where it breaks off or what is wrong in it."""


class Header(msgspec.Struct, frozen=True):
    """`steps` are those of the schema that ran, by number and name; `key_proof` tells a key."""

    format: str
    version: int
    steps: list[tuple[int, str]]
    key_proof: bytes


class Table(msgspec.Struct, frozen=True):
    """A table's stored columns, each of a kind among KINDS, and those that it is ordered by."""

    table: str
    columns: list[str]
    kinds: list[str]
    key: list[str]


class Ending(msgspec.Struct, frozen=True):
    """The last line: how many rows each table has, and the digest of all lines before it."""

    rows: dict[str, int]
    sha256: str


@dataclass
class Tally:
    """What has passed: the rows of each table and the digest of all lines."""

    rows: dict[str, int] = field(default_factory=dict)
    _digest: Any = field(default_factory=hashlib.sha256)

    def add(self, line: bytes) -> bytes:
        self._digest.update(line)
        return line

    def ending(self) -> Ending:
        return Ending(dict(self.rows), self._digest.hexdigest())


def line_of(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def lines(
    header: Header, tables: Iterable[tuple[Table, Iterable[Row]]], tally: Tally
) -> Iterator[bytes]:
    """All lines but the last, counted by the tally."""
    yield tally.add(line_of(header))
    for table, rows in tables:
        yield tally.add(line_of(table))
        count = 0
        for row in rows:
            yield tally.add(line_of(row))
            count += 1
        tally.rows[table.table] = count


def write(header: Header, tables: Iterable[tuple[Table, Iterable[Row]]], file: IO[bytes]) -> Ending:
    """Writes a whole export; what its last line says."""
    tally = Tally()
    file.writelines(lines(header, tables, tally))
    ending = tally.ending()
    file.write(line_of(ending))
    return ending


class Reader:
    """Reads an export from its beginning: `header`, then `tables()`, whose end checks the whole."""

    def __init__(self, file: IO[bytes]) -> None:
        self._lines = iter(file)
        self._number = 0
        self._tally = Tally()
        self._ahead = self._next()
        self.header = self._decode(Header)
        if self.header.format != FORMAT or self.header.version != VERSION:
            raise BadArchive(f"it is no {FORMAT} of version {VERSION}")
        self._advance()
        self.ending: Ending | None = None

    def tables(self) -> Iterator[tuple[Table, Iterator[Row]]]:
        """Each table with its rows, which are to be read before the next table."""
        while not self._ahead.startswith(b'{"rows"'):
            table = self._decode(Table)
            if len(table.columns) != len(table.kinds) or set(table.kinds) - set(KINDS):
                raise self._wrong("it describes no table that is known here")
            self._advance()
            yield table, self._rows(table)
            if self._ahead.startswith(b"["):
                raise AssertionError("the rows of a table were not read")
        found, told = self._tally.ending(), self._decode(Ending)
        if found != told:
            raise BadArchive("its content does not match the digest in its last line")
        if next(self._lines, b""):
            raise BadArchive("something follows its last line")
        self.ending = told

    def _rows(self, table: Table) -> Iterator[Row]:
        readers = [unpacked if kind == "blob" else None for kind in table.kinds]
        for count in itertools.count():
            if not self._ahead.startswith(b"["):
                self._tally.rows[table.table] = count
                return
            row = self._decode(list)
            if len(row) != len(readers):
                raise self._wrong(f"a row of {table.table} has {len(readers)} values")
            self._advance()
            yield tuple(
                read(value) if read and value is not None else value
                for read, value in zip(readers, row, strict=True)
            )

    def _advance(self) -> None:
        """Counts the line at hand and takes the next one."""
        self._tally.add(self._ahead)
        self._ahead = self._next()

    def _next(self) -> bytes:
        line = next(self._lines, b"")
        self._number += 1
        if not line.endswith(b"\n"):
            raise BadArchive(f"it breaks off at line {self._number}")
        return line

    def _decode(self, kind: Any) -> Any:
        try:
            return msgspec.json.decode(self._ahead, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._wrong(str(error)) from None

    def _wrong(self, what: str) -> BadArchive:
        return BadArchive(f"line {self._number}: {what}")


def unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError) as error:
        raise BadArchive(f"a value is not base64: {error}") from None
