"""Between the links and the relay: what a link hands in, what it is handed, what it answers.

A *link* speaks a carrier's protocol (SMPP, HTTP, SIP MESSAGE) and knows nothing of sessions. The
relay knows sessions and no protocol. They meet in the values and the two protocols of this file.

Inward: a link gathers what one read of its socket brought, calls `Inbox.take` once for all of it,
and answers its carrier by the verdicts. `take` returns after the commit; only then may a link
acknowledge. If it raises, nothing was kept: the answer is the carrier's "try later".

Outward: the relay calls `Link.submit` with at most `Link.room` texts. It never waits there. The
link gives exactly one outcome for each of them, later, to `Inbox.settle`, again as many at once as
one read of its socket brought. Of two people only one text is ever under way at a time in one
direction, so a link need not keep an order.

Everything comes in batches, because a commit costs the same for one text as for fifty. The values
are msgspec structs: frozen, and made in a fraction of a dataclass's time.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from maskline.domain.health import of_carrier
from maskline.domain.message import Encoding, Reported

MOST_MEDIA = 10  # with one text; carriers take no more
ALL = 1_000_000  # more characters than any text has


class Part(Struct, frozen=True, gc=False):
    """Which part of a long text this is (GSM 03.40 section 9.2.3.24.1): `number` of `total`.

    `reference` is the sender's, of 8 or 16 bits; parts belong together when source, destination,
    reference and total agree. A link hands parts in one by one, as they come; the relay joins them.
    """

    reference: int
    number: int  # from 1
    total: int


class Media(Struct, frozen=True, gc=False):
    """A picture or the like. In an `InboundText` its URL is the provider's, in an `Outgoing` ours:
    a link that takes media in has put its own masked, expiring URL here before `take`."""

    url: str
    content_type: str


class InboundText(Struct, frozen=True, kw_only=True, gc=False):
    """A text, or one part of it, as a carrier delivered it.

    `source` and `destination` are E.164 with its `+` where the carrier says that they are
    international numbers (TON 1, or by its settings), else as they came: a short code, a name. The
    relay decides about those.

    `message_id` is the carrier's own id, if it gives one, and makes a repetition known.
    `connection` names the connection (bind) it came by, anew after each reconnect: a carrier that
    gives no ids repeats over another connection what it got no answer for over one that broke. See
    `Link.connections`.

    `received_at` is in milliseconds since the epoch. A text that cannot be decoded, or that is no
    text, has the encoding BINARY and the text "": it is recorded as refused. `notice` is what its
    reader is told beside the words: that something stayed behind. `to_group` says that it went to
    others, too. `sent_at` is when the carrier got it, where it says: it may bring it hours later.
    """

    carrier: str
    source: str
    destination: str
    text: str
    encoding: Encoding
    received_at: int
    message_id: str | None = None
    connection: str = ""
    part: Part | None = None
    media: tuple[Media, ...] = ()
    notice: str = ""
    to_group: bool = False
    sent_at: int | None = None

    @property
    def told(self) -> str:
        """What its reader is told. The sender wrote the `text` alone, which may be a keyword."""
        return "\n".join(filter(None, (self.text, self.notice)))


class Receipt(Struct, frozen=True, kw_only=True, gc=False):
    """What a carrier says has become of a text it took; it may come before the answer to submit.

    `message_id` is the carrier's, as `Accepted` gave it: a link brings both into one form where the
    carrier writes one in hexadecimal and the other in decimal. `error` is the carrier's code, as it
    came. `at` is when it happened, or came, in milliseconds since the epoch. `source` and
    `destination` are those of the text (so they are swapped in the PDU), `reference` what
    `Outgoing.reference` was (user_message_reference), where the carrier says them: they find the
    text whose answer was lost with the connection. It speaks for all of a text that takes no more
    room than `whole_up_to` (see `text.pieces.room_of`): that goes in one request, however many
    segments it has.
    """

    carrier: str
    message_id: str
    state: Reported
    at: int
    error: str | None = None
    source: str | None = None
    destination: str | None = None
    reference: int | None = None
    whole_up_to: int = 0


class Outgoing(Struct, frozen=True, kw_only=True, gc=False):
    """A text for a carrier to take.

    `message_id` is ours and stays the same when the text is sent again (an idempotency key where
    the carrier has such), as does `reference` (16 bits): it goes into user_message_reference and
    is the reference of the parts, so that a phone which gets a part twice shows it once.
    `expires_at`, in milliseconds since the epoch, is when the carrier should give up: no later than
    its session ends, as far as that is known now.
    """

    message_id: str
    reference: int
    source: str  # the proxy number, E.164 with +
    destination: str  # E.164 with +
    text: str
    expires_at: int
    media: tuple[Media, ...] = ()

    @property
    def in_words(self) -> str:
        """The text for a carrier that takes nothing but text: links stand in it, a line each."""
        return self.words_beside(0)

    def words_beside(self, pictures: int) -> str:
        """The text that goes with the first so many pictures: links to the others stand in it."""
        return "\n".join(filter(None, (self.text, *(each.url for each in self.media[pictures:]))))


class Accepted(Struct, frozen=True, kw_only=True):
    """Taken. Of a submit: by the carrier under these ids, by which its receipts will speak.

    `segments` says how many the carrier sends; one id may stand for several of them. An empty id
    is none. Without any, there will be no receipts: nothing more will be heard of the text.
    """

    message_ids: tuple[str, ...]
    segments: int = 1
    encoding: Encoding | None = None


class TryLater(Struct, frozen=True, kw_only=True):
    """Nothing was taken, now; again after so many seconds (None: as whoever tries thinks fit)."""

    after: float | None = None
    reason: str = "busy"


class Refused(Struct, frozen=True, kw_only=True):
    """Never. `reason` is a word of ours (`rejected-by-carrier`, …), `error` the carrier's code.

    A verdict of Refused is in the records (in the log, where it cannot be recorded), so a link
    acknowledges it, unless its protocol can tell the sender that the text goes nowhere (SIP: by
    `sip_status`).
    """

    reason: str
    error: str | None = None
    sip_status: int = 403


class Unknown(Struct, frozen=True, kw_only=True):
    """The text, or a part of it, went to the carrier and no answer came: it may have been taken."""

    reason: str


Arrival = InboundText | Receipt
# Accepted holds our id of the text, once; it says nothing about a receipt or an early part.
Verdict = Accepted | TryLater | Refused
Outcome = Accepted | TryLater | Refused | Unknown


class Taker(Protocol):
    """Where texts are handed in that came by no link: over HTTP, over SIP."""

    async def take(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        """Keeps what arrived, all in one commit; a verdict for each, in order.

        Raises StoreFailed when nothing of it could be kept.
        """


class Inbox(Taker, Protocol):
    """What the relay is to a link."""

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> None:
        """What became of submitted texts, by our message ids. Returns at once."""

    def ready(self) -> None:
        """Some link has more room than before (it came up, a pause is over). Returns at once."""


class LinkHealth(Struct, frozen=True, kw_only=True):
    """How a link is, for `/health` and the operator. `detail` holds no secret and no number."""

    up: bool
    detail: str = ""

    @property
    def state(self) -> str:
        """`up`, or `away` and why."""
        return of_carrier(self.up, self.detail)


class Link(Protocol):
    """All of one carrier's connections for texts, in this process."""

    @property
    def carrier(self) -> str: ...

    @property
    def room(self) -> int:
        """How many more texts it would submit at once: windows, rates, pauses; 0 when down."""

    @property
    def health(self) -> LinkHealth: ...

    @property
    def connections(self) -> Mapping[str, int]:
        """The names of the connections that are open now, as `InboundText.connection` has them.

        Each comes with a `received_at`: the carrier surely has our answers to all texts until then.

        None where the carrier gives each text an id.
        """

    async def run(self, inbox: Inbox) -> None:
        """Keeps the connections up until cancelled; then every text under way gets its outcome."""

    def submit(self, texts: Sequence[Outgoing]) -> None:
        """Sends texts, at most `room`; see above."""

    def recall(self, message_ids: Collection[str]) -> None:
        """Begins to send nothing more of these, whose readers are to get no more: of a long text
        the rest may wait here. Each has its outcome all the same. Others' are passed over."""

    async def drain(self) -> None:
        """Takes nothing in any more, and returns when nothing is under way."""
