"""Text as carriers know it: alphabets, segments, parts. Values and functions, nothing else."""

from maskline.sms.text.parts import MISSING, joined
from maskline.sms.text.reading import Charset, join, read, read_part
from maskline.sms.text.writing import (
    ASCII,
    GSM,
    LATIN1,
    UCS2,
    Coding,
    TooLong,
    Written,
    languages,
    write,
)

__all__ = [
    "ASCII",
    "GSM",
    "LATIN1",
    "MISSING",
    "UCS2",
    "Charset",
    "Coding",
    "TooLong",
    "Written",
    "join",
    "joined",
    "languages",
    "read",
    "read_part",
    "write",
]
