"""The PDUs of SMPP 3.4: bodies as named values, from octets and to octets.

A body's fields stand in a table, as the specification lists them (section 4). From the table comes
a regular expression, which reads a body in one go and knows every limit. What is written is held
against the same expression, so that no value can be too long or end its field early.

The names are the specification's. Texts (C-octet strings) are read as Latin-1, which loses
nothing; optional parameters (TLVs) stay in order, known or not.
"""

import re
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any, NamedTuple, Self

from maskline.sms.smpp import codes

HEADER = Struct(">IIII")  # command_length, command_id, command_status, sequence_number
LONGEST_ID = 64
TAG_LENGTH = Struct(">HH")

Tlvs = tuple[tuple[int, bytes], ...]


class PduError(ValueError):
    """A body that is not as the specification has it; `status` is what the peer is to be told."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


class Field(NamedTuple):
    """One mandatory parameter: a number of one octet, or a text of so many octets with its NUL."""

    name: str
    octets: int = 0  # 0: a number
    status: int = codes.ESME_RINVPARLEN  # what is wrong when the text is too long


class Layout:
    """The mandatory parameters of a body, in order."""

    def __init__(self, *fields: Field) -> None:
        self.fields = fields
        self.pattern = re.compile(self._expression(fields), re.DOTALL)
        self.template = b"".join(b"%b\0" if one.octets else b"%c" for one in fields)

    @staticmethod
    def _expression(fields: Iterable[Field]) -> bytes:
        """A group for each text and one for each row of numbers."""
        parts = [f"([^\\0]{{0,{one.octets - 1}}})\\0" if one.octets else "." for one in fields]
        return re.sub(r"(?<!\])\.+", lambda row: f"({row[0]})", "".join(parts)).encode()

    def read(self, body: bytes) -> re.Match[bytes]:
        """The match of the fields at the start of a body; raises PduError."""
        return self.pattern.match(body) or self._refuse(body)

    def write(self, *values: Any) -> bytes:
        """The octets of the fields; texts are given as octets. Raises PduError."""
        try:
            octets = self.template % values
        except OverflowError:
            raise PduError(codes.ESME_RINVPARLEN, "a number is not between 0 and 255") from None
        found = self.pattern.match(octets)
        if found is None or found.end() != len(octets):
            self._refuse(octets)
        return octets

    def _refuse(self, body: bytes) -> Any:
        place = 0
        for one in self.fields:
            if not one.octets:
                place += 1
                continue
            end = body.find(b"\0", place)
            if end < 0 and len(body) - place < one.octets:
                break
            if not 0 <= end - place < one.octets:
                raise PduError(one.status, f"{one.name} is longer than {one.octets - 1} octets")
            place = end + 1
        raise PduError(codes.ESME_RINVCMDLEN, "the PDU ends within its mandatory parameters")


SOURCE = (
    Field("source_addr_ton"),
    Field("source_addr_npi"),
)
DESTINATION = (
    Field("dest_addr_ton"),
    Field("dest_addr_npi"),
)
BIND = Layout(
    Field("system_id", 16, codes.ESME_RINVSYSID),
    Field("password", 9, codes.ESME_RINVPASWD),
    Field("system_type", 13, codes.ESME_RINVSYSTYP),
    Field("interface_version"),
    Field("addr_ton"),
    Field("addr_npi"),
    Field("address_range", 41),
)
BIND_RESP = Layout(Field("system_id", 16, codes.ESME_RINVSYSID))
SHORT_MESSAGE = Layout(
    Field("service_type", 6, codes.ESME_RINVSERTYP),
    *SOURCE,
    Field("source_addr", 21, codes.ESME_RINVSRCADR),
    *DESTINATION,
    Field("destination_addr", 21, codes.ESME_RINVDSTADR),
    Field("esm_class"),
    Field("protocol_id"),
    Field("priority_flag"),
    Field("schedule_delivery_time", 17, codes.ESME_RINVSCHED),
    Field("validity_period", 17, codes.ESME_RINVEXPIRY),
    Field("registered_delivery"),
    Field("replace_if_present_flag"),
    Field("data_coding"),
    Field("sm_default_msg_id"),
    Field("sm_length"),
)
DATA = Layout(
    Field("service_type", 6, codes.ESME_RINVSERTYP),
    *SOURCE,
    Field("source_addr", 65, codes.ESME_RINVSRCADR),
    *DESTINATION,
    Field("destination_addr", 65, codes.ESME_RINVDSTADR),
    Field("esm_class"),
    Field("registered_delivery"),
    Field("data_coding"),
)


def read_tlvs(body: bytes, place: int) -> Tlvs:
    """The optional parameters from a place to the end of a body; raises PduError."""
    found = []
    end = len(body)
    while place < end:
        if place + 4 > end:
            raise PduError(codes.ESME_RINVOPTPARSTREAM, "octets after the last TLV")
        tag, length = TAG_LENGTH.unpack_from(body, place)
        place += 4
        if place + length > end:
            raise PduError(codes.ESME_RINVOPTPARSTREAM, "a TLV reaches beyond its PDU")
        found.append((tag, body[place : place + length]))
        place += length
    return tuple(found)


def write_tlvs(tlvs: Tlvs) -> bytes:
    """The octets of optional parameters; raises PduError."""
    if any(len(value) > 0xFFFF for _, value in tlvs):
        raise PduError(codes.ESME_RINVPARLEN, "a TLV is longer than 65535 octets")
    return b"".join([TAG_LENGTH.pack(tag, len(value)) + value for tag, value in tlvs])


def tlv(tlvs: Tlvs, tag: int) -> bytes | None:
    """The value of the first optional parameter with a tag."""
    for one, value in tlvs:
        if one == tag:
            return value
    return None


class Bind(NamedTuple):
    """The body of bind_transmitter, bind_receiver and bind_transceiver (section 4.1)."""

    system_id: str
    password: str = ""
    system_type: str = ""
    interface_version: int = 0x34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""

    def __repr__(self) -> str:
        return f"Bind(system_id={self.system_id!r})"

    @classmethod
    def read(cls, body: bytes) -> Self:
        found = BIND.read(body)
        system_id, password, system_type, (version, ton, npi), address_range = found.groups()
        texts = latin(system_id), latin(password), latin(system_type)
        return cls(*texts, version, ton, npi, latin(address_range))

    def write(self) -> bytes:
        return BIND.write(*octets(self))


class BindResp(NamedTuple):
    """The body of a response to a bind; a refusal may have none."""

    system_id: str = ""
    tlvs: Tlvs = ()

    @classmethod
    def read(cls, body: bytes) -> Self:
        if not body:
            return cls()
        found = BIND_RESP.read(body)
        return cls(latin(found[1]), read_tlvs(body, found.end()))

    def write(self) -> bytes:
        return BIND_RESP.write(latin_octets(self.system_id)) + write_tlvs(self.tlvs)


class ShortMessage(NamedTuple):
    """The body of submit_sm and deliver_sm (sections 4.4.1 and 4.6.1)."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = ()

    def __repr__(self) -> str:
        return f"ShortMessage(esm_class={self.esm_class}, data_coding={self.data_coding}, …)"

    @classmethod
    def read(cls, body: bytes) -> Self:
        found = SHORT_MESSAGE.read(body)
        (
            service_type,
            (source_ton, source_npi),
            source,
            (dest_ton, dest_npi),
            destination,
            (esm_class, protocol_id, priority),
            schedule,
            validity,
            (registered, replace, data_coding, default_id, length),
        ) = found.groups()
        start = found.end()
        end = start + length
        if end > len(body):
            raise PduError(codes.ESME_RINVMSGLEN, "sm_length reaches beyond the PDU")
        return cls(
            latin(service_type),
            source_ton,
            source_npi,
            latin(source),
            dest_ton,
            dest_npi,
            latin(destination),
            esm_class,
            protocol_id,
            priority,
            latin(schedule),
            latin(validity),
            registered,
            replace,
            data_coding,
            default_id,
            body[start:end],
            read_tlvs(body, end) if end < len(body) else (),
        )

    def write(self) -> bytes:
        message, tlvs = self.short_message, self.tlvs
        fields = SHORT_MESSAGE.write(*octets(self[:16]), len(message))
        return fields + message + write_tlvs(tlvs) if tlvs else fields + message


