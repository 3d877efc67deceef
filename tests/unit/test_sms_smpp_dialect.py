"""What carriers write and how they want it written: receipts, numbers, alphabets, parts."""

import struct
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.domain.message import Encoding, Reported
from maskline.settings import CarrierSmpp
from maskline.sms import text as sms
from maskline.sms.port import ALL, InboundText, Outgoing, Part, Receipt
from maskline.sms.smpp import codes
from maskline.sms.smpp.dialect import Dialect
from maskline.sms.smpp.pdu import Data, ShortMessage
from maskline.sms.smpp.receipts import ID_FORMS, Report, fields_of, report_of

NOW = 1_732_500_000_000


def dialect(**settings: object) -> Dialect:
    return Dialect("acme", CarrierSmpp(host="smsc", system_id="us", **settings))


def receipt(text: str, esm_class: int = 4, *tlvs: tuple[int, bytes]) -> ShortMessage:
    return ShortMessage(
        source_addr_ton=1, source_addr="12065550100", dest_addr_ton=1,
        destination_addr="19135550199", esm_class=esm_class, short_message=text.encode(), tlvs=tlvs,
    )  # fmt: skip


ID = (codes.RECEIPTED_MESSAGE_ID, b"7A\0")
DELIVERED = (codes.MESSAGE_STATE, b"\2")
PLAIN = "id:7A sub:001 dlvrd:001 submit date:2611250812 done date:2611250813 stat:DELIVRD err:000"


# --- receipts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PLAIN + " text:hello", Report("7A", Reported.DELIVERED, None)),
        (PLAIN, Report("7A", Reported.DELIVERED, None)),
        (PLAIN.upper(), Report("7A", Reported.DELIVERED, None)),
        ("stat:UNDELIV err:027 id:7A", Report("7A", Reported.UNDELIVERABLE, "027")),
        ("id:7A stat:EXPIRED", Report("7A", Reported.EXPIRED, None)),
        ("id:7A status:DELETED", Report("7A", Reported.DELETED, None)),
        ("id:7A stat:ACCEPTD", Report("7A", Reported.ACCEPTED, None)),
        ("id:7A stat:ACCEPTED", Report("7A", Reported.ACCEPTED, None)),
        ("id:7A stat:REJECTD err:ABC", Report("7A", Reported.REJECTED, "ABC")),
        ("id:7A stat:UNKNOWN", Report("7A", Reported.UNKNOWN, None)),
        ("id:7A stat:ENROUTE", Report("7A", Reported.ENROUTE, None)),
        ("id:7A stat:BUFFERED", Report("7A", Reported.ENROUTE, None)),
        ("id:7A stat:DELIVERED error:0", Report("7A", Reported.DELIVERED, None)),
        ("id:7A stat:2 err:00F", Report("7A", Reported.DELIVERED, "00F")),
        ("id: 7A , stat: DELIVRD, err: 000", Report("7A", Reported.DELIVERED, None)),
        ("id=7A;stat=DELIVRD;err=1", Report("7A", Reported.DELIVERED, "1")),
        ("id:7A\nstat:DELIVRD\nText:x", Report("7A", Reported.DELIVERED, None)),
        ("id:a-b_c.d@e stat:DELIVRD", Report("a-b_c.d@e", Reported.DELIVERED, None)),
        ("submit_date:1 done_date:2 id:7A stat:DELIVRD", Report("7A", Reported.DELIVERED, None)),
        ("id:7A", Report("7A", Reported.UNKNOWN, None)),
        ("id:7A stat:", Report("7A", Reported.UNKNOWN, None)),
        ("", Report("", Reported.UNKNOWN, None)),
        ("no receipt at all", Report("", Reported.UNKNOWN, None)),
    ],
)
def test_receipts_as_text(text: str, found: Report) -> None:
    assert report_of(receipt(text)) == found


