"""Whatever a carrier may send, in any octets: `python tests/smpp_fuzz.py [options of libFuzzer]`.

Under atheris, which watches the branches of our code and looks for octets that take new ones; a
test plays the same function with random octets. Nothing may be raised, and what comes out must
be fit to be kept.
"""

import sys
from pathlib import Path

from maskline.settings import CarrierSmpp
from maskline.sms.port import InboundText, Receipt
from maskline.sms.smpp import codes
from maskline.sms.smpp.dialect import Dialect
from maskline.sms.smpp.pdu import Bind, BindResp, Data, ShortMessage, pdu
from maskline.sms.smpp.session import Arrived, Session, Timers

DIALECTS = [
    Dialect("a", CarrierSmpp(host="a", system_id="a")),
    Dialect(
        "b",
        CarrierSmpp(
            host="b", system_id="b", default_alphabet="latin1", data_coding_1="gsm",
            receipt_ids="hex_decimal", country_code="44", unknown_ton="national",
        ),
    ),
]  # fmt: skip
BOUND = pdu(codes.BIND_TRANSCEIVER_RESP, 1, BindResp("smsc").write())

TEXTS = {
    InboundText: ("source", "destination", "text"),
    Receipt: ("source", "destination", "message_id", "error"),
}

FROM_ANN = ("", 1, 1, "12065550100", 1, 1, "19135550199")
SEEDS = [
    pdu(codes.DELIVER_SM, 1, ShortMessage(*FROM_ANN, *more).write())
    for more in (
        (0, 0, 0, "", "", 0, 0, 0, 0, b"hello \x1b\x65"),
        (0x40, 0, 0, "", "", 0, 0, 8, 0, bytes.fromhex("050003010201d83d")),
        (0x40, 0, 0, "", "", 0, 0, 0, 0, bytes.fromhex("0a2401012501010804000102") + b"hi"),
        (4, 0, 0, "", "", 0, 0, 0, 0, b"id:7A sub:001 dlvrd:001 stat:DELIVRD err:000 text:x",
         ((0x1E, b"7A\0"), (0x427, b"\2"), (0x423, b"\3\0\1"))),
        (0, 0, 0, "", "", 0, 0, 8, 0, b"", ((0x20C, b"\1\2"), (0x20E, b"\2"), (0x20F, b"\1"),
                                             (0x424, "жー👍".encode("utf_16_be")))),
        (4, 0, 0, "", "", 0, 0, 0, 0, b"id:7\0A stat:DELIVRD err:0\0001", ((0x1E, b"7\0A"),)),
    )
] + [
    pdu(codes.DATA_SM, 2, Data("", 0, 0, "447700900123", 5, 0, "Bank", 4, 0, 0, ()).write()),
    pdu(codes.SUBMIT_SM_RESP, 2, b"id\0"),
    pdu(codes.GENERIC_NACK, 2, b"", 3),
    pdu(codes.ENQUIRE_LINK, 9) + pdu(codes.UNBIND, 10),
]  # fmt: skip


def one_input(octets: bytes) -> None:
    """Plays octets as what a carrier sends after the bind."""
    session = Session(codes.BIND_TRANSCEIVER, Bind("us"), Timers(), 0.0)
    session.start(0.0)
    session.receive(BOUND, 0.0)
    session.submit(codes.SUBMIT_SM, b"", "token", 0.0)
    for event in session.receive(octets, 1.0):
        if isinstance(event, Arrived):
            for dialect in DIALECTS:
                arrived = dialect.arrival(event.body, "c1", 0)
                said = TEXTS[type(arrived)]
                for text in filter(None, (getattr(arrived, name) for name in said)):
                    text.encode()  # no half of a pair
                    assert "\0" not in text
            session.answer(event.command_id, event.sequence_number, 0)
    session.tick(1000.0)
    session.outgoing()


def main() -> None:
    import atheris

    corpus = Path(sys.argv.pop(1))
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[1:]], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
