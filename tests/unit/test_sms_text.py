"""Alphabets, segments and parts, against what others make of the same texts."""

import unicodedata
from itertools import pairwise, permutations

import gsm0338
import gsmcodecs
import pytest
import regex
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from maskline.domain.message import Encoding
from maskline.sms import text as sms
from maskline.sms.text import gsm, header, reading
from maskline.sms.text.graphemes import graphemes
from maskline.sms.text.writing import CONCATENATION_OCTETS

EVERY_GSM = sorted((set(gsm.MAIN) - {gsm.ESC}) | set(gsm.EXTENSION.values()))
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
JAMO = "\u1100\u1161\u11a8"
UNITS = [
    *"aé€[]{}~\\|^\r\n @$ßΔж中\ufb01각", "\r\n", "e\u0301", "o\u0308\u0323", "👍", "👍🏽", "🇳🇱",
    "\u2764\ufe0f", FAMILY, SCOTLAND, JAMO, "\u0928\u093f", "\u0915\u094d\u0937\u093f",
    "\u0e01\u0e47", "\uff8a\uff9f",
]  # fmt: skip
ODD_TEXTS = st.lists(
    st.sampled_from(UNITS) | st.text(st.characters(exclude_categories=["Cs", "Co"]), max_size=3),
    max_size=200,
).map("".join)
TEXTS = ODD_TEXTS.filter(lambda text: "\0" not in text and gsm.ESC not in text)
GSM_TEXTS = st.text(EVERY_GSM, max_size=700)
LANGUAGES = list(gsm.tables()[0])


def readable(written: sms.Written) -> str:
    """What a phone shows: every segment read by itself, in a row."""
    coding = written.coding
    if coding.encoding is not Encoding.GSM:
        codec = {"ucs2": "utf_16_be", "latin1": "latin_1", "ascii": "ascii"}[coding.name]
        return "".join(segment.decode(codec) for segment in written.segments)
    elements = header.header_of(coding.elements)
    found, _ = header.read_header(elements) if elements else (header.Header(), b"")
    alphabet = gsm.alphabet(found.locking, found.single)
    return "".join(alphabet.decode(segment) for segment in written.segments)


# --- the GSM alphabet


@given(GSM_TEXTS)
def test_gsm_is_what_two_others_take_it_for(text: str) -> None:
    octets = gsm.DEFAULT.encode(text)
    assert octets == gsm0338.Codec().encode(text)[0] == smsutil.encode(text)
    assert gsm.DEFAULT.decode(octets) == text


@given(st.text(min_size=1, max_size=20))
def test_others_agree_on_what_is_no_gsm(text: str) -> None:
    encodable = gsm.DEFAULT.encode(text) is not None
    assert encodable == (smsutil.is_valid_gsm(text) and gsm.ESC not in text)


@given(st.binary(max_size=200))
def test_any_octets_can_be_read(octets: bytes) -> None:
    for charset in sms.Charset.__args__:  # type: ignore[attr-defined]
        text = sms.read(octets, charset)
        assert "\0" not in text
        text.encode()


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\x1b\x65", "€"),
        (b"\x1bA", "A"),  # the extension has no such code: the character of the main table
        (b"\x1b\x1b\x65", " e"),
        (b"100\x1b", "100"),
        (b"\x80a\xff", "\ufffda\ufffd"),
    ],
)
def test_escapes_and_nonsense(octets: bytes, text: str) -> None:
    assert sms.read(octets, "gsm") == text