def test_what_a_person_wrote_says_nothing() -> None:
    """The receipt quotes the text; its author may have written a state into it."""
    report = report_of(receipt("id:7A stat:UNDELIV err:001 text:id:8 stat:DELIVRD err:000"))
    assert report == Report("7A", Reported.UNDELIVERABLE, "001")
    assert report_of(receipt("text:id:8 stat:DELIVRD")) == Report("", Reported.UNKNOWN, None)


def test_no_zero_gets_out_of_a_receipt() -> None:
    """PostgreSQL takes none."""
    text = receipt("id:7\0A stat:DELIVRD err:0\x0045")
    assert report_of(text) == Report("7A", Reported.DELIVERED, "045")
    padded = receipt("", 4, (codes.RECEIPTED_MESSAGE_ID, b"7A\0\0x\0"), DELIVERED)
    assert report_of(padded) == Report("7A", Reported.DELIVERED, None, from_tlv=True)


@pytest.mark.parametrize("esm_class", [0x00, 0x04, 0x08, 0x20])
def test_receipts_as_tlvs(esm_class: int) -> None:
    tlvs = (ID, DELIVERED, (codes.NETWORK_ERROR_CODE, b"\3\0\x1b"))
    found = report_of(receipt("", esm_class, *tlvs))
    assert found == Report("7A", Reported.DELIVERED, "27", from_tlv=True)
    assert report_of(Data(esm_class=esm_class, tlvs=tlvs)) == found


def test_tlvs_win_over_text() -> None:
    found = report_of(receipt("id:8 stat:UNDELIV err:005", 4, ID, DELIVERED))
    assert found == Report("7A", Reported.DELIVERED, "005", from_tlv=True)


def test_each_state_has_its_number() -> None:
    states = [report_of(receipt("", 4, ID, (codes.MESSAGE_STATE, bytes((n,))))) for n in range(12)]
    assert [one and one.state.name for one in states] == [
        "ENROUTE", "ENROUTE", "DELIVERED", "EXPIRED", "DELETED", "UNDELIVERABLE", "ACCEPTED",
        "UNKNOWN", "REJECTED", "UNDELIVERABLE", "UNKNOWN", "UNKNOWN",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("esm_class", "text"),
    [
        (0x00, PLAIN),  # anybody can send such a text
        (0x00, "hello"),
        (0x08, "thank you"),  # acknowledgements by people
        (0x10, "thank you"),
        (0x18, "bye"),
        (0x40, PLAIN),
    ],
)
def test_what_is_no_receipt(esm_class: int, text: str) -> None:
    assert report_of(receipt(text, esm_class)) is None
    assert report_of(receipt(text, esm_class, (0x0204, b"\0\1"))) is None


def test_an_acknowledgement_in_the_form_of_a_receipt_is_one() -> None:
    assert report_of(receipt(PLAIN, 0x08)) == Report("7A", Reported.DELIVERED, None)


def test_a_notification_on_the_way() -> None:
    assert report_of(receipt("id:7A", 0x20)) == Report("7A", Reported.ENROUTE, None)
    assert report_of(receipt("id:7A stat:UNDELIV", 0x20)) == Report(
        "7A", Reported.UNDELIVERABLE, None
    )


def test_receipts_in_other_places_and_alphabets() -> None:
    payload = (codes.MESSAGE_PAYLOAD, PLAIN.encode())
    assert report_of(receipt("", 4, payload)) == Report("7A", Reported.DELIVERED, None)
    wide = receipt("")._replace(short_message=PLAIN.encode("utf_16_be"), data_coding=8)
    assert report_of(wide) == Report("7A", Reported.DELIVERED, None)


@given(st.binary(max_size=250), st.integers(0, 255))
def test_any_receipt_can_be_read(octets: bytes, esm_class: int) -> None:
    report_of(receipt("", esm_class)._replace(short_message=octets))


@given(st.text(max_size=200))
def test_fields_are_single_words(text: str) -> None:
    assert all(len(word.split()) <= 1 for word in fields_of(text).values())


