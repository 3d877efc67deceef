"""How one carrier writes: between PDUs and the texts and receipts of the port."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from maskline.domain.message import Encoding
from maskline.operations.numbering import from_national
from maskline.settings import CarrierSmpp
from maskline.sms import text as sms
from maskline.sms.port import ALL, InboundText, Outgoing, Part, Receipt
from maskline.sms.smpp import codes
from maskline.sms.smpp.pdu import Data, ShortMessage, Tlvs, message_of, tlv
from maskline.sms.smpp.receipts import ID_FORMS, report_of
from maskline.sms.text import header

PHONE_NUMBER_DIGITS = 7  # numbers of fewer are short codes
ALPHANUMERIC = 5  # the type of "number" (section 5.2.5) that is a name

# What octets mean by data_coding (section 5.2.19); 0 and 1 are as the carrier says.
CHARSETS: dict[int, sms.Charset] = {
    3: "latin1",
    5: "shift_jis",
    6: "cyrillic",
    7: "hebrew",
    8: "ucs2",
    10: "iso2022_jp",
    14: "euc_kr",
}
ENCODINGS = {
    "gsm": Encoding.GSM,
    "ascii": Encoding.LATIN1,
    "latin1": Encoding.LATIN1,
    "ucs2": Encoding.UCS2,
}
DATA_CODINGS = {"default": 0, "latin1": 3, "ucs2": 8}
NO_HEADER = header.Header()
CODINGS = {"gsm": sms.GSM, "ascii": sms.ASCII, "latin1": sms.LATIN1, "ucs2": sms.UCS2}


class Submits(NamedTuple):
    """A text as the bodies of the requests that carry it, one for each part."""

    encoding: Encoding
    segments: int  # what the carrier counts, also where it cuts the text itself
    bodies: list[bytes]
    receipts: bool = True  # whether the carrier is asked for any


class Dialect:
    """The conversions of one carrier."""

    def __init__(self, carrier: str, settings: CarrierSmpp) -> None:
        self.carrier = carrier
        self._settings = settings
        self._data_codings = dict(codings(settings))
        self._codings = tuple(self._data_codings)
        self.answered_id, self._receipted_id = ID_FORMS[settings.receipt_ids]
        self._receipts = bool(settings.registered_delivery & codes.FINAL_RECEIPTS)
        self._blank = ShortMessage(
            service_type=settings.service_type or "",
            source_addr_ton=settings.source_ton,
            source_addr_npi=settings.source_npi,
            dest_addr_ton=settings.dest_ton,
            dest_addr_npi=settings.dest_npi,
            registered_delivery=settings.registered_delivery,
        )

    # --- in

    def arrival(
        self, body: ShortMessage | Data, connection: str, now: int
    ) -> InboundText | Receipt:
        """What a deliver_sm or data_sm brings; `now` in milliseconds since the epoch."""
        source = self.number(body.source_addr_ton, body.source_addr)
        destination = self.number(body.dest_addr_ton, body.destination_addr)
        report = report_of(body)
        if report is None:
            return self._text(body, source, destination, connection, now)
        form = self.answered_id if report.from_tlv else self._receipted_id
        return Receipt(
            carrier=self.carrier,
            message_id=form(report.message_id),
            state=report.state,
            at=now,
            error=report.error,
            source=destination,
            destination=source,
            reference=number_in(body.tlvs, codes.USER_MESSAGE_REFERENCE, 2),
            whole_up_to=ALL if self._settings.long_texts == "payload" else 0,
        )

    def number(self, ton: int, address: str) -> str:
        """An address as E.164 where it is a phone number, else as it came."""
        digits = address.removeprefix("+")
        if not (address.isascii() and digits.isdigit()):
            return address
        if ton == ALPHANUMERIC:  # a name, which anybody may choose: also one that looks otherwise
            return digits
        if address.startswith("+"):
            return address
        country = self._settings.country_code
        if ton == 0 and len(address) >= PHONE_NUMBER_DIGITS:
            international = address.startswith("00")
            unknown = self._settings.unknown_ton
            ton = 1 if international or unknown == "international" else 2
        if ton == 1:
            return "+" + address.lstrip("0")
        return from_national(address, country) if ton == 2 and country else address

    def _text(
        self, body: ShortMessage | Data, source: str, destination: str, connection: str, now: int
    ) -> InboundText:
        try:
            found, octets = user_data(body.esm_class, message_of(body))
        except header.HeaderError:
            found, octets = header.Header(ports=True), b""
        charset = self._charset(body.data_coding)
        part = found.concatenation or sar_part(body.tlvs)
        text = ""
        encoding = Encoding.BINARY
        port = found.ports or number_in(body.tlvs, codes.DESTINATION_PORT, 2)
        if charset is not None and not port:
            encoding = ENCODINGS.get(charset, Encoding.OTHER)
            read = sms.read_part if part and part.total > 1 else sms.read
            text = read(octets, charset, found.locking, found.single)
        return InboundText(
            carrier=self.carrier,
            source=source,
            destination=destination,
            text=text,
            encoding=encoding,
            received_at=now,
            connection=connection,
            part=Part(part.reference, part.number, part.total) if part else None,
        )

    def _charset(self, data_coding: int) -> sms.Charset | None:
        """What the octets mean; None: they are no text."""
        if data_coding == 0:
            return self._settings.default_alphabet
        if data_coding == 1:
            return self._settings.data_coding_1
        if data_coding in CHARSETS:
            return CHARSETS[data_coding]
        return gsm_scheme(data_coding)

    # --- out

    def submits(self, text: Outgoing, now: int) -> Submits:
        """A text as PDUs; `now` in milliseconds since the epoch.

        Raises TooLong, UnicodeError when the carrier has no alphabet for it, and PduError for
        numbers that do not fit.
        """
        wide = self._settings.long_texts in ("udh16", "sar")
        written = sms.write(text.in_words, self._codings, wide=wide)
        blank = self._blank._replace(
            source_addr=self._address(text.source),
            destination_addr=self._address(text.destination),
            validity_period=VALIDITY[self._settings.validity](text.expires_at, now),
            data_coding=self._data_codings[written.coding],
            tlvs=reference_tlv(text.reference) if self._settings.user_message_reference else (),
        )
        bodies = [
            self._write(body, text, now) for body in self._bodies(blank, text.reference, written)
        ]
        return Submits(written.coding.encoding, len(written.segments), bodies, self._receipts)

    def _write(self, body: ShortMessage, text: Outgoing, now: int) -> bytes:
        if self._settings.send_by == "submit_sm":
            return body.write()
        limited = self._settings.validity != "none"
        return as_data(body, seconds_left(text.expires_at, now) if limited else None).write()

    def _address(self, number: str) -> str:
        return number if self._settings.number_format == "plus" else number.removeprefix("+")

    def _bodies(
        self, blank: ShortMessage, reference: int, written: sms.Written
    ) -> Iterator[ShortMessage]:
        elements, segments = written.coding.elements, written.segments
        way = self._settings.long_texts
        if len(segments) == 1:
            yield with_header(blank, elements, segments[0])
            return
        if way == "payload":
            octets = header.header_of(elements) + b"".join(segments)
            tlvs = (*blank.tlvs, (codes.MESSAGE_PAYLOAD, octets))
            yield blank._replace(esm_class=codes.ESM_HEADER if elements else 0, tlvs=tlvs)
            return
        for number, octets in enumerate(segments, 1):
            part = header.Concatenation(reference, len(segments), number)
            if way == "sar":
                body = blank._replace(tlvs=(*blank.tlvs, *sar_tlvs(part)))
                yield with_header(body, elements, octets)
            else:
                more = header.concatenation_element(part, wide=way == "udh16")
                yield with_header(blank, elements + more, octets)


def codings(settings: CarrierSmpp) -> Iterator[tuple[sms.Coding, int]]:
    """What may be written, and its data_coding, in the order of preference."""
    for name in settings.data_codings:
        if name != "default":
            if name == "ucs2":
                yield from shifted(settings)
            yield CODINGS[name], DATA_CODINGS[name]
        else:
            yield CODINGS[settings.default_alphabet], 0
    if "ucs2" not in settings.data_codings:
        yield from shifted(settings)


def shifted(settings: CarrierSmpp) -> Iterator[tuple[sms.Coding, int]]:
    for coding in sms.languages(settings.shift_tables):
        yield coding, 0


def user_data(esm_class: int, octets: bytes) -> tuple[header.Header, bytes]:
    """The header of a message, and what follows it; raises HeaderError."""
    return header.read_header(octets) if esm_class & codes.ESM_HEADER else (NO_HEADER, octets)


def gsm_scheme(data_coding: int) -> sms.Charset | None:
    """What the data coding schemes of 3GPP TS 23.038 section 4 say, which some carriers pass on.

    What is reserved there is to be read as the default alphabet. Nobody writes compressed texts
    (TS 23.042), so none are read.
    """
    if data_coding >= 0xF0:  # a message class: bit 2 tells data
        return None if data_coding & 0x04 else "gsm"
    if data_coding >= 0x80:  # reserved; a message waits: E0 and above in UCS-2
        return "ucs2" if data_coding >= 0xE0 else "gsm"
    if data_coding < 0x10 or data_coding & 0x20:  # undefined by SMPP; compressed
        return None
    alphabet = data_coding >> 2 & 0x03  # from 40 on as below: the phone deletes what was read
    return {1: None, 2: "ucs2"}.get(alphabet, "gsm")


def sar_part(tlvs: Tlvs) -> header.Concatenation | None:
    """The part that sar TLVs make a message (sections 5.3.2.22 to 24)."""
    if not tlvs:
        return None
    reference = number_in(tlvs, codes.SAR_MSG_REF_NUM, 2)
    total = number_in(tlvs, codes.SAR_TOTAL_SEGMENTS, 1)
    number = number_in(tlvs, codes.SAR_SEGMENT_SEQNUM, 1)
    if reference is None or total is None or number is None:
        return None
    return header.sound(reference, total, number)


def sar_tlvs(part: header.Concatenation) -> Tlvs:
    return (
        (codes.SAR_MSG_REF_NUM, (part.reference & 0xFFFF).to_bytes(2, "big")),
        (codes.SAR_TOTAL_SEGMENTS, bytes((part.total,))),
        (codes.SAR_SEGMENT_SEQNUM, bytes((part.number,))),
    )


def number_in(tlvs: Tlvs, tag: int, octets: int) -> int | None:
    value = tlv(tlvs, tag)
    return int.from_bytes(value, "big") if value is not None and len(value) == octets else None


def reference_tlv(reference: int) -> Tlvs:
    return ((codes.USER_MESSAGE_REFERENCE, (reference & 0xFFFF).to_bytes(2, "big")),)


def with_header(blank: ShortMessage, elements: bytes, octets: bytes) -> ShortMessage:
    if not elements:
        return blank._replace(short_message=octets)
    octets = header.header_of(elements) + octets
    return blank._replace(esm_class=codes.ESM_HEADER, short_message=octets)


def as_data(body: ShortMessage, seconds: int | None) -> Data:
    """The same as a data_sm, which has no field for text nor validity but in TLVs."""
    tlvs = body.tlvs
    if tlv(tlvs, codes.MESSAGE_PAYLOAD) is None:
        tlvs = (*tlvs, (codes.MESSAGE_PAYLOAD, body.short_message))
    if seconds is not None:
        tlvs = (*tlvs, (codes.QOS_TIME_TO_LIVE, seconds.to_bytes(4, "big")))
    return Data(
        service_type=body.service_type,
        source_addr_ton=body.source_addr_ton,
        source_addr_npi=body.source_addr_npi,
        source_addr=body.source_addr,
        dest_addr_ton=body.dest_addr_ton,
        dest_addr_npi=body.dest_addr_npi,
        destination_addr=body.destination_addr,
        esm_class=body.esm_class,
        registered_delivery=body.registered_delivery,
        data_coding=body.data_coding,
        tlvs=tlvs,
    )


def seconds_left(expires_at: int, now: int) -> int:
    return min(max(1, (expires_at - now) // 1000), 0xFFFFFFFF)


def relative(expires_at: int, now: int) -> str:
    """So long from now (section 7.1.1), at least a second."""
    minutes, seconds = divmod(seconds_left(expires_at, now), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    months, days = divmod(days, 30)
    return f"{0:02}{min(months, 12):02}{days:02}{hours:02}{minutes:02}{seconds:02}000R"


def absolute(expires_at: int, now: int) -> str:
    return datetime.fromtimestamp(expires_at / 1000, UTC).strftime("%y%m%d%H%M%S000+")


def unlimited(expires_at: int, now: int) -> str:
    return ""


VALIDITY: dict[str, Callable[[int, int], str]] = {
    "relative": relative,
    "absolute": absolute,
    "none": unlimited,
}