def test_there_are_tables_for_every_language_of_the_standard() -> None:
    languages, tables = gsm.tables()
    assert list(languages.values()) == list(range(1, 14))
    assert {(kind, one) for kind, one in tables} == {
        *((gsm.SINGLE, one) for one in range(1, 14)),
        *((gsm.LOCKING, one) for one in range(1, 14) if one != 2),  # Spanish has none
    }
    assert all(len(table) == 128 for table in tables.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_round_trips(language: str) -> None:
    for coding in sms.languages([language]):
        found, _ = header.read_header(header.header_of(coding.elements))
        alphabet = gsm.alphabet(found.locking, found.single)
        signs = sorted({*alphabet.decode(bytes(range(128)).replace(b"\x1b", b""))} - {"\ufffd"})
        signs += [
            s for code in range(128) if (s := alphabet.decode(bytes((0x1B, code)))) != gsm.ESC
        ]
        for sign in set(signs) - {"\ufffd", " "}:
            octets = coding.encode(sign)
            assert octets is not None
            assert alphabet.decode(octets) == sign


def test_spanish_is_what_another_takes_it_for() -> None:
    other = gsm0338.Codec(single_shift_decode_map=gsm0338.SINGLE_SHIFT_CHARACTER_SET_SPANISH)
    spanish = gsm.alphabet(0, gsm.language("spanish"))
    for code in set(range(128)) - {gsm.ESCAPE}:
        pair = bytes((gsm.ESCAPE, code))
        try:
            assert spanish.decode(pair) == other.decode(pair)[0]
        except UnicodeDecodeError:
            assert spanish.decode(pair) == gsm.DEFAULT.decode(bytes((code,)))


@pytest.mark.parametrize("single", range(14))
@pytest.mark.parametrize("locking", [0, 1, *range(3, 14)])
def test_the_tables_are_as_another_has_them(locking: int, single: int) -> None:
    """The other takes the comma of the Indic tables for an apostrophe, at 2C."""
    assert gsmcodecs
    codec, ours = f"gsm23.038-{locking}-{single}", gsm.alphabet(locking, single)
    for code in set(range(128)) - {gsm.ESCAPE}:
        for octets in (bytes((code,)), bytes((gsm.ESCAPE, code))):
            try:
                theirs = octets.decode(codec)
            except UnicodeDecodeError:  # ours is then what the code is by itself
                theirs = ours.decode(octets[-1:]) if len(octets) == 2 else "\ufffd"
            if locking >= 4 and octets == b"\x2c":
                assert (ours.decode(octets), theirs) == (",", "'")
            else:
                assert ours.decode(octets) == theirs


def test_unknown_languages_mean_the_default() -> None:
    assert gsm.alphabet(200, 201) is gsm.DEFAULT
    assert gsm.alphabet(2, 0) is gsm.DEFAULT


# --- units


@given(TEXTS)
def test_every_cut_between_units_is_one_of_unicodes(text: str) -> None:
    units = graphemes(text)
    assert "".join(units) == text
    allowed = {0}
    for cluster in regex.findall(r"\X", text):
        allowed.add(max(allowed) + len(cluster))
    place = 0
    for unit in units:
        place += len(unit)
        assert place in allowed, (unit, text[place:])


@pytest.mark.parametrize("unit", [unit for unit in UNITS if len(unit) > 1])
def test_a_unit_stays_together_among_letters(unit: str) -> None:
    assert graphemes(f"a{unit}a") == ["a", unit, "a"]


def test_flags_are_not_one_unit() -> None:
    assert graphemes("🇳🇱🇧🇪🇩") == ["🇳🇱", "🇧🇪", "🇩"]


# --- writing


ALL = (sms.GSM, sms.LATIN1, sms.UCS2)


@given(TEXTS)
def test_what_is_written_can_be_read(text: str) -> None:
    written = sms.write(text, ALL)
    expected = text.encode("utf_16", "surrogatepass").decode("utf_16", "replace")
    assert unicodedata.normalize("NFC", readable(written)) == unicodedata.normalize("NFC", expected)


@given(TEXTS, st.booleans())
def test_segments_fit_and_end_between_characters(text: str, wide: bool) -> None:
    written = sms.write(text, (sms.GSM, sms.UCS2), wide=wide)
    several = len(written.segments) > 1
    room = written.coding.room(CONCATENATION_OCTETS[wide] if several else 0)
    assert room == {  # 23.040 section 9.2.3.24.1; 3 septets, 6 octets for the 16 bit element
        ("gsm", False): (160, 153, 152), ("ucs2", False): (140, 134, 132)
    }[written.coding.name, False][several + (several and wide)]  # fmt: skip
    for segment in written.segments:
        assert 0 < len(segment) <= room or text == ""
        if written.coding is sms.UCS2:
            segment.decode("utf_16_be")  # strict: no half pair
        else:
            assert not segment.endswith(b"\x1b")


@given(st.lists(st.sampled_from(UNITS), min_size=80, max_size=200))
def test_no_unit_is_cut(units: list[str]) -> None:
    written = sms.write("ж" + "a".join(units), (sms.UCS2,))
    rest = graphemes("ж" + "a".join(units))
    for segment in written.segments:
        shown = segment.decode("utf_16_be")
        while shown:
            unit = rest.pop(0)
            assert shown.startswith(unit)
            shown = shown.removeprefix(unit)
    assert not rest


def test_a_unit_longer_than_a_segment_is_cut_between_characters() -> None:
    monster = "e" + "\u0301" * 200
    written = sms.write(monster, (sms.UCS2,))
    assert [len(one) for one in written.segments] == [134, 134, 134]
    assert readable(written) == monster


@given(GSM_TEXTS)
def test_gsm_is_cut_as_another_cuts_it(text: str) -> None:
    if "\r\n" in text:
        text = text.replace("\r", "")  # the other cuts between them
    other = smsutil.split(text)
    written = sms.write(text, (sms.GSM, sms.UCS2))
    assert [smsutil.encode(part.content) for part in other.parts] == list(written.segments)


@given(st.text(st.characters(exclude_categories=["Cs", "Mn", "Mc", "Me", "Cf", "Sk", "Lo"])))
def test_unicode_takes_the_segments_that_another_counts(text: str) -> None:
    if smsutil.is_valid_gsm(text) or len(graphemes(text)) != len(text):
        return
    assert len(sms.write(text, (sms.UCS2,)).segments) == len(smsutil.split(text).parts)


@pytest.mark.parametrize("place", range(150, 156))
@pytest.mark.parametrize(
    ("unit", "codings"),
    [("€", (sms.GSM,)), ("\r\n", (sms.GSM,)), ("👍🏽", (sms.UCS2,)), (FAMILY, (sms.UCS2,))],
)
def test_borders(place: int, unit: str, codings: tuple[sms.Coding, ...]) -> None:
    filler = "a" * (place if codings[0] is sms.GSM else place - 89)
    written = sms.write(filler + unit + "b" * 100, codings)
    whole = codings[0].encode(unit)
    assert whole is not None
    assert sum(whole in segment for segment in written.segments) == 1


@pytest.mark.parametrize(
    ("text", "codings", "name", "segments"),
    [
        ("a" * 160, ALL, "gsm", 1),
        ("a" * 161, ALL, "gsm", 2),
        ("€" * 80, ALL, "gsm", 1),
        ("€" * 81, ALL, "gsm", 2),
        ("ê" * 140, ALL, "latin1", 1),
        ("ê" * 140, (sms.GSM, sms.UCS2), "ucs2", 3),
        ("ж" * 70, ALL, "ucs2", 1),
        ("ж" * 71, ALL, "ucs2", 2),
        ("e\u0301", ALL, "gsm", 1),  # as é
        ("", ALL, "gsm", 1),
        ("ğ" * 155, (sms.GSM, *sms.languages(["turkish"]), sms.UCS2), "gsm-turkish", 1),
        ("ğ" * 156, (sms.GSM, *sms.languages(["turkish"]), sms.UCS2), "gsm-turkish", 2),
        ("á" * 77, (sms.GSM, *sms.languages(["spanish"]), sms.UCS2), "gsm-spanish", 1),
        ("नमस्ते " * 20, (sms.GSM, *sms.languages(["hindi"]), sms.UCS2), "gsm-hindi", 1),
    ],
)
def test_the_cheapest_coding(
    text: str, codings: tuple[sms.Coding, ...], name: str, segments: int
) -> None:
    written = sms.write(text, codings)
    assert (written.coding.name, len(written.segments)) == (name, segments)
    assert readable(written) == unicodedata.normalize("NFC", text)


def test_what_does_not_fit_is_refused() -> None:
    assert len(sms.write("a" * 153 * 255, ALL).segments) == 255
    with pytest.raises(sms.TooLong):
        sms.write("a" * (153 * 255 + 1), ALL)
    with pytest.raises(UnicodeError):
        sms.write("ж", (sms.GSM, sms.LATIN1))


# --- reading


@given(TEXTS, st.data())
def test_parts_cut_anywhere_are_whole_again(text: str, data: st.DataObject) -> None:
    """Others cut where they like: within pairs of surrogates and of escapes, too."""
    text = text.encode("utf_16", "surrogatepass").decode("utf_16", "replace")
    octets = text.encode("utf_16_be")
    places = data.draw(st.lists(st.integers(0, len(octets) // 2), max_size=6).map(sorted))
    borders = [0, *(2 * place for place in places), len(octets)]
    parts = [octets[start:end] for start, end in pairwise(borders)]
    kept = [sms.read_part(part, "ucs2") for part in parts]
    for part in kept:
        part.encode()  # fit to be kept
    if not any(part.startswith((b"\xfe\xff", b"\xff\xfe")) for part in parts):
        assert sms.join(kept) == text


@given(GSM_TEXTS, st.integers(1, 160))
def test_escape_pairs_cut_by_others_are_whole_again(text: str, width: int) -> None:
    octets = gsm.DEFAULT.encode(text)
    assert octets is not None
    parts = [octets[place : place + width] for place in range(0, len(octets), width)]
    assert sms.join([sms.read_part(part, "gsm") for part in parts]) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pair_cut_in_two_means_what_its_language_says(language: str) -> None:
    number = gsm.language(language)
    for locking, single in ((0, number), (number, number)):
        alphabet = gsm.alphabet(locking, single)
        for code in range(128):
            octets = b"x" + bytes((gsm.ESCAPE, code))
            parts = [
                sms.read_part(part, "gsm", locking, single) for part in (octets[:2], octets[2:])
            ]
            # Two escapes are a space; what has no meaning of its own is not kept for the next part.
            if code == gsm.ESCAPE or alphabet.decode(octets[2:]) in ("\ufffd", "\u0caa"):
                continue
            assert sms.join(parts) == alphabet.decode(octets)
            parts[0].encode()
    assert sms.join([sms.read_part(b"a\x1b", "gsm", 0, number)]) == "a"


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        (b"\xd8\x3d", "ucs2", "\ufffd"),
        (b"\xd8\x3d\xdc\x4d", "ucs2", "👍"),
        (b"\xfe\xff\x00a", "ucs2", "a"),
        (b"\xff\xfea\x00", "ucs2", "a"),
        (b"\x00a\x00", "ucs2", "a\ufffd"),
        (b"\x00a\x00\x00\x00b\x00\x00", "ucs2", "a\ufffdb"),
        (b"caf\xe9", "latin1", "café"),
        (b"caf\xe9", "ascii", "caf\ufffd"),
        (b"hi\0", "latin1", "hi"),
        ("привет".encode("iso8859_5"), "cyrillic", "привет"),
        ("שלום".encode("iso8859_8"), "hebrew", "שלום"),
    ],
)
def test_charsets(octets: bytes, charset: sms.Charset, text: str) -> None:
    assert sms.read(octets, charset) == text


# --- headers


@given(st.binary(max_size=140))
def test_any_header_is_read_or_refused(octets: bytes) -> None:
    try:
        found, payload = header.read_header(octets)
    except header.HeaderError:
        return
    assert octets.endswith(payload)
    if found.concatenation:
        assert 1 <= found.concatenation.number <= found.concatenation.total


@given(st.integers(0, 65535), st.integers(1, 255), st.booleans(), st.data())
def test_headers_round_trip(reference: int, total: int, wide: bool, data: st.DataObject) -> None:
    part = header.Concatenation(reference, total, data.draw(st.integers(1, total)))
    elements = header.shift_elements(3, 1) + header.concatenation_element(part, wide=wide)
    found, payload = header.read_header(header.header_of(elements) + b"rest")
    expected = part if wide else part._replace(reference=reference & 0xFF)
    assert found == header.Header(expected, locking=3, single=1)
    assert payload == b"rest"


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        ("00", header.Header()),
        ("050003070201", header.Header(header.Concatenation(7, 2, 1))),
        ("06080401070201", header.Header(header.Concatenation(0x107, 2, 1))),
        ("050003070200", header.Header()),  # part 0 of 2: no part
        ("050003070203", header.Header()),
        ("0b0504158a00000003070201", header.Header(header.Concatenation(7, 2, 1), ports=True)),
        ("050a03010203", header.Header()),  # formatting
    ],
)
def test_headers(octets: str, found: header.Header) -> None:
    assert header.read_header(bytes.fromhex(octets)) == (found, b"")