@pytest.mark.parametrize(
    ("form", "answered", "receipted"),
    [
        ("same", "7a", "7a"),
        ("number", "0000123", "123"),
        ("hex", "00FF", "ff"),
        ("hex_decimal", "2F", "47"),
        ("hex_decimal", "2F", "0000000047"),
        ("decimal_hex", "47", "2f"),
        ("hex_decimal", "not-a-number", "not-a-number"),
    ],
)
def test_ids_meet_in_one_form(form: str, answered: str, receipted: str) -> None:
    answer, from_receipt = ID_FORMS[form]  # type: ignore[index]
    assert answer(answered) == from_receipt(receipted)


@pytest.mark.parametrize(("in_tlv", "in_text"), [(b"2F", "47"), (b"47", "47"), (b"2f", "")])
def test_the_id_in_a_tlv_has_the_form_of_answers_unless_the_text_has_the_same(
    in_tlv: bytes, in_text: str
) -> None:
    own = dialect(receipt_ids="hex_decimal")
    tlvs = ((codes.RECEIPTED_MESSAGE_ID, in_tlv + b"\0"), DELIVERED)
    found = own.arrival(receipt(f"id:{in_text} stat:DELIVRD", 4, *tlvs), "c1", NOW)
    assert isinstance(found, Receipt)
    assert found.message_id == own.answered_id("2F")


def test_a_receipt_is_for_the_text_that_went_the_other_way() -> None:
    body = receipt(PLAIN, 4, (codes.USER_MESSAGE_REFERENCE, b"\x01\x02"))
    assert dialect().arrival(body, "c1", NOW) == Receipt(
        carrier="acme", message_id="7A", state=Reported.DELIVERED, at=NOW, source="+19135550199",
        destination="+12065550100", reference=0x102,
    )  # fmt: skip


@pytest.mark.parametrize(("way", "whole"), [("udh", 0), ("sar", 0), ("payload", ALL)])
def test_a_receipt_is_for_all_of_a_text_that_goes_in_one_request(way: str, whole: int) -> None:
    found = dialect(long_texts=way).arrival(receipt(PLAIN, 4), "c1", NOW)
    assert isinstance(found, Receipt)
    assert found.whole_up_to == whole


# --- numbers


@pytest.mark.parametrize(
    ("settings", "ton", "address", "number"),
    [
        ({}, 1, "12065550100", "+12065550100"),
        ({}, 1, "0012065550100", "+12065550100"),
        ({}, 0, "+12065550100", "+12065550100"),
        ({}, 0, "12065550100", "+12065550100"),
        ({}, 0, "0012065550100", "+12065550100"),
        ({}, 0, "12345", "12345"),
        ({}, 3, "72345", "72345"),
        ({}, 2, "2065550100", "2065550100"),
        ({"country_code": "1"}, 2, "2065550100", "+12065550100"),
        ({"country_code": "1"}, 2, "12065550100", "+12065550100"),
        ({"country_code": "1"}, 2, "72345", "+172345"),
        ({"country_code": "1"}, 2, "1", "+11"),
        ({"country_code": "1"}, 3, "72345", "72345"),
        ({"country_code": "225"}, 2, "0707123456", "+2250707123456"),  # 0 is its first digit
        ({"country_code": "39"}, 2, "0612345678", "+390612345678"),
        ({"country_code": "39"}, 2, "3471234567", "+393471234567"),
        ({"country_code": "7"}, 2, "89161234567", "+79161234567"),
        ({"country_code": "999"}, 2, "2065550100", "+9992065550100"),
        ({"country_code": "44"}, 2, "07700900123", "+447700900123"),
        ({"country_code": "1", "unknown_ton": "national"}, 0, "2065550100", "+12065550100"),
        ({"country_code": "1", "unknown_ton": "national"}, 0, "00447700900123", "+447700900123"),
        ({"country_code": "1", "unknown_ton": "national"}, 1, "447700900123", "+447700900123"),
        ({}, 5, "MyBank", "MyBank"),
        ({}, 5, "12065550100", "12065550100"),
        ({}, 5, "+1206555010", "1206555010"),  # what anybody may call themselves is no number
        ({}, 1, "", ""),
        ({}, 1, "١٢٣", "١٢٣"),
    ],
)
def test_numbers(settings: dict[str, str], ton: int, address: str, number: str) -> None:
    assert dialect(**settings).number(ton, address) == number


