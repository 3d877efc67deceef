"""The settings of a carrier that texts are exchanged with over SMPP 3.4."""

# ruff: noqa: RUF009 - `setting` makes a field, and every default is a frozen value

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maskline.settings.reader import Faults
from maskline.settings.setting import setting
from maskline.settings.values import Secret

Language = Literal[
    "turkish", "spanish", "portuguese", "bengali", "gujarati", "hindi", "kannada", "malayalam",
    "oriya", "punjabi", "tamil", "telugu", "urdu",
]  # fmt: skip

COUNTRY_CODE = re.compile("[1-9][0-9]{0,2}", re.ASCII)
MOST_CHARACTERS = {
    "system_id": 15, "password": 8, "system_type": 12, "address_range": 40, "service_type": 5
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CarrierSmpp:
    """The SMPP binds to a carrier, by which texts come and go. We connect to it as an ESME."""

    host: str = setting(
        "The name or the IP address of the carrier's SMSC.", example="smpp.example.net"
    )
    port: int = setting("Its TCP port.", 2775, least=1, most=65_535)
    tls: bool = setting(
        "Whether to speak TLS (1.2 or newer). The carrier's certificate is always checked: "
        "against the system's authorities or those of tls_ca, and for the name of tls_name.",
        False,
    )
    tls_ca: Path | None = setting(
        "A PEM file with the authorities that the carrier's certificate may come from, instead of "
        "the system's.",
        None,
        example="carrier-ca.pem",
    )
    tls_name: str | None = setting(
        "The name that the carrier's certificate must have, when it is not host.",
        None,
        example="smpp.example.net",
    )
    tls_certificate: Path | None = setting(
        "A PEM file with a certificate to show to the carrier, when it asks for one.",
        None,
        example="smpp-client.pem",
    )
    tls_key: Path | None = setting(
        "A PEM file with the private key of tls_certificate.", None, example="smpp-client.key"
    )
    system_id: str = setting("Who we are to the carrier (system_id).", example="maskline")
    password: Secret | None = setting(
        "Our password, at most 8 characters, as SMPP has it. Rather use password_file.",
        None,
        example="secret",
    )
    password_file: Path | None = setting(
        "A file with our password in its first line, read at start.",
        None,
        example="smpp-password",
    )
    system_type: str | None = setting(
        "What kind of system we are (system_type), when the carrier wants to know.",
        None,
        example="SMPP",
    )
    bind: Literal["transceiver", "transmitter_receiver", "transmitter", "receiver"] = setting(
        "How to bind: as transceiver, one connection for both directions; as transmitter and "
        "receiver, a connection for each; or for one direction only.",
        "transceiver",
    )
    binds: int = setting(
        "How many binds to keep up at once (of each kind, with transmitter_receiver).",
        1,
        least=1,
        most=32,
    )
    window: int = setting(
        "How many messages may wait for the carrier's answer at once, on each bind.",
        10,
        least=1,
        most=1_000,
    )
    max_per_second: int | None = setting(
        "How many messages a second the carrier takes, over all binds of this process; a long "
        "text is several. Left out: as fast as it answers. When it says that it is too much, we "
        "pause, longer each time.",
        None,
        least=1,
        most=10_000,
        example="50",
    )
    source_ton: int = setting(
        "The type of number (source_addr_ton) of our proxy numbers: 1 is international.",
        1,
        least=0,
        most=255,
    )
    source_npi: int = setting(
        "The numbering plan (source_addr_npi) of our proxy numbers: 1 is E.164.",
        1,
        least=0,
        most=255,
    )
    dest_ton: int = setting(
        "The type of number (dest_addr_ton) of those we text.", 1, least=0, most=255
    )
    dest_npi: int = setting(
        "The numbering plan (dest_addr_npi) of those we text.", 1, least=0, most=255
    )
    addr_ton: int = setting(
        "The type of number (addr_ton) of address_range, told when binding.", 0, least=0, most=255
    )
    addr_npi: int = setting(
        "The numbering plan (addr_npi) of address_range, told when binding.", 0, least=0, most=255
    )
    address_range: str | None = setting(
        "Which numbers the carrier is to deliver to this bind (address_range), when it asks.",
        None,
        example="^1913555",
    )
    number_format: Literal["digits", "plus"] = setting(
        "How the carrier wants international numbers: as digits alone, or with a plus before them.",
        "digits",
    )
    country_code: str | None = setting(
        "The country code of numbers that the carrier gives in national form (TON 2).",
        None,
        example="1",
    )
    unknown_ton: Literal["international", "national"] = setting(
        "What numbers of 7 or more digits are that the carrier gives as of unknown type (TON 0): "
        "national needs country_code.",
        "international",
    )
    default_alphabet: Literal["gsm", "latin1", "ascii"] = setting(
        "What the carrier means by data_coding 0: the GSM alphabet (an octet for each character), "
        "ISO 8859-1 or ASCII. Ask it: a wrong alphabet shows itself as wrong accents and signs.",
        "gsm",
    )
    data_coding_1: Literal["ascii", "gsm"] = setting(
        "What the carrier means by data_coding 1 in the texts it delivers: SMPP says ASCII, some "
        "carriers send the GSM alphabet under it.",
        "ascii",
    )
    data_codings: tuple[Literal["default", "latin1", "ucs2"], ...] = setting(
        "What may be sent: default is data_coding 0, latin1 is 3, ucs2 is 8. A text goes in the "
        "one that makes the fewest messages; of equals in the first. Only ucs2 has every "
        "character: without it, texts that the others cannot write are refused.",
        ("default", "ucs2"),
    )
    shift_tables: tuple[Language, ...] = setting(
        "The languages whose national shift tables may be used for texts that the GSM alphabet "
        "cannot write. Only for carriers and phones that are known to read them.",
        (),
    )
    send_by: Literal["submit_sm", "data_sm"] = setting(
        "The operation that texts are sent by. data_sm, in which every text is a message_payload, "
        "only for a carrier that asks for it.",
        "submit_sm",
    )
    long_texts: Literal["udh", "udh16", "sar", "payload"] = setting(
        "How to send a text that is longer than one message: in parts with a user data header "
        "(udh; udh16 with references of 16 bits), in parts with sar TLVs, or whole, in a "
        "message_payload, for the carrier to cut.",
        "udh",
    )
    busy_statuses: tuple[int, ...] = setting(
        "Statuses of the carrier's own (command_status) by which it says that it has too much to "
        "do, as by ESME_RTHROTTLED: it is left alone for a moment, and gets the text again. Any "
        "status that SMPP does not know is a refusal for good.",
        (),
        least=1,
        most=0xFFFFFFFF,
    )
    user_message_reference: bool = setting(
        "Whether to send our reference of each text along (user_message_reference). It helps to "
        "match receipts of texts whose answer was lost; turn it off for a carrier that refuses it.",
        True,
    )
    service_type: str | None = setting(
        "The service_type of what we send, when the carrier wants one.", None, example="CMT"
    )
    registered_delivery: int = setting(
        "Which receipts to ask for (registered_delivery): 1 for all final ones, 2 for failures "
        "only, 17 for intermediate notifications, too, 0 for none. Without receipts nobody knows "
        "whether a text arrived.",
        1,
        least=0,
        most=31,
    )
    receipt_ids: Literal["same", "number", "hex", "hex_decimal", "decimal_hex"] = setting(
        "How the ids in receipts are written, compared to those in the answers to what we sent: "
        "the same; both decimal or both hexadecimal, but for zeros before them and the case of "
        "letters; hexadecimal in the answer and decimal in the receipt, or the other way round. "
        "When no receipt is ever matched, try these.",
        "same",
    )
    validity: Literal["relative", "absolute", "none"] = setting(
        "How to tell the carrier until when to try (validity_period).", "relative"
    )
    enquire_link_seconds: int = setting(
        "After how many seconds of silence the carrier is asked whether it is there.",
        30,
        least=1,
        most=3_600,
    )
    response_seconds: int = setting(
        "How many seconds the carrier may take to answer. A text that is not answered by then may "
        "or may not have been taken: it is sent again, with the same reference.",
        60,
        least=1,
        most=600,
    )
    bind_seconds: int = setting(
        "How many seconds connecting and binding may take.", 30, least=1, most=600
    )
    inactivity_seconds: int = setting(
        "After how many seconds without a single octet a connection is given up.",
        300,
        least=5,
        most=7_200,
    )


def check(smpp: CarrierSmpp, place: str, faults: Faults) -> None:
    """What SMPP allows, and what goes together."""
    check_texts(smpp, place, faults)
    check_tls(smpp, place, faults)
    if smpp.password is not None and smpp.password_file is not None:
        faults.add(f"{place}.password_file", "there is a password, too: which is it?")
    if smpp.unknown_ton == "national" and smpp.country_code is None:
        faults.add(f"{place}.country_code", "missing; unknown_ton = national needs it")
    if smpp.country_code is not None and not COUNTRY_CODE.fullmatch(smpp.country_code):
        faults.add(f"{place}.country_code", f"{smpp.country_code!r} is no country code such as 44")
    if not smpp.data_codings:
        faults.add(f"{place}.data_codings", "names none, so nothing could be sent")
    if smpp.shift_tables and smpp.default_alphabet != "gsm":
        faults.add(f"{place}.shift_tables", "need default_alphabet = gsm")


def check_texts(smpp: CarrierSmpp, place: str, faults: Faults) -> None:
    for name, most in MOST_CHARACTERS.items():
        given = getattr(smpp, name)
        text = given.text if isinstance(given, Secret) else given or ""
        if not text.isascii() or (text and not text.isprintable()):
            faults.add(f"{place}.{name}", "must be of ASCII characters")
        elif len(text) > most:
            faults.add(f"{place}.{name}", f"has more than {most} characters")


def check_tls(smpp: CarrierSmpp, place: str, faults: Faults) -> None:
    faults.check_pair(place, "tls_", smpp.tls_certificate, smpp.tls_key)
    for name in ("tls_ca", "tls_name", "tls_certificate"):
        if getattr(smpp, name) is not None and not smpp.tls:
            faults.add(f"{place}.{name}", "means nothing without tls = true")
