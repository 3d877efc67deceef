"""Texts over SIP: MESSAGE (RFC 3428), in and out through Kamailio, which masks them as it does
calls. SIP has no receipts that carriers send, so a text's last state is "accepted".
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import structlog

from maskline import clock
from maskline.domain.message import Encoding
from maskline.sms.patience import patiently
from maskline.sms.port import (
    Accepted,
    InboundText,
    Inbox,
    LinkHealth,
    Outcome,
    Outgoing,
    Refused,
    Taker,
    TryLater,
    Unknown,
)
from maskline.sms.text.pieces import octets_of, pieces
from maskline.sms.trouble import Trouble
from maskline.sms.window import Window
from maskline.store import StoreFailed

BUSY_SECONDS = 5
# A message over UDP should fit one packet (RFC 3428 section 8): with our headers 1,300 bytes.
MOST_BYTES_UDP, MOST_BYTES = 800, 20_000
AT_ONCE = 16
REST_SECONDS, LONGEST_REST = 1.0, 60.0
LONGEST_WAIT = 3_600.0  # of a text, whatever the trunk says: as over HTTP

log = structlog.get_logger()


# -- in


async def accept(inbox: Taker, request: Mapping[str, Any]) -> dict[str, Any]:
    """Keeps the text of an AcceptMessage request; the answer to it, which is the sender's, too."""
    text = InboundText(
        carrier=request["CarrierName"],
        source=international(request["Caller"]),
        destination=international(request["Called"]),
        text=request["Text"],
        encoding=Encoding.UTF8,
        received_at=clock.now(),
        message_id=request["MessageId"],
        sent_at=request.get("SentTimestamp"),
    )
    try:
        (verdict,) = await inbox.take([text])
    except StoreFailed:
        return {"SipStatus": 503, "RetryAfter": BUSY_SECONDS}
    match verdict:
        case TryLater():
            return {"SipStatus": 503, "RetryAfter": max(1, round(verdict.after or BUSY_SECONDS))}
        case Refused():
            return {"SipStatus": verdict.sip_status}
        case _:
            return {"SipStatus": 202}


def international(number: str) -> str:
    """Trunks give international numbers with their plus or without; others are left as they are."""
    plain = number.isascii() and number.isdigit() and not number.startswith("0")
    return f"+{number}" if plain and len(number) >= 8 else number


# -- out


class Answer(Protocol):
    """What became of a MESSAGE."""

    @property
    def status(self) -> int: ...

    @property
    def retry_after(self) -> float | None: ...


# Proxy number, number, Call-ID, content; None when nobody answered.
Send = Callable[[str, str, str, bytes], Awaitable[Answer | None]]


class SipLink:
    """Sends by `send` while `up` says that somebody is there. `packets`: over UDP."""

    def __init__(self, carrier: str, send: Send, up: Callable[[], bool], *, packets: bool) -> None:
        self._carrier = carrier
        self._send = send
        self._up = up
        self._most_bytes = MOST_BYTES_UDP if packets else MOST_BYTES
        self._window = Window(carrier, AT_ONCE, self._outcome, self._ready)
        self._paused_until = 0.0
        self._trouble = Trouble(carrier)

    @property
    def carrier(self) -> str:
        return self._carrier

    @property
    def room(self) -> int:
        resting = time.monotonic() < self._paused_until
        return 0 if resting or not self._up() else self._window.room

    @property
    def health(self) -> LinkHealth:
        return LinkHealth(up=self._up() and not self._trouble.why, detail=self._trouble.why)

    @property
    def connections(self) -> Mapping[str, int]:
        """None: every text that comes in has an id."""
        return {}

    async def run(self, inbox: Inbox) -> None:
        async with self._window.open(inbox):
            was_up = False
            while True:  # the engine tells nobody that it is up again
                if self._up() and not was_up:
                    inbox.ready()
                was_up = self._up()
                await asyncio.sleep(1)

    def submit(self, texts: Sequence[Outgoing]) -> None:
        self._window.submit(texts)

    def recall(self, message_ids: Collection[str]) -> None:
        self._window.recall(message_ids)

    async def drain(self) -> None:
        await self._window.drain()

    async def _outcome(self, text: Outgoing) -> Outcome:
        parts = split(text.in_words, self._most_bytes)
        is_wanted = partial(self._window.wants, text.message_id)
        for place, part in enumerate(parts):
            send = partial(self._sent, text, place, part)
            outcome = await (patiently(send, is_wanted) if place else send())
            if not isinstance(outcome, Accepted):
                return outcome
        return Accepted(message_ids=(), segments=len(parts), encoding=Encoding.UTF8)

    async def _sent(self, text: Outgoing, place: int, piece: bytes) -> Outcome:
        name = call_id(text.message_id, place)
        answer = await self._send(text.source, text.destination, name, piece)
        outcome = outcome_of(answer)
        if isinstance(outcome, Accepted):
            self._trouble.over()
        else:
            self._rest(answer, outcome.reason)
        return outcome

    def _rest(self, answer: Answer | None, why: str) -> None:
        """A trunk that is silent or says 5xx gets a moment's peace; other refusals are about one
        number or one text."""
        if answer is not None and answer.status != 408 and not 500 <= answer.status < 513:
            self._trouble.over()
            return
        self._trouble.seen(why)
        wait = min((answer and answer.retry_after) or REST_SECONDS, LONGEST_REST)
        self._paused_until = time.monotonic() + wait
        asyncio.get_running_loop().call_later(wait, self._ready)

    def _ready(self) -> None:
        if self.room:
            self._window.ready()


def outcome_of(answer: Answer | None) -> Outcome:
    """What a final reply says of the text."""
    if answer is None or answer.status == 408:
        return Unknown(reason="no-answer")
    status = answer.status
    if 200 <= status < 300:
        return Accepted(message_ids=())
    if status in (404, 410, 484, 604):
        return Refused(reason="bad-destination", error=str(status))
    if status in (413, 415, 488, 513):
        return Refused(reason="bad-content", error=str(status))
    if status in (480, 486, 491) or 500 <= status < 600:
        wait = answer.retry_after
        return TryLater(after=wait and min(wait, LONGEST_WAIT), reason=f"sip-{status}")
    return Refused(reason="rejected-by-carrier", error=str(status))


def call_id(message_id: str, place: int) -> str:
    """The same each time that a text is sent again, so that a phone which got it shows it once."""
    return hashlib.blake2b(f"{message_id}/{place}".encode(), digest_size=16).hexdigest()


def split(text: str, most_bytes: int) -> list[bytes]:
    """Pieces of UTF-8."""
    return [piece.encode() for piece in pieces(text, most_bytes, octets_of)]