# --- texts in


def arrived(settings: dict[str, str] | None = None, **fields: object) -> InboundText:
    found = dialect(**(settings or {})).arrival(ShortMessage(**fields), "c1", NOW)  # type: ignore[arg-type]
    assert isinstance(found, InboundText)
    return found


@pytest.mark.parametrize(
    ("data_coding", "octets", "text", "encoding"),
    [
        (0, b"\0 \x1b\x65", "@ €", Encoding.GSM),
        (1, b"abc", "abc", Encoding.LATIN1),
        (3, b"caf\xe9", "café", Encoding.LATIN1),
        (8, "жー👍".encode("utf_16_be"), "жー👍", Encoding.UCS2),
        (6, "ж".encode("iso8859_5"), "ж", Encoding.OTHER),
        (0x10, b"flash", "flash", Encoding.GSM),
        (0x18, b"\0f", "f", Encoding.UCS2),
        (0x1C, b"fla\x7fh", "flaàh", Encoding.GSM),
        (0x40, b"gon\x7f", "gonà", Encoding.GSM),
        (0x48, b"\0g", "g", Encoding.UCS2),
        (0x50, b"gone", "gone", Encoding.GSM),
        (0x58, b"\0g", "g", Encoding.UCS2),
        (0x8B, b"reserved", "reserved", Encoding.GSM),
        (0xF0, b"flash", "flash", Encoding.GSM),
        (0xC8, b"waits", "waits", Encoding.GSM),
        (0xE0, b"\0w", "w", Encoding.UCS2),
        (2, b"\1\2", "", Encoding.BINARY),
        (4, b"\1\2", "", Encoding.BINARY),
        (9, b"\1\2", "", Encoding.BINARY),
        (0x14, b"\1\2", "", Encoding.BINARY),
        (0xF5, b"\1\2", "", Encoding.BINARY),
        (0x30, b"\1\2", "", Encoding.BINARY),
        (0x44, b"\1\2", "", Encoding.BINARY),
        (0x60, b"\1\2", "", Encoding.BINARY),
        (0x78, b"\1\2", "", Encoding.BINARY),
    ],
)
def test_data_codings(data_coding: int, octets: bytes, text: str, encoding: Encoding) -> None:
    found = arrived(data_coding=data_coding, short_message=octets)
    assert (found.text, found.encoding) == (text, encoding)


@pytest.mark.parametrize(
    ("alphabet", "text"), [("gsm", "@1é"), ("latin1", "\ufffd1\x05"), ("ascii", "\ufffd1\x05")]
)
def test_data_coding_0_is_as_the_carrier_says(alphabet: str, text: str) -> None:
    assert arrived({"default_alphabet": alphabet}, short_message=b"\x001\x05").text == text


def test_data_coding_1_is_as_the_carrier_says() -> None:
    gsm = arrived({"data_coding_1": "gsm"}, data_coding=1, short_message=b"f\x7fr")
    assert (gsm.text, gsm.encoding) == ("fàr", Encoding.GSM)


def test_parts_by_header_and_by_tlvs() -> None:
    udh8, udh16 = bytes.fromhex("0500037f0302"), bytes.fromhex("060804017f0302")
    sar = ((0x20C, b"\1\x7f"), (0x20E, b"\3"), (0x20F, b"\2"))
    assert arrived(esm_class=0x40, short_message=udh8 + b"hi").part == Part(0x7F, 2, 3)
    assert arrived(esm_class=0x40, short_message=udh16 + b"hi").part == Part(0x17F, 2, 3)
    assert arrived(short_message=b"hi", tlvs=sar).part == Part(0x17F, 2, 3)
    payload = ((codes.MESSAGE_PAYLOAD, udh8 + b"hi"),)
    found = arrived(esm_class=0x40, tlvs=payload)
    assert (found.text, found.part) == ("hi", Part(0x7F, 2, 3))


