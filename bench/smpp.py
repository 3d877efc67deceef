"""What the SMPP of a relayed text costs, without sockets and store.

Usage: python bench/smpp.py

A relayed text is a deliver_sm with its answer, a submit_sm with its answer, and a receipt with its
answer. Beside ours stands smpp34, whose codec is compiled (Rust), where it does the same.
"""

import time
import timeit
from collections.abc import Callable

import smpp34
from report import Report

from maskline.settings import CarrierSmpp
from maskline.sms.port import Outgoing
from maskline.sms.smpp import codes
from maskline.sms.smpp.dialect import Dialect
from maskline.sms.smpp.pdu import Bind, BindResp, ShortMessage, message_id_of, pdu
from maskline.sms.smpp.session import Session, Timers

ROUNDS, TIMES = 30, 2_000
WORDS = b"Hello, your driver is here in 5 minutes. Please come down to the entrance."
ADDRESSES = ("", 1, 1, "12065550100", 1, 1, "19135550199")
TEXT = ShortMessage(*ADDRESSES, short_message=WORDS)
RECEIPT = ShortMessage(
    *ADDRESSES,
    esm_class=4,
    short_message=b"id:7A sub:001 dlvrd:001 submit date:2611250812 done date:2611250813 "
    b"stat:DELIVRD err:000 text:Hello, your driver i",
    tlvs=((codes.RECEIPTED_MESSAGE_ID, b"7A\0"), (codes.MESSAGE_STATE, b"\2")),
)
OUTGOING = Outgoing(
    message_id="m1", reference=7, source="+19135550199", destination="+12065550100",
    text=WORDS.decode(), expires_at=1_800_000_000_000,
)  # fmt: skip

Steps = dict[str, Callable[[], object]]


def microseconds(step: Callable[[], object]) -> float:
    """The least time a step took: what is more than that came from elsewhere."""
    rounds = timeit.repeat(step, number=TIMES, repeat=ROUNDS, timer=time.process_time)
    return min(rounds) / TIMES * 1e6


def session_steps() -> Steps:
    session = Session(codes.BIND_TRANSCEIVER, Bind("us"), Timers(), 0.0)
    session.start(0.0)
    answer = pdu(codes.BIND_TRANSCEIVER_RESP, 1, BindResp("smsc").write())
    session.receive(answer, 0.0)
    session.outgoing()
    arriving = pdu(codes.DELIVER_SM, 1, TEXT.write())
    body = TEXT.write()
    number = [1]

    def arrive() -> None:
        session.receive(arriving, 1.0)
        session.answer(codes.DELIVER_SM, 1, 0)
        session.outgoing()

    def submit() -> None:
        session.submit(codes.SUBMIT_SM, body, None, 1.0)
        session.outgoing()
        number[0] += 1
        session.receive(pdu(codes.SUBMIT_SM_RESP, number[0], b"7A\0"), 1.0)

    return {
        "session: deliver_sm in, answer out": arrive,
        "session: submit_sm out, answer in": submit,
    }


def main() -> None:
    dialect = Dialect("acme", CarrierSmpp(host="smsc", system_id="us"))
    text, receipt, answer = TEXT.write(), RECEIPT.write(), b"7A\0"
    whole = pdu(codes.DELIVER_SM, 1, text)
    deliver = smpp34.DeliverSm("12065550100", "19135550199", WORDS)
    ours: Steps = {
        "codec: read deliver_sm": lambda: ShortMessage.read(text),
        "codec: read a receipt": lambda: ShortMessage.read(receipt),
        "codec: read submit_sm_resp": lambda: message_id_of(answer),
        "codec: write submit_sm": TEXT.write,
        **session_steps(),
        "text from deliver_sm": lambda: dialect.arrival(TEXT, "c1", 0),
        "receipt from deliver_sm": lambda: dialect.arrival(RECEIPT, "c1", 0),
        "submit_sm from text": lambda: dialect.submits(OUTGOING, 1_799_999_000_000),
    }
    theirs: Steps = {
        "codec: read deliver_sm": lambda: smpp34.decode(whole).short_message,
        "codec: write submit_sm": deliver.encode,
    }
    costs = {name: microseconds(step) for name, step in ours.items()}
    arrive, submit = (costs[name] for name in session_steps())
    total = 2 * arrive + submit + sum(
        costs[name] for name in ("text from deliver_sm", "receipt from deliver_sm",
                                 "submit_sm from text")
    )  # fmt: skip
    rows = [
        (name, f"{cost:.1f}", f"{microseconds(theirs[name]):.1f}" if name in theirs else "")
        for name, cost in costs.items()
    ]
    rows.append(("a relayed text, all of it", f"{total:.1f}", ""))
    Report().table(("Step, µs of CPU", "ours", "smpp34"), rows)


if __name__ == "__main__":
    main()
