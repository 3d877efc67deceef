"""The GSM 7 bit alphabet (3GPP TS 23.038 section 6.2.1), a septet to an octet, as SMPP has it.

An *alphabet* here is a main table and an extension: the default ones, or those of a language
(annex A), which the header of a text names. What stands in the extension costs two septets.
"""

import codecs
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ESCAPE = 0x1B
ESC = "\x1b"
UNREADABLE = "\ufffd"
STAND_IN = 0xDC00
NOTHING = "\ufffe"  # how charmap tables say that a code stands for no character

MAIN = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip

SHIFT_TABLES = Path(__file__).with_name("shift_tables.txt")
LOCKING, SINGLE = "locking", "single"

ESCAPED = re.compile(ESC + ".", re.DOTALL)


class Alphabet:
    """A main table with its extension: octets to text and text to octets."""

    def __init__(self, main: str, extension: Mapping[int, str]) -> None:
        self._stand_ins, main = with_stand_ins(main)
        self._decoding = main + NOTHING * (256 - len(main))
        self._plain = codecs.charmap_build(main.replace(ESC, NOTHING) + NOTHING * (256 - len(main)))
        self._escaping = codecs.charmap_build(self._decoding)
        self._pairs = {ESC + main[code]: sign for code, sign in extension.items()}
        in_main = set(main)
        self._extended = {
            ord(sign): pair for pair, sign in self._pairs.items() if sign not in in_main
        }

    def decode(self, octets: bytes) -> str:
        """The text that octets mean. U+FFFD stands for what means nothing.

        An escape before a code that the extension does not have is passed over, as section 6.2.1.1
        asks. An escape at the very end stays: the other half of its pair may be in the next part.
        """
        text = codecs.charmap_decode(octets, "replace", self._decoding)[0]
        text = self.unescaped(text) if ESC in text else text
        return text.translate(self._stand_ins) if self._stand_ins else text

    def unescaped(self, text: str) -> str:
        """Text with each pair of escape and main character replaced by what it means."""
        return ESCAPED.sub(lambda pair: self._pairs.get(pair[0]) or lone(pair[0][1]), text)

    def encode(self, text: str) -> bytes | None:
        """The octets for a text; None when a character is in neither table."""
        try:
            return codecs.charmap_encode(text, "strict", self._plain)[0]
        except UnicodeEncodeError:
            if ESC in text:
                return None
        try:
            return codecs.charmap_encode(text.translate(self._extended), "strict", self._escaping)[
                0
            ]
        except UnicodeEncodeError:
            return None


def with_stand_ins(main: str) -> tuple[dict[int, str], str]:
    """What signs mean that were put into a main table so that no two codes are the same there and
    all pairs can be told apart, and that table.

    Some codes mean nothing by themselves, though they do after an escape; and Kannada's table has a
    letter twice, of which the last code is in its place. Halves of characters are in no text.
    """
    signs: dict[int, str] = {}
    for code, sign in enumerate(main):
        if sign == NOTHING or sign in main[code + 1 :]:
            signs[STAND_IN + code] = UNREADABLE if sign == NOTHING else sign
    table = "".join(
        chr(STAND_IN + code) if STAND_IN + code in signs else sign for code, sign in enumerate(main)
    )
    return signs, table


def lone(sign: str) -> str:
    """What an escape means before a character that it does not change; before another, a space."""
    return " " if sign == ESC else sign


DEFAULT = Alphabet(MAIN, EXTENSION)


@cache
def tables() -> tuple[dict[str, int], dict[tuple[str, int], str]]:
    """The identifiers of the languages, and the tables by kind and identifier."""
    languages: dict[str, int] = {}
    found: dict[tuple[str, int], str] = {}
    for line in SHIFT_TABLES.read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[0] == "#":
            continue
        if words[-1] in (LOCKING, SINGLE):
            key = words[2], int(words[1])
            languages[words[0]] = key[1]
            found[key] = ""
        else:
            found[key] += "".join(NOTHING if code == "-" else chr(int(code, 16)) for code in words)
    return languages, found


@cache
def alphabet(locking: int = 0, single: int = 0) -> Alphabet:
    """The alphabet that a header's National Language Identifiers name; 0 means the default.

    An identifier without a table means the default, too (3GPP TS 23.040 section 9.2.3.24.15).
    """
    found = tables()[1] if locking or single else {}
    main, extension = found.get((LOCKING, locking)), found.get((SINGLE, single))
    if main is None and extension is None:
        return DEFAULT
    signs = {
        code: sign for code, sign in enumerate(extension or "") if sign != NOTHING
    } or EXTENSION
    return Alphabet(main[:ESCAPE] + ESC + main[ESCAPE + 1 :] if main else MAIN, signs)


def language(name: str) -> int:
    """The National Language Identifier of a language by its English name; raises KeyError."""
    return tables()[0][name]