def test_the_only_part_of_a_text_is_all_of_it() -> None:
    """What is cut off at its end is no half of anything."""
    header = bytes.fromhex("050003070101")
    assert arrived(esm_class=0x40, short_message=header + b"hi\x1b").text == "hi"
    half = "👍".encode("utf_16_be")[:2]
    found = arrived(esm_class=0x40, data_coding=8, short_message=header + half)
    assert found.text == "\ufffd"


@pytest.mark.parametrize(
    "sar",
    [
        ((0x20C, b"\1\x7f"), (0x20E, b"\3")),
        ((0x20C, b"\1\x7f"), (0x20E, b"\3"), (0x20F, b"\4")),
        ((0x20C, b"\1"), (0x20E, b"\3"), (0x20F, b"\1")),
        ((0x20C, b"\1\x7f"), (0x20E, b"\0"), (0x20F, b"\0")),
    ],
)
def test_sar_tlvs_that_make_no_part(sar: tuple) -> None:
    assert arrived(short_message=b"hi", tlvs=sar).part is None


def test_languages_of_a_header() -> None:
    assert arrived(esm_class=0x40, short_message=bytes.fromhex("03240101") + b"\x1bg").text == "ğ"
    assert arrived(esm_class=0x40, short_message=bytes.fromhex("03250101") + b"\x0c").text == "ğ"


def test_what_is_for_a_port_by_tlv_is_no_text() -> None:
    ports = ((codes.SOURCE_PORT, b"\x23\xf0"), (codes.DESTINATION_PORT, b"\x0b\x84"))
    found = arrived(short_message=b"WML", tlvs=ports)
    assert (found.text, found.encoding) == ("", Encoding.BINARY)
    nowhere = (codes.DESTINATION_PORT, b"\0\0")
    assert arrived(short_message=b"hi", tlvs=(nowhere,)).text == "hi"


@pytest.mark.parametrize("user_data", ["0504158a0000", "ff00", "0500"])
def test_what_is_for_programs_or_broken_is_no_text(user_data: str) -> None:
    octets = bytes.fromhex(user_data) + b"\1\2"
    found = arrived(esm_class=0x40, short_message=octets)
    assert (found.text, found.encoding) == ("", Encoding.BINARY)


@given(st.binary(max_size=254), st.integers(0, 255), st.integers(0, 255))
def test_anything_can_arrive(octets: bytes, esm_class: int, data_coding: int) -> None:
    body = ShortMessage(esm_class=esm_class, data_coding=data_coding, short_message=octets)
    found = dialect().arrival(body, "c1", NOW)
    if isinstance(found, InboundText):
        found.text.encode()
        assert "\0" not in found.text


# --- texts out

TEXT = Outgoing(
    message_id="m1", reference=0x1234, source="+19135550199", destination="+12065550100",
    text="hello", expires_at=NOW + 90_061_000,
)  # fmt: skip


def written(text: str = "hello", **settings: object) -> list[ShortMessage]:
    submits = dialect(**settings).submits(
        Outgoing(
            message_id="m1", reference=0x1234, source=TEXT.source, destination=TEXT.destination,
            text=text, expires_at=TEXT.expires_at,
        ), NOW,
    )  # fmt: skip
    return [ShortMessage.read(body) for body in submits.bodies]


def test_a_text_as_the_settings_want_it() -> None:
    assert written() == [
        ShortMessage(
            source_addr_ton=1, source_addr_npi=1, source_addr="19135550199", dest_addr_ton=1,
            dest_addr_npi=1, destination_addr="12065550100", validity_period="000001010101000R",
            registered_delivery=1, short_message=b"hello", tlvs=((0x204, b"\x12\x34"),),
        )
    ]  # fmt: skip
    [other] = written(
        source_ton=2, source_npi=8, dest_ton=0, dest_npi=0, number_format="plus", service_type="X",
        registered_delivery=17, validity="absolute", user_message_reference=False,
    )  # fmt: skip
    assert other == ShortMessage(
        service_type="X", source_addr_ton=2, source_addr_npi=8, source_addr="+19135550199",
        destination_addr="+12065550100", registered_delivery=17, short_message=b"hello",
        validity_period=datetime.fromtimestamp(TEXT.expires_at / 1000, UTC).strftime(
            "%y%m%d%H%M%S000+"
        ),
    )  # fmt: skip
    assert written(validity="none")[0].validity_period == ""


