"""PDUs to octets and back, against another's codec and against every limit."""

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st

from maskline.sms.smpp import codes
from maskline.sms.smpp.pdu import (
    HEADER,
    Bind,
    BindResp,
    Data,
    PduError,
    ShortMessage,
    pdu,
    tlv,
)

BYTE = st.integers(0, 255)
TLVS = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=300)), max_size=4).map(tuple)


def text(most: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=most)


SHORT_MESSAGES = st.builds(
    ShortMessage, text(5), BYTE, BYTE, text(20), BYTE, BYTE, text(20), BYTE, BYTE, BYTE, text(16),
    text(16), BYTE, BYTE, BYTE, BYTE, st.binary(max_size=254), TLVS,
)  # fmt: skip
BODIES = {
    ShortMessage: SHORT_MESSAGES,
    Data: st.builds(
        Data, text(5), BYTE, BYTE, text(64), BYTE, BYTE, text(64), BYTE, BYTE, BYTE, TLVS
    ),
    Bind: st.builds(Bind, text(15), text(8), text(12), BYTE, BYTE, BYTE, text(40)),
    BindResp: st.builds(BindResp, text(15), TLVS),
}
KINDS = list(BODIES)
ASCII = st.text("0123456789+ABCabc", max_size=20)


def outcome(kind: type[Data], octets: bytes) -> Data | int:
    """The body that octets are, or the status that they are refused with, which has a name."""
    try:
        return kind.read(octets)
    except PduError as error:
        if error.status not in codes.STATUS_NAMES:
            raise
        return error.status


@given(st.sampled_from(KINDS).flatmap(lambda kind: BODIES[kind]))
def test_what_is_written_is_read(body: Data) -> None:
    assert type(body).read(body.write()) == body


@given(st.sampled_from(KINDS).flatmap(lambda kind: BODIES[kind]), st.data())
def test_a_cut_body_is_refused_or_another(body: Data, data: st.DataObject) -> None:
    """Cut anywhere it is an error with a status, unless it is whole without what was cut off."""
    octets = body.write()
    cut = octets[: data.draw(st.integers(0, max(len(octets) - 1, 0)))]
    read = outcome(type(body), cut)
    assert isinstance(read, int) or read.write() == cut or not cut


@given(st.sampled_from(KINDS), st.binary(max_size=400))
def test_any_octets_are_read_or_refused(kind: type[Data], octets: bytes) -> None:
    read = outcome(kind, octets)
    assert isinstance(read, int) or octets.startswith(read.write()) or not octets


MESSAGE_FIELDS = [name for name in ShortMessage._fields if name != "tlvs"]


@given(SHORT_MESSAGES, st.sampled_from([smpp34.SubmitSm, smpp34.DeliverSm]))
def test_another_reads_what_we_write(ours: ShortMessage, kind: type[smpp34.SubmitSm]) -> None:
    ours = ours._replace(
        **{one: v.encode("ascii", "replace").decode() for one, v in ours._asdict().items()
           if isinstance(v, str)}
    )  # fmt: skip
    command_id = codes.SUBMIT_SM if kind is smpp34.SubmitSm else codes.DELIVER_SM
    theirs = smpp34.decode(pdu(command_id, 7, ours.write()))
    assert isinstance(theirs, kind)
    assert {name: getattr(theirs, name) for name in MESSAGE_FIELDS} == {
        name: getattr(ours, name) for name in MESSAGE_FIELDS
    }
    assert [(one.tag, one.value) for one in theirs.tlvs] == list(ours.tlvs)


