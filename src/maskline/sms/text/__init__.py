"""Text as carriers know it: alphabets, segments, parts. Values and functions, nothing else."""

from maskline.sms.text.parts import MISSING, Fit, Joined, fit, joined
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
    "Fit",
    "Joined",
    "TooLong",
    "Written",
    "fit",
    "join",
    "joined",
    "languages",
    "read",
    "read_part",
    "write",
]