@pytest.mark.parametrize(
    ("milliseconds", "period"),
    [
        (0, "000000000001000R"),
        (-5, "000000000001000R"),
        (59_999, "000000000059000R"),
        (86_400_000, "000001000000000R"),
        (40 * 86_400_000, "000110000000000R"),
        (10_000 * 86_400_000, "001210000000000R"),
    ],
)
def test_validity_periods(milliseconds: int, period: str) -> None:
    text = Outgoing(**{**{f: getattr(TEXT, f) for f in TEXT.__struct_fields__},
                       "expires_at": NOW + milliseconds})  # fmt: skip
    [body] = dialect().submits(text, NOW).bodies
    assert ShortMessage.read(body).validity_period == period


@pytest.mark.parametrize(
    ("text", "settings", "data_coding", "count"),
    [
        ("hello", {}, 0, 1),
        ("ж", {}, 8, 1),
        ("ê" * 100, {"data_codings": ("default", "latin1", "ucs2")}, 3, 1),
        ("ê" * 100, {"default_alphabet": "latin1"}, 0, 1),
        ("ğ" * 100, {}, 8, 2),
        ("ğ" * 100, {"shift_tables": ("turkish",)}, 0, 1),
    ],
)
def test_alphabets(text: str, settings: dict, data_coding: int, count: int) -> None:
    bodies = written(text, **settings)
    assert [body.data_coding for body in bodies] == [data_coding] * count


LONG = "Zażółć gęślą jaźń " * 20 + "👍🏽 the end"


@pytest.mark.parametrize("way", ["udh", "payload"])
def test_a_long_text_in_a_languages_alphabet_says_in_which(way: str) -> None:
    text = "Şeker ağaç, göğüs çok güzel; söndürme! " * 6
    bodies = written(text, long_texts=way, shift_tables=("turkish",), data_codings=("default",))
    assert {body.esm_class for body in bodies} == {codes.ESM_HEADER}
    back = [dialect().arrival(body, "c1", NOW) for body in bodies]
    assert sms.join([one.text for one in back if isinstance(one, InboundText)]) == text


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Co"]), max_size=400) | st.just(LONG),
    st.sampled_from(["udh", "udh16", "sar", "payload"]),
    st.sampled_from([(), ("turkish",), ("spanish", "portuguese"), ("hindi",)]),
    st.booleans(),
)
def test_what_goes_out_comes_in(text: str, way: str, languages: tuple, latin: bool) -> None:
    """Carriers that pass PDUs on unchanged give us back what we sent, text and parts."""
    codings = ("default", "latin1", "ucs2") if latin else ("default", "ucs2")
    settings = {"long_texts": way, "shift_tables": languages, "data_codings": codings}
    back = [dialect().arrival(body, "c1", NOW) for body in written(text, **settings)]
    texts = [one for one in back if isinstance(one, InboundText)]
    assert len(texts) == len(back)
    if len(texts) > 1:
        numbers = [one.part and (one.part.number, one.part.total) for one in texts]
        assert numbers == [(n, len(texts)) for n in range(1, len(texts) + 1)]
    joined = sms.join([one.text for one in texts])
    assert unicodedata.normalize("NFC", joined) == unicodedata.normalize("NFC", text)


def test_every_part_fits_into_140_octets_on_the_air() -> None:
    for way in ("udh", "udh16"):
        for text in ("a" * 500, "ж" * 500, "ğ" * 500):
            for body in written(text, long_texts=way, shift_tables=("turkish",)):
                size = body.short_message[0] + 1
                rest = len(body.short_message) - size
                air = rest if body.data_coding == 8 else -(-rest * 7 // 8)
                assert size + air <= 140
                assert struct.unpack_from("B", body.short_message)[0] in (5, 6, 8, 9)