@given(ASCII, ASCII, st.binary(max_size=254), BYTE, BYTE, TLVS)
def test_we_read_what_another_writes(
    source: str, destination: str, message: bytes, esm_class: int, coding: int, tlvs: tuple
) -> None:
    theirs = smpp34.DeliverSm(
        source, destination, message, esm_class=esm_class, data_coding=coding, source_addr_ton=1,
        tlvs=[smpp34.Tlv(tag, value) for tag, value in tlvs], sequence_number=9,
    )  # fmt: skip
    octets = theirs.encode()
    assert HEADER.unpack_from(octets) == (len(octets), codes.DELIVER_SM, 0, 9)
    ours = ShortMessage.read(octets[16:])
    assert ours == ShortMessage(
        source_addr_ton=1, source_addr=source, destination_addr=destination, esm_class=esm_class,
        data_coding=coding, short_message=message, tlvs=tlvs,
    )  # fmt: skip


WHOLE = ShortMessage("abcde", 1, 1, "1" * 20, 1, 1, "2" * 20, short_message=b"hi")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"service_type": "abcdef"}, codes.ESME_RINVSERTYP),
        ({"source_addr": "1" * 21}, codes.ESME_RINVSRCADR),
        ({"destination_addr": "1" * 21}, codes.ESME_RINVDSTADR),
        ({"schedule_delivery_time": "1" * 17}, codes.ESME_RINVSCHED),
        ({"validity_period": "1" * 17}, codes.ESME_RINVEXPIRY),
        ({"source_addr": "жжж"}, codes.ESME_RINVPARLEN),
        ({"esm_class": 256}, codes.ESME_RINVPARLEN),
        ({"esm_class": -1}, codes.ESME_RINVPARLEN),
        ({"short_message": b"a" * 256}, codes.ESME_RINVPARLEN),
        ({"tlvs": ((0x424, b"a" * 65536),)}, codes.ESME_RINVPARLEN),
    ],
)
def test_what_is_too_much_is_not_written(change: dict, status: int) -> None:
    with pytest.raises(PduError) as error:
        WHOLE._replace(**change).write()
    assert error.value.status == status


@pytest.mark.parametrize("field", ["source_addr", "destination_addr", "service_type"])
def test_no_value_ends_its_field_early(field: str) -> None:
    """Else whoever names a sender could write the fields after it."""
    for value in ("1\0", "\0", "a\0b", "\0\x01"):
        with pytest.raises(PduError):
            WHOLE._replace(**{field: value}).write()


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"", codes.ESME_RINVCMDLEN),
        (b"a" * 7, codes.ESME_RINVSERTYP),
        (b"\0\1\1" + b"1" * 30, codes.ESME_RINVSRCADR),
        (b"\0\1\1" + b"1\0\1\1" + b"2" * 21 + b"\0", codes.ESME_RINVDSTADR),
        (WHOLE.write()[:-1], codes.ESME_RINVMSGLEN),
        (WHOLE.write()[:30], codes.ESME_RINVCMDLEN),
        (WHOLE.write() + b"\x04\x24", codes.ESME_RINVOPTPARSTREAM),
        (WHOLE.write() + b"\x04\x24\x00\x02a", codes.ESME_RINVOPTPARSTREAM),
    ],
)
def test_what_the_peer_is_told(octets: bytes, status: int) -> None:
    with pytest.raises(PduError) as error:
        ShortMessage.read(octets)
    assert error.value.status == status


def test_responses_may_be_empty() -> None:
    assert BindResp.read(b"") == BindResp()


def test_tlvs_keep_their_order_and_their_doubles() -> None:
    body = WHOLE._replace(tlvs=((0x1401, b"x"), (0x424, b"a"), (0x424, b"b"), (0x1401, b"")))
    read = ShortMessage.read(body.write())
    assert read.tlvs == body.tlvs
    assert tlv(read.tlvs, 0x424) == b"a"
    assert tlv(read.tlvs, 0x425) is None


def test_nothing_private_is_shown() -> None:
    shown = repr((WHOLE, Bind("us", "secret"), Data(source_addr="111", tlvs=())))
    assert "secret" not in shown
    assert "111" not in shown
    assert "hi'" not in shown


def test_statuses_have_names() -> None:
    assert codes.status_name(0x58) == "ESME_RTHROTTLED"
    assert codes.status_name(0x400) == "0x00000400"
