"""An SMSC for tests: a carrier that speaks SMPP 3.4 by the book, or as badly as it is told to.

It is written for itself, on `struct` alone, so that it cannot share a mistake with what it tests.
It is quick, so that it can drive a soak or a bench from a process of its own.

What it was given by `send` it delivers at least once, as carriers do: a text is repeated until it
is answered, also over another connection, and of two people one after the other. Of what it took
by submit_sm it keeps a record in `taken` and sends a receipt.
"""

import asyncio
import random
import ssl
import struct
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 1, 2, 9
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK, DATA_SM = 4, 5, 6, 0x15, 0x103
ANSWER, NACK = 0x80000000, 0x80000000
OK, ALREADY_BOUND, BAD_PASSWORD, SYSTEM_ERROR = 0, 0x05, 0x0E, 8
FULL, THROTTLED = 0x14, 0x58
AGAIN = {8, 0x14, 0x58, 0x64}  # answers after which a text is delivered again


class Submit(NamedTuple):
    """A submit_sm as it came."""

    message_id: str
    source: str
    destination: str
    esm_class: int
    registered: int
    data_coding: int
    octets: bytes
    tlvs: dict[int, bytes]
    numbers: bytes  # source_addr_ton, source_addr_npi, dest_addr_ton, dest_addr_npi
    validity: str
    system_id: str


@dataclass
class Text:
    """A text to be delivered; `answers` are the statuses it was answered with."""

    source: str
    destination: str
    octets: bytes = b""
    esm_class: int = 0
    data_coding: int = 0
    tlvs: bytes = b""
    ton: int = 1
    command: int = DELIVER_SM
    answers: list[int] = field(default_factory=list)
    deliveries: int = 0


@dataclass
class Manners:
    """How well it behaves; the numbers below 1 are probabilities, for each PDU concerned."""

    system_id: str = "maskline"
    password: str = "secret"
    refuse_bind: int | None = None  # a status
    most_binds: int = 1_000  # at once; those beyond are refused
    window: int = 100  # texts that may wait for an answer on one bind
    throttle: float = 0.0  # submits answered with ESME_RTHROTTLED
    full: float = 0.0  # … ESME_RMSGQFUL
    refuse: float = 0.0  # … refuse_status, for good
    refuse_status: int = 0x0B  # ESME_RINVDSTADR
    nack: float = 0.0  # … generic_nack with ESME_RSYSERR
    silent: float = 0.0  # submits that are taken and not answered
    late: float = 0.0  # … answered after late_seconds
    late_seconds: float = 0.3
    wrong_sequence: float = 0.0  # … answered with another sequence_number
    drop: float = 0.0  # … taken, and then the link is dropped before the answer
    drop_mid_pdu: float = 0.0  # answers and texts of which half is sent before the link is dropped
    duplicate: float = 0.0  # texts delivered once more after they were answered
    receipts: bool = True
    receipt_first: float = 0.0  # receipts that are sent before the answer to the submit
    receipt_state: str = "DELIVRD"
    receipt_form: str = "both"  # text, tlv, both
    receipt_seconds: float = 0.0
    receipt_late: float = 0.0  # receipts that come after late_receipt_seconds
    late_receipt_seconds: float = 4.0
    receipt_lost: float = 0.0  # receipts that never come
    answer_id: Callable[[int], str] = "{:x}".format
    receipt_id: Callable[[int], str] = "{:x}".format
    ignore_enquiries: bool = False
    answers_unbind: bool = True


