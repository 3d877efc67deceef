"""What octets say: text as it came from a carrier, made whole and fit to be kept.

What cannot be read becomes U+FFFD: a text is never thrown away for a wrong character. The result
holds no lone surrogate and no NUL, which stores refuse.
"""

import re
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
UNREADABLE = "\ufffd"
BYTE_ORDER_MARKS = {b"\xfe\xff": "utf_16_be", b"\xff\xfe": "utf_16_le"}
SURROGATE = re.compile("[\ud800-\udfff]")
# Half a pair at the border of a part is kept as a private character until the parts are joined.
KEPT = 0x100000
HALF = re.compile(f"[{chr(KEPT + 0xD800)}-{chr(KEPT + 0xDFFF)}]")
# So is an escape, with the languages of its header, which say what the pair means.
KEPT_ESCAPE = 0x10E000
LANGUAGES = 16  # more than there are
ESCAPE = re.compile(f"([{chr(KEPT_ESCAPE)}-{chr(KEPT_ESCAPE + LANGUAGES**2 - 1)}])(.?)", re.DOTALL)
# So are the octets of a part that was cut within a unit of UTF-16: the next one has the other half.
KEPT_OCTET = 0x10E100
OCTETS = re.compile(f"[{chr(KEPT_OCTET)}-{chr(KEPT_OCTET + 0xFF)}]+")


def read(octets: bytes, charset: Charset, locking: int = 0, single: int = 0) -> str:
    """The text of a whole short message; `locking` and `single` are its header's languages."""
    return mended(read_part(octets, charset, locking, single))


def read_part(octets: bytes, charset: Charset, locking: int = 0, single: int = 0) -> str:
    """The text of a part, to be kept until `join`: a character cut in two is marked, not lost."""
    if charset == "gsm":
        text = gsm.alphabet(locking, single).decode(octets)
        return text[:-1] + kept_escape(locking, single) if text.endswith(gsm.ESC) else text
    if charset == "ucs2" and len(octets) % 2:
        return "".join(chr(KEPT_OCTET + octet) for octet in octets)
    if charset == "ucs2":
        text = read_utf16(octets)
    else:
        text = octets.decode(PYTHON_NAMES[charset], "replace")
    return without_nul(text)


def without_nul(text: str) -> str:
    return text.rstrip("\0").replace("\0", UNREADABLE) if "\0" in text else text


def read_utf16(octets: bytes) -> str:
    """UCS-2 as phones really send it: UTF-16, big-endian unless a byte order mark says not."""
    codec = BYTE_ORDER_MARKS.get(octets[:2])
    if codec is not None:
        octets = octets[2:]
    odd = UNREADABLE if len(octets) % 2 else ""
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
    return mended("".join(parts))


def kept_escape(locking: int, single: int) -> str:
    languages = [each if each < LANGUAGES else 0 for each in (locking, single)]
    return chr(KEPT_ESCAPE + languages[0] * LANGUAGES + languages[1])


def escaped(found: re.Match[str]) -> str:
    """The character of a pair that two parts had."""
    alphabet = gsm.alphabet(*divmod(ord(found[1]) - KEPT_ESCAPE, LANGUAGES))
    return alphabet.unescaped(gsm.ESC + found[2]) if found[2] else ""


def kept_octets(found: re.Match[str]) -> str:
    """What the octets say that one part, or several on end, had."""
    return without_nul(read_utf16(bytes(ord(sign) - KEPT_OCTET for sign in found[0])))


def mended(text: str) -> str:
    text = OCTETS.sub(kept_octets, text)
    text = ESCAPE.sub(escaped, text).replace(gsm.ESC, "")
    if HALF.search(text):
        halves = HALF.sub(lambda half: chr(ord(half[0]) - KEPT), text)
        text = halves.encode("utf_16_be", "surrogatepass").decode("utf_16_be", "replace")
    return text
