"""Delivery receipts in the forms that carriers send: as TLVs, as text, as both (appendix B).

Whether a message is a receipt is said by esm_class, or by TLVs that only receipts have; never by
the text alone, which anybody can write.
"""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from maskline.domain.message import Reported
from maskline.sms.smpp import codes
from maskline.sms.smpp.pdu import Data, ShortMessage, message_of, tlv

IdForm = Literal["same", "number", "hex", "hex_decimal", "decimal_hex"]

KEY = re.compile(
    r"(?:^|[\s,;|])(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat(?:us)?|err(?:or)?|te?xt)"
    r"\s*[:=]",
    re.IGNORECASE,
)
# message_state (section 5.2.28); 0 and 9 are of version 5.
STATES = {
    0: Reported.ENROUTE,  # scheduled
    1: Reported.ENROUTE,
    2: Reported.DELIVERED,
    3: Reported.EXPIRED,
    4: Reported.DELETED,
    5: Reported.UNDELIVERABLE,
    6: Reported.ACCEPTED,
    7: Reported.UNKNOWN,
    8: Reported.REJECTED,
    9: Reported.UNDELIVERABLE,  # skipped
}
# The states as texts begin, whole or cut to seven letters; the last are of carriers' own making.
WORDS = {
    "ENROU": Reported.ENROUTE,
    "DELIV": Reported.DELIVERED,
    "EXPIR": Reported.EXPIRED,
    "DELET": Reported.DELETED,
    "UNDEL": Reported.UNDELIVERABLE,
    "ACCEP": Reported.ACCEPTED,
    "UNKNO": Reported.UNKNOWN,
    "REJEC": Reported.REJECTED,
    "FAILE": Reported.UNDELIVERABLE,
    "SKIPP": Reported.UNDELIVERABLE,
    "BUFFE": Reported.ENROUTE,
    "SCHED": Reported.ENROUTE,
    "QUEUE": Reported.ENROUTE,
}
LONGEST_ERROR = 32
NO_ERROR = re.compile("0*")


class Report(NamedTuple):
    """What a receipt says. `from_tlv`: the id is in the form that answers have, not receipts."""

    message_id: str
    state: Reported
    error: str | None
    from_tlv: bool = False


def report_of(body: ShortMessage | Data) -> Report | None:
    """What a message reports; None when it is no receipt."""
    kind = body.esm_class & codes.ESM_TYPE
    if not kind and not body.tlvs:
        return None
    found_id = tlv(body.tlvs, codes.RECEIPTED_MESSAGE_ID)
    found_state = tlv(body.tlvs, codes.MESSAGE_STATE)
    certain = kind & (codes.ESM_RECEIPT | codes.ESM_INTERMEDIATE) or (found_id and found_state)
    if not certain and kind != codes.ESM_DELIVERY_ACKNOWLEDGEMENT:
        return None
    fields = fields_of(text_of(body))
    if not certain and not ("id" in fields and "stat" in fields):
        return None  # an acknowledgement that a person wrote
    # A C-octet string (section 3.1) ends with its first zero.
    message_id = found_id.partition(b"\0")[0].decode("latin_1").strip() if found_id else ""
    in_text = fields.get("id", "")
    return Report(
        message_id or in_text,
        state_of(found_state, fields.get("stat", ""), kind),
        error_of(tlv(body.tlvs, codes.NETWORK_ERROR_CODE), fields.get("err", "")),
        # Some carriers put into the TLV what they put into the text, in its form.
        from_tlv=bool(message_id) and message_id != in_text,
    )


def text_of(body: ShortMessage | Data) -> str:
    text = message_of(body).decode("utf_16_be" if body.data_coding == 8 else "latin_1", "replace")
    return text.replace("\0", "")


def fields_of(text: str) -> dict[str, str]:
    """The first word of each field of a receipt's text, by its short name.

    What stands after `text:` was written by a person, who may have written fields, too.
    """
    keys = list(KEY.finditer(text))
    found: dict[str, str] = {}
    ends = [*(key.start() for key in keys[1:]), len(text)]
    for key, end in zip(keys, ends, strict=False):
        name = key[1].lower()
        if name in ("text", "txt"):
            break
        words = text[key.end() : end].split()
        short = {"status": "stat", "error": "err"}.get(name, name)
        found.setdefault(short, words[0].rstrip(",;|") if words else "")
    return found


def state_of(value: bytes | None, word: str, kind: int) -> Reported:
    """The state by TLV, else by text; of a notification that names none, that it is on its way."""
    number = value[0] if value else int(word) if word.isascii() and word.isdigit() else None
    if number is not None:
        return STATES.get(number, Reported.UNKNOWN)
    silent = Reported.ENROUTE if kind & codes.ESM_INTERMEDIATE else Reported.UNKNOWN
    return WORDS.get(word[:5].upper(), silent)


def error_of(value: bytes | None, word: str) -> str | None:
    """The carrier's code as it wrote it; None where it says that there is no error."""
    if not NO_ERROR.fullmatch(word):
        return word[:LONGEST_ERROR]
    if value and len(value) == 3 and value[1:] != b"\0\0":
        return str(int.from_bytes(value[1:], "big"))
    return None


def plain(message_id: str) -> str:
    return message_id


def decimal(message_id: str) -> str:
    """A decimal number in the form that ids are compared in; what is none stays as it is."""
    return str(int(message_id)) if message_id.isascii() and message_id.isdigit() else message_id


def hexadecimal(message_id: str) -> str:
    try:
        return str(int(message_id, 16))
    except ValueError:
        return message_id


# How ids are written in answers and in receipts, by the setting `receipt_ids`.
ID_FORMS: dict[IdForm, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "same": (plain, plain),
    "number": (decimal, decimal),
    "hex": (hexadecimal, hexadecimal),
    "hex_decimal": (hexadecimal, decimal),
    "decimal_hex": (decimal, hexadecimal),
}
