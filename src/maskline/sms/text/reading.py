"""What octets say: text as it came from a carrier, made whole and fit to be kept.

What cannot be read becomes U+FFFD: a text is never thrown away for a wrong character. The result
holds no lone surrogate and no NUL, which stores refuse.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Literal

from maskline.sms.text import gsm

Charset = Literal[
    "gsm", "ascii", "latin1", "ucs2", "utf8", "cyrillic", "hebrew", "shift_jis", "iso2022_jp",
    "euc_kr",
]  # fmt: skip

PYTHON_NAMES = {
    "ascii": "ascii",
    "latin1": "latin_1",
    "utf8": "utf_8",
    "cyrillic": "iso8859_5",
    "hebrew": "iso8859_8",
    "shift_jis": "shift_jis",
    "iso2022_jp": "iso2022_jp",
    "euc_kr": "euc_kr",
}
BYTE_ORDER_MARKS = {b"\xfe\xff": "utf_16_be", b"\xff\xfe": "utf_16_le"}
SURROGATE = re.compile("[\ud800-\udfff]")
# Half a pair at the border of a part is kept as a private character until the parts are joined.
KEPT = 0x100000
HALF = re.compile(f"[{chr(KEPT + 0xD800)}-{chr(KEPT + 0xDFFF)}]")
# So is an escape, with the languages of its header, which say what the pair means.
KEPT_ESCAPE = 0x10E000
LANGUAGES = 16  # more than there are
ESCAPE = re.compile(f"([{chr(KEPT_ESCAPE)}-{chr(KEPT_ESCAPE + LANGUAGES**2 - 1)}])(.?)", re.DOTALL)
# So are the octets of a part in an alphabet of several octets to a character: any part may end
# within one, and only all of them tell where each begins.
KEPT_OCTETS = 0x10E100
SEVERAL: tuple[Charset, ...] = ("ucs2", "utf8", "shift_jis", "iso2022_jp", "euc_kr")


def read(octets: bytes, charset: Charset, locking: int = 0, single: int = 0) -> str:
    """The text of a whole short message; `locking` and `single` are its header's languages."""
    if charset in SEVERAL:
        return mended(together(octets, charset))
    return mended(read_part(octets, charset, locking, single))


def read_part(octets: bytes, charset: Charset, locking: int = 0, single: int = 0) -> str:
    """The text of a part, to be kept until `join`: a character cut in two is marked, not lost."""
    if charset == "gsm":
        text = gsm.alphabet(locking, single).decode(octets)
        return text[:-1] + kept_escape(locking, single) if text.endswith(gsm.ESC) else text
    if charset in SEVERAL:
        first = KEPT_OCTETS + 256 * SEVERAL.index(charset)
        return "".join(chr(first + octet) for octet in octets)
    return together(octets, charset)


def together(octets: bytes, charset: Charset) -> str:
    """What octets say that belong together."""
    if charset == "ucs2":
        return without_nul(read_utf16(octets))
    return without_nul(octets.decode(PYTHON_NAMES[charset], "replace"))


def without_nul(text: str) -> str:
    return text.rstrip("\0").replace("\0", gsm.UNREADABLE) if "\0" in text else text


def read_utf16(octets: bytes) -> str:
    """UCS-2 as phones really send it: UTF-16, big-endian unless a byte order mark says not."""
    codec = BYTE_ORDER_MARKS.get(octets[:2])
    if codec is not None:
        octets = octets[2:]
    odd = gsm.UNREADABLE if len(octets) % 2 else ""
    even = octets[:-1] if odd else octets
    try:
        return even.decode(codec or "utf_16_be") + odd
    except UnicodeDecodeError:
        text = even.decode(codec or "utf_16_be", "surrogatepass")
        return SURROGATE.sub(lambda half: chr(KEPT + ord(half[0])), text) + odd


def join(parts: list[str]) -> str:
    """The text of which these are the parts in order; characters cut in two are whole again.

    Every half that finds no other half becomes U+FFFD; an escape that finds nothing, nothing.
    """
    return mended("".join(decoded(parts)))


def decoded(parts: Iterable[str]) -> Iterator[str]:
    """The parts with those decoded that were kept as octets, as many together as follow on each
    other in one alphabet."""
    for charset, run in groupby(filter(None, parts), key=kept_charset):
        if charset is None:
            yield from run
        elif charset == "ucs2":
            yield from (together(octets, charset) for octets in whole_units(run))
        else:
            yield together(b"".join(map(kept_octets, run)), charset)


def kept_charset(part: str) -> Charset | None:
    """In what alphabet a part's octets are kept; None where its text is."""
    place = ord(part[0]) - KEPT_OCTETS
    return SEVERAL[place // 256] if 0 <= place < 256 * len(SEVERAL) else None


def kept_octets(part: str) -> bytes:
    return bytes((ord(sign) - KEPT_OCTETS) % 256 for sign in part)


def whole_units(parts: Iterable[str]) -> Iterator[bytes]:
    """The octets of UTF-16 that parts have, each by itself, for it may begin with a byte order
    mark; but where one ends within a unit, with those that follow until one does not."""
    octets = b""
    for part in parts:
        octets += kept_octets(part)
        if len(octets) % 2 == 0:
            yield octets
            octets = b""
    if octets:
        yield octets


def kept_escape(locking: int, single: int) -> str:
    languages = [each if each < LANGUAGES else 0 for each in (locking, single)]
    return chr(KEPT_ESCAPE + languages[0] * LANGUAGES + languages[1])


def escaped(found: re.Match[str]) -> str:
    """The character of a pair that two parts had."""
    alphabet = gsm.alphabet(*divmod(ord(found[1]) - KEPT_ESCAPE, LANGUAGES))
    return alphabet.unescaped(gsm.ESC + found[2]) if found[2] else ""


def mended(text: str) -> str:
    text = ESCAPE.sub(escaped, text).replace(gsm.ESC, "")
    if HALF.search(text):
        halves = HALF.sub(lambda half: chr(ord(half[0]) - KEPT), text)
        text = halves.encode("utf_16_be", "surrogatepass").decode("utf_16_be", "replace")
    return text