class Smsc:
    """The carrier. `counts` tells how often what happened."""

    def __init__(self, manners: Manners | None = None, seed: int = 0) -> None:
        self.manners = manners or Manners()
        self.sessions: list[Session] = []
        self.taken: list[Submit] = []
        self.remember = True  # whether `taken` is kept
        self.on_submit: Callable[[Submit], None] | None = None
        self.counts: Counter[str] = Counter()
        self.chance = random.Random(seed)
        self.port = 0
        self._number = 0
        self._server: asyncio.Server | None = None
        self._queues: dict[tuple[str, str], deque[Text]] = defaultdict(deque)
        self._ready: deque[Text] = deque()
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Listens on loopback; begins again on the same port after `stop`."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Session(self), "127.0.0.1", port or self.port, ssl=tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hears nobody any more, and drops all links."""
        assert self._server is not None
        self._server.close()
        self.drop_links()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.sleep(0)

    def drop_links(self) -> None:
        for session in list(self.sessions):
            session.transport.abort()

    # --- what is delivered

    def send(self, text: Text) -> None:
        """Delivers a text as soon as it can be."""
        queue = self._queues[text.source, text.destination]
        queue.append(text)
        self._open += 1
        if len(queue) == 1:
            self.again(text)

    def again(self, text: Text, *, first: bool = False) -> None:
        (self._ready.appendleft if first else self._ready.append)(text)
        for session in self.sessions:
            session.pull()

    @property
    def delivered(self) -> bool:
        """Whether every text was answered for good."""
        return not self._open

    def next_text(self) -> Text | None:
        return self._ready.popleft() if self._ready else None

    def answered(self, text: Text, status: int) -> None:
        text.answers.append(status)
        self.counts[f"answer {status:#x}"] += 1
        if status in AGAIN:
            self.later(0.05, lambda: self.again(text))
            return
        if self.chance.random() < self.manners.duplicate and len(text.answers) < 2:
            self.counts["duplicate"] += 1
            self.again(text)
            return
        queue = self._queues[text.source, text.destination]
        if queue and queue[0] is text:
            queue.popleft()
            self._open -= 1
        if queue:
            self.again(queue[0])
        else:
            self._queues.pop((text.source, text.destination), None)

    def later(self, seconds: float, action: Callable[[], Any]) -> None:
        asyncio.get_running_loop().call_later(seconds, action)

    # --- what is taken

    def new_number(self) -> int:
        self._number += 1
        return self._number

    def take(self, submit: Submit) -> None:
        self.counts["taken"] += 1
        if self.remember:
            self.taken.append(submit)
        if self.on_submit is not None:
            self.on_submit(submit)

    def receipt(self, number: int, submit: Submit) -> Text:
        """The receipt for a submit, in the form and state of our manners."""
        manners = self.manners
        tlvs, words = b"", b""
        if manners.receipt_form != "text":
            answer_id = manners.answer_id(number).encode() + b"\0"
            state = {"DELIVRD": 2, "EXPIRED": 3, "UNDELIV": 5, "REJECTD": 8}[manners.receipt_state]
            tlvs = struct.pack(">HH", 0x1E, len(answer_id)) + answer_id
            tlvs += struct.pack(">HHB", 0x427, 1, state)
        if manners.receipt_form != "tlv":
            words = (
                f"id:{manners.receipt_id(number)} sub:001 dlvrd:001 submit date:2611250812"
                f" done date:2611250813 stat:{manners.receipt_state} err:000 text:"
            ).encode() + submit.octets[:20]
        if 0x204 in submit.tlvs:
            tlvs += struct.pack(">HH", 0x204, 2) + submit.tlvs[0x204]
        return Text(submit.destination, submit.source, words, esm_class=4, tlvs=tlvs)

    def send_receipt(self, number: int, submit: Submit) -> None:
        if not self.manners.receipts or not submit.registered & 1:
            return
        if self.chance.random() < self.manners.receipt_lost:
            self.counts["receipts lost"] += 1
            return
        receipt, seconds = self.receipt(number, submit), self.manners.receipt_seconds
        if self.chance.random() < self.manners.receipt_late:
            self.counts["receipts late"] += 1
            seconds = self.manners.late_receipt_seconds
        if seconds:
            self.later(seconds, lambda: self._ready_receipt(receipt))
        else:
            self._ready_receipt(receipt)

    def _ready_receipt(self, receipt: Text) -> None:
        """A receipt keeps no order: it goes beside the texts."""
        self._open += 1
        receipt.source += "\0"  # a queue of its own; cut off when it is written
        receipt.source += str(id(receipt))
        self._queues[receipt.source, receipt.destination].append(receipt)
        self.again(receipt)


