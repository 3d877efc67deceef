"""How a text is written for a carrier: in which alphabet, cut into which segments."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from maskline.domain.message import Encoding
from maskline.sms.text import gsm
from maskline.sms.text.graphemes import graphemes
from maskline.sms.text.header import shift_elements

SEGMENT_OCTETS = 140  # of user data, header included (3GPP TS 23.040 section 9.2.3.16)
MOST_SEGMENTS = 255
CONCATENATION_OCTETS = {False: 5, True: 6}  # the element with a reference of 8 bits, of 16 (wide)


class TooLong(ValueError):
    """The text does not fit into 255 segments."""


@dataclass(frozen=True)
class Coding:
    """An alphabet to write in. `encode` is None for a text that the alphabet does not have."""

    name: str
    encoding: Encoding
    encode: Callable[[str], bytes | None]
    elements: bytes = b""  # of the header, which name the tables of a language

    def room(self, concatenation: int = 0) -> int:
        """How many octets of `encode` a segment takes whose header has so many octets more."""
        elements = len(self.elements) + concatenation
        free = SEGMENT_OCTETS - (1 + elements if elements else 0)
        if self.encoding is Encoding.GSM:
            return free * 8 // 7
        return free // 2 * 2 if self.encoding is Encoding.UCS2 else free


class Written(NamedTuple):
    """A text as its segments' octets, without headers."""

    coding: Coding
    segments: tuple[bytes, ...]


def encoder(codec: str) -> Callable[[str], bytes | None]:
    def encode(text: str) -> bytes | None:
        try:
            return text.encode(codec)
        except UnicodeEncodeError:
            return None

    return encode


def utf16(text: str) -> bytes:
    """Every text can be written so; a lone surrogate, which is no character, becomes U+FFFD."""
    return (
        text.encode("utf_16_be", "surrogatepass").decode("utf_16_be", "replace").encode("utf_16_be")
    )


GSM = Coding("gsm", Encoding.GSM, gsm.DEFAULT.encode)
LATIN1 = Coding("latin1", Encoding.LATIN1, encoder("latin_1"))
ASCII = Coding("ascii", Encoding.LATIN1, encoder("ascii"))
UCS2 = Coding("ucs2", Encoding.UCS2, utf16)


def languages(names: Sequence[str]) -> Iterator[Coding]:
    """The GSM alphabet with the tables of each language: the extension, the main table, both."""
    for name in names:
        identifier = gsm.language(name)
        for locking, single in ((0, identifier), (identifier, 0), (identifier, identifier)):
            alphabet = gsm.alphabet(locking, single)
            if alphabet is not gsm.DEFAULT:
                elements = shift_elements(locking, single)
                yield Coding(f"gsm-{name}", Encoding.GSM, alphabet.encode, elements)


def write(text: str, codings: Sequence[Coding], *, wide: bool = False) -> Written:
    """The text in the coding that needs the fewest segments; the first of equals.

    Only UCS2 can write every text, so it should be the last of the codings. Accents that stand
    beside their letter are put onto it where the alphabet has the letter: to Unicode and to every
    reader it is the same text. `wide` says that parts will carry a reference of 16 bits.

    Raises TooLong, and UnicodeError when no coding has all the characters.
    """
    best: Written | None = None
    for coding in codings:
        octets = encoded(text, coding)
        if octets is None:
            continue
        if len(octets) <= coding.room():
            return Written(coding, (octets,))
        written = Written(coding, tuple(cut(text, coding, wide=wide)))
        if best is None or len(written.segments) < len(best.segments):
            best = written
    if best is None:
        raise UnicodeError("the carrier takes no alphabet that has these characters")
    if len(best.segments) > MOST_SEGMENTS:
        raise TooLong(f"{len(best.segments)} segments, of at most {MOST_SEGMENTS}")
    return best


def encoded(text: str, coding: Coding) -> bytes | None:
    octets = coding.encode(text)
    if octets is None and not unicodedata.is_normalized("NFC", text):
        return coding.encode(unicodedata.normalize("NFC", text))
    return octets


def cut(text: str, coding: Coding, *, wide: bool) -> Iterator[bytes]:
    """The segments of a long text, none of which ends within what a reader sees as a character.

    Only a unit that is longer than a segment is itself cut, between its characters.
    """
    room = coding.room(CONCATENATION_OCTETS[wide])
    segment = b""
    for octets in pieces(text, coding, room):
        if len(segment) + len(octets) > room:
            yield segment
            segment = b""
        segment += octets
    yield segment


def pieces(text: str, coding: Coding, room: int) -> Iterator[bytes]:
    """The text's characters in octets, each as much as must stay together."""
    for unit in graphemes(text):
        octets = encoded(unit, coding)
        assert octets is not None
        if len(octets) <= room:
            yield octets
        else:
            yield from (coding.encode(sign) or b"" for sign in unit)
