"""What a reader sees as one character: the units that a long text is best cut between.

Close to the extended grapheme clusters of Unicode's annex 29, with what the standard library
knows. Where the two differ, the units here are the longer ones.
"""

import unicodedata

ZERO_WIDTH_JOINER = "\u200d"
ZERO_WIDTH_NON_JOINER = "\u200c"
VIRAMA = 9  # the combining class of the signs that join consonants
MARKS = frozenset({"Mn", "Me", "Mc"})


def graphemes(text: str) -> list[str]:
    """The text in its units, in order; nothing is lost, nothing is empty."""
    found: list[str] = []
    for sign in text:
        if found and belongs(found[-1], sign):
            found[-1] += sign
        else:
            found.append(sign)
    return found


def belongs(before: str, sign: str) -> bool:
    """Whether a character goes on with the unit before it."""
    last = before[-1]
    if sign < "\u0300":
        return sign == "\n" and last == "\r"
    if unicodedata.category(last) == "Cc":
        return False
    return (
        extends(sign)
        or last == ZERO_WIDTH_JOINER
        or (flag(sign) and flag(before[0]) and len(before) == 1)
        or (hangul(sign) and hangul(last))
        or (unicodedata.category(sign) == "Lo" and conjoining(before))
    )


def extends(sign: str) -> bool:
    """Whether a character belongs to any unit before it: marks, joiners, skin tones, tags."""
    return (
        unicodedata.category(sign) in MARKS
        or sign in (ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER)
        or "\U0001f3fb" <= sign <= "\U0001f3ff"
        or "\U000e0020" <= sign <= "\U000e007f"
        or sign in "\uff9e\uff9f"
    )


def flag(sign: str) -> bool:
    """Whether it is one of the letters that flags are spelled with, two to a flag."""
    return "\U0001f1e6" <= sign <= "\U0001f1ff"


def hangul(sign: str) -> bool:
    """Whether it is a jamo, of which syllables are made, or a syllable that a jamo may end."""
    return (
        "\u1100" <= sign <= "\u11ff" or "\ua960" <= sign <= "\ua97c" or "\uac00" <= sign <= "\ud7fb"
    )


def conjoining(before: str) -> bool:
    """Whether the unit ends in a virama, marks after it passed over."""
    for sign in reversed(before):
        if unicodedata.combining(sign) == VIRAMA:
            return True
        if not extends(sign):
            return False
    return False