class Session(asyncio.Protocol):
    """One connection of an ESME."""

    def __init__(self, smsc: Smsc) -> None:
        self.smsc = smsc
        self.mode = 0
        self.system_id = ""
        self.dropped = False
        self.waiting: dict[int, Text] = {}
        self._rest = b""
        self._sequence = 0
        self._out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.smsc.sessions.append(self)
        self.smsc.counts["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.dropped = True
        self.smsc.sessions.remove(self)
        for text in reversed(self.waiting.values()):
            self.smsc.again(text, first=True)

    def data_received(self, data: bytes) -> None:
        data, place = self._rest + data, 0
        while len(data) - place >= 16 and not self.dropped:
            length, command, status, sequence = struct.unpack_from(">IIII", data, place)
            if len(data) - place < length:
                break
            self.take(command, status, sequence, data[place + 16 : place + length])
            place += length
        self._rest = data[place:]
        self.pull()
        self.flush()

    def take(self, command: int, status: int, sequence: int, body: bytes) -> None:
        smsc = self.smsc
        if command in (DELIVER_SM | ANSWER, DATA_SM | ANSWER) or command == NACK:
            text = self.waiting.pop(sequence, None)
            if text is None:
                smsc.counts["stray answers"] += 1
            else:
                smsc.answered(text, status)
        elif command in (SUBMIT_SM, DATA_SM):
            self.submitted(command, sequence, body)
        elif command in (BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER):
            self.bind(command, sequence, body)
        elif command == ENQUIRE_LINK:
            smsc.counts["enquiries"] += 1
            if not smsc.manners.ignore_enquiries:
                self.put(command | ANSWER, OK, sequence)
        elif command == UNBIND:
            smsc.counts["unbinds"] += 1
            if smsc.manners.answers_unbind:
                self.put(command | ANSWER, OK, sequence)
                self.flush()
            self.mode = 0
        else:
            smsc.counts[f"command {command:#x} status {status:#x}"] += 1

    def bind(self, command: int, sequence: int, body: bytes) -> None:
        manners = self.smsc.manners
        system_id, password = body.split(b"\0")[:2]
        status = manners.refuse_bind or OK
        if (system_id.decode(), password.decode()) != (manners.system_id, manners.password):
            status = BAD_PASSWORD
        if sum(bool(one.mode) for one in self.smsc.sessions) >= manners.most_binds:
            self.smsc.counts["binds too many"] += 1
            status = ALREADY_BOUND
        self.put(command | ANSWER, status, sequence, b"smsc\0" if status == OK else b"")
        if status == OK:
            self.mode, self.system_id = command, system_id.decode()
            self.smsc.counts["binds"] += 1

    # --- texts to us

    def submitted(self, command: int, sequence: int, body: bytes) -> None:
        smsc, manners, chance = self.smsc, self.smsc.manners, self.smsc.chance.random
        answer = command | ANSWER
        if not self.mode & ~BIND_RECEIVER:
            self.put(answer, 4, sequence)
        elif chance() < manners.throttle:
            smsc.counts["throttled"] += 1
            self.put(answer, THROTTLED, sequence)
        elif chance() < manners.full:
            smsc.counts["full"] += 1
            self.put(answer, FULL, sequence)
        elif chance() < manners.refuse:
            self.put(answer, manners.refuse_status, sequence)
        elif chance() < manners.nack:
            smsc.counts["nack"] += 1
            self.put(NACK, SYSTEM_ERROR, sequence)
        else:
            self.accept(answer, sequence, body)

    def accept(self, answer: int, sequence: int, body: bytes) -> None:
        smsc, manners, chance = self.smsc, self.smsc.manners, self.smsc.chance.random
        number = smsc.new_number()
        message_id = manners.answer_id(number)
        read = data_in if answer == DATA_SM | ANSWER else submit_in
        submit = read(body, message_id, self.system_id)
        smsc.take(submit)
        early = chance() < manners.receipt_first
        if early:
            smsc.send_receipt(number, submit)
        if chance() < manners.drop:
            smsc.counts["dropped"] += 1
            self.abort()
        elif chance() < manners.silent:
            smsc.counts["silent"] += 1
        else:
            if chance() < manners.wrong_sequence:
                sequence += 1_000_000
            reply = message_id.encode() + b"\0"
            if chance() < manners.late:
                smsc.later(manners.late_seconds, lambda: self.put_now(answer, OK, sequence, reply))
            else:
                self.put(answer, OK, sequence, reply)
        if not early:
            smsc.send_receipt(number, submit)

    # --- texts from us

    def pull(self) -> None:
        """Delivers what there is to deliver, as far as the window goes."""
        if self.mode not in (BIND_RECEIVER, BIND_TRANSCEIVER) or self.dropped:
            return
        while len(self.waiting) < self.smsc.manners.window:
            text = self.smsc.next_text()
            if text is None:
                break
            self._sequence += 1
            text.deliveries += 1
            self.waiting[self._sequence] = text
            self.put(text.command, OK, self._sequence, delivery(text))
        if self._out:
            asyncio.get_running_loop().call_soon(self.flush)

    # --- octets

    def put(self, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        octets = struct.pack(">IIII", 16 + len(body), command, status, sequence) + body
        manners = self.smsc.manners
        if manners.drop_mid_pdu and self.smsc.chance.random() < manners.drop_mid_pdu:
            self.smsc.counts["dropped mid PDU"] += 1
            self._out.append(octets[: len(octets) // 2])
            self.flush()
            self.abort(soon=True)
        elif not self.dropped:
            self._out.append(octets)

    def put_now(self, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        self.put(command, status, sequence, body)
        self.flush()

    def send(self, octets: bytes) -> None:
        """Any octets at all."""
        self._out.append(octets)
        self.flush()

    def flush(self) -> None:
        if self._out and not self.transport.is_closing():
            self.transport.write(b"".join(self._out))
        self._out.clear()

    def abort(self, *, soon: bool = False) -> None:
        """Drops the link; `soon` lets go what was written."""
        self.dropped = True
        self._out.clear()
        if soon:
            self.transport.close()
        else:
            self.transport.abort()


def submit_in(body: bytes, message_id: str, system_id: str) -> Submit:
    """A submit_sm's body, read field by field."""
    place = body.index(b"\0") + 1  # service_type
    numbers = body[place : place + 2]
    end = body.index(b"\0", place + 2)
    source = body[place + 2 : end].decode()
    numbers += body[end + 1 : end + 3]
    place = end + 3
    end = body.index(b"\0", place)
    destination = body[place:end].decode()
    esm_class = body[end + 1]
    schedule = body.index(b"\0", end + 4)
    validity = body.index(b"\0", schedule + 1)
    registered, _, data_coding, _, length = body[validity + 1 : validity + 6]
    start = validity + 6
    tlvs = tlvs_in(body, start + length)
    return Submit(
        message_id, source, destination, esm_class, registered, data_coding,
        body[start : start + length], tlvs, numbers, body[schedule + 1 : validity].decode(),
        system_id,
    )  # fmt: skip


def data_in(body: bytes, message_id: str, system_id: str) -> Submit:
    """A data_sm's body: its text and its validity (in seconds) are TLVs."""
    _, rest = body.split(b"\0", 1)
    source, after = rest[2:].split(b"\0", 1)
    destination, last = after[2:].split(b"\0", 1)
    tlvs = tlvs_in(last, 3)
    seconds = str(int.from_bytes(tlvs[0x17], "big")) if 0x17 in tlvs else ""
    return Submit(
        message_id, source.decode(), destination.decode(), last[0], last[1], last[2],
        tlvs.pop(0x424), tlvs, rest[:2] + after[:2], seconds, system_id,
    )  # fmt: skip


def tlvs_in(octets: bytes, place: int) -> dict[int, bytes]:
    tlvs = {}
    while place < len(octets):
        tag, size = struct.unpack_from(">HH", octets, place)
        tlvs[tag] = octets[place + 4 : place + 4 + size]
        place += 4 + size
    return tlvs


def delivery(text: Text) -> bytes:
    """The body of a deliver_sm, or of a data_sm."""
    source, destination = text.source.split("\0")[0].encode(), text.destination.encode()
    addresses = b"\0%c\1%b\0%c\1%b\0" % (text.ton, source, text.ton, destination)
    if text.command == DATA_SM:
        payload = struct.pack(">HH", 0x424, len(text.octets)) + text.octets
        return addresses + bytes((text.esm_class, 0, text.data_coding)) + payload + text.tlvs
    rest = bytes((text.esm_class, 0, 0, 0, 0, 0, 0, text.data_coding, 0, len(text.octets)))
    return addresses + rest + text.octets + text.tlvs