@pytest.mark.parametrize("octets", ["", "05", "0500030702", "0300030702", "0100"])
def test_headers_that_do_not_fit(octets: str) -> None:
    with pytest.raises(header.HeaderError):
        header.read_header(bytes.fromhex(octets))


# --- parts


def test_parts_in_any_order() -> None:
    for order in permutations([1, 2, 3]):
        assert sms.joined({number: "abc"[number - 1] for number in order}, 3) == "abc"


def test_parts_that_never_came_are_shown() -> None:
    assert sms.joined({2: "b", 5: "e"}, 6) == "[...]b[...]e[...]"
    assert sms.joined({}, 3) == "[...]"
    assert gsm.DEFAULT.encode(sms.MISSING) is not None


@pytest.mark.parametrize("width", [1, 67, 133])
def test_parts_of_odd_length_are_whole_again(width: int) -> None:
    """140 octets less a header with a reference of 16 bits are 133: some carriers cut so."""
    text = "Привет, 一 Ānn 🎉! " * 20
    octets = text.encode("utf_16_be")
    parts = [octets[start : start + width] for start in range(0, len(octets), width)]
    kept = {number: sms.read_part(part, "ucs2") for number, part in enumerate(parts, 1)}
    "".join(kept.values()).encode()  # fit to be kept
    assert sms.joined(kept, len(parts)) == text