class Data(NamedTuple):
    """The body of data_sm (section 4.7.1)."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: Tlvs = ()

    def __repr__(self) -> str:
        return f"Data(esm_class={self.esm_class}, data_coding={self.data_coding}, …)"

    @classmethod
    def read(cls, body: bytes) -> Self:
        found = DATA.read(body)
        service_type, (ton, npi), source, (to_ton, to_npi), destination, rest = found.groups()
        esm_class, registered, data_coding = rest
        return cls(
            latin(service_type),
            ton,
            npi,
            latin(source),
            to_ton,
            to_npi,
            latin(destination),
            esm_class,
            registered,
            data_coding,
            read_tlvs(body, found.end()),
        )

    def write(self) -> bytes:
        return DATA.write(*octets(self[:10])) + write_tlvs(self.tlvs)


def message_of(body: ShortMessage | Data) -> bytes:
    """The octets of a message, wherever they stand: in a field of their own or in a TLV."""
    octets = body.short_message if isinstance(body, ShortMessage) else b""
    return octets or tlv(body.tlvs, codes.MESSAGE_PAYLOAD) or b""


def message_id_of(body: bytes) -> str:
    """The id in a response, also if it lacks its end or odd octets follow; nothing where there is
    none to be read: without it no receipt finds its text."""
    message_id = body.partition(b"\0")[0]
    return latin(message_id) if len(message_id) <= LONGEST_ID else ""


def latin(text: bytes) -> str:
    return str(text, "latin_1")


def latin_octets(text: str) -> bytes:
    try:
        return text.encode("latin_1")
    except UnicodeEncodeError:
        raise PduError(codes.ESME_RINVPARLEN, "a text has characters beyond Latin-1") from None


def octets(values: Sequence[Any]) -> list[Any]:
    """Values as a layout writes them."""
    return [latin_octets(one) if type(one) is str else one for one in values]


def pdu(command_id: int, sequence_number: int, body: bytes = b"", status: int = 0) -> bytes:
    """A whole PDU in octets."""
    return HEADER.pack(16 + len(body), command_id, status, sequence_number) + body