@given(TEXTS, st.sampled_from(["ucs2", "utf8", "shift_jis", "euc_kr", "iso2022_jp"]), st.data())
def test_parts_cut_within_the_octets_of_a_character_are_whole_again(
    text: str, charset: sms.Charset, data: st.DataObject
) -> None:
    """Parts of odd and of even length may stand side by side."""
    name = reading.PYTHON_NAMES.get(charset, "utf_16_be")
    octets = (
        text.encode("utf_16", "surrogatepass").decode("utf_16", "replace").encode(name, "replace")
    )
    places = data.draw(st.lists(st.integers(0, len(octets)), max_size=6).map(sorted))
    parts = [octets[start:end] for start, end in pairwise([0, *places, len(octets)])]
    kept = [sms.read_part(part, charset) for part in parts]
    "".join(kept).encode()  # fit to be kept
    if not any(part.startswith((b"\xfe\xff", b"\xff\xfe")) for part in parts):
        assert sms.join(kept) == sms.read(octets, charset)


def test_parts_of_odd_and_even_length_are_whole_again() -> None:
    text = "Привет, 一 Ānn 🎉! " * 12
    octets = text.encode("utf_16_be")
    parts = [octets[:133], octets[133:267], octets[267:400], octets[400:]]
    kept = {number: sms.read_part(part, "ucs2") for number, part in enumerate(parts, 1)}
    assert sms.joined(kept, len(parts)) == text


def test_a_part_of_odd_length_without_its_neighbour_is_read_to_its_last_character() -> None:
    kept = sms.read_part("abc".encode("utf_16_be")[:5], "ucs2")
    assert sms.joined({1: kept}, 2) == "ab\ufffd[...]"


def test_a_character_cut_in_two_is_whole_again_or_shown_as_lost() -> None:
    octets = "a👍b".encode("utf_16_be")
    first, second = (sms.read_part(half, "ucs2") for half in (octets[:4], octets[4:]))
    assert sms.joined({1: first, 2: second}, 2) == "a👍b"
    assert sms.joined({1: first}, 2) == "a\ufffd[...]"
