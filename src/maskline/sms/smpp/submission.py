"""One text on its way to the carrier: what its segments were answered, and what that makes of it.

A text is one thing to the relay, however many PDUs carry it. It has exactly one outcome, and that
only when none of its PDUs is under way any more.
"""

from maskline.sms.port import Accepted, Outcome, Outgoing, Refused, TryLater, Unknown
from maskline.sms.smpp import codes
from maskline.sms.smpp.dialect import Submits

# The carrier has too much to do (it is to be left alone for a moment), or trouble of its own.
CONGESTED = frozenset({codes.ESME_RTHROTTLED, codes.ESME_RMSGQFUL})
TEMPORARY = frozenset({codes.ESME_RSYSERR, codes.ESME_RINVBNDSTS, codes.ESME_RX_T_APPN})
ALONE = TEMPORARY | {codes.ESME_RMSGQFUL}  # what may be about one text alone, or one phone

FIRST_REST, LONGEST_REST = 0.5, 60.0


class Submission:
    """The segments of a text: which are to be sent, which are under way, which were taken."""

    def __init__(self, text: Outgoing, submits: Submits) -> None:
        self.text = text
        self.queued = True  # whether it waits its turn to send; its owner keeps this
        self._submits = submits
        self._to_send = list(range(len(submits.bodies)))
        self._ids: dict[int, str] = {}
        self._under_way = 0
        self._verdict: Refused | Unknown | None = None
        self._trouble = ""
        self._troubles = 0
        self._done = False

    @property
    def parts(self) -> int:
        """How many requests carry the text."""
        return len(self._submits.bodies)

    @property
    def to_send(self) -> int:
        """How many segments are to be sent now."""
        return 0 if self._done or self._verdict else len(self._to_send)

    @property
    def rest(self) -> float:
        """How long what is left should wait, in seconds: the longer, the oftener the carrier had
        trouble with it. How much it has to do holds up all texts and is another's to mind."""
        return min(FIRST_REST * 2.0 ** min(self._troubles - 1, 16), LONGEST_REST)

    def rewrite(self, submits: Submits) -> None:
        """Goes on with the same segments, written anew: of a text that waited less validity is
        left than was told with the first."""
        self._submits = submits

    def next(self) -> tuple[int, bytes]:
        """The next segment to be sent, which is under way from now on."""
        self._under_way += 1
        number = self._to_send.pop(0)
        return number, self._submits.bodies[number]

    def answered(self, number: int, status: int, carrier_id: str, *, busy: bool) -> None:
        """What the carrier said to a segment; `busy`: that it has too much to do."""
        self._under_way -= 1
        if status == codes.ESME_ROK:
            self._ids[number] = carrier_id
        elif busy or status in TEMPORARY:
            self._to_send.insert(0, number)
            self._trouble = codes.status_name(status)
            self._troubles += status in ALONE
        elif not isinstance(self._verdict, Refused):
            self._verdict = Refused(reason="rejected-by-carrier", error=codes.status_name(status))

    def unanswered(self, reason: str) -> None:
        """The carrier said nothing to a segment, and will not."""
        self._under_way -= 1
        self._verdict = self._verdict or Unknown(reason=reason)

    def given_up(self, reason: str) -> None:
        """What was not sent yet will not be sent from here."""
        if self._ids and self._to_send:
            self._verdict = self._verdict or Unknown(reason=reason)
        self._trouble = reason

    def outcome(self, pause: float | None = None) -> Outcome | None:
        """What became of the text, once; None while it is on its way.

        A text of which the carrier has nothing can be sent later as a whole, by whoever wants.
        One that it has a part of goes on from here: the rest waits for its turn.
        """
        if self._done or self._under_way:
            return None
        outcome = self._outcome(pause)
        self._done = outcome is not None
        return outcome

    def _outcome(self, pause: float | None) -> Outcome | None:
        if self._verdict is not None:
            return self._verdict
        if not self._to_send:
            ids = tuple(self._ids[number] for number in range(len(self._submits.bodies)))
            ids = ids if self._submits.receipts else ()
            encoding = self._submits.encoding
            return Accepted(message_ids=ids, segments=self._submits.segments, encoding=encoding)
        if self._trouble and not self._ids:
            return TryLater(after=pause, reason=self._trouble)
        return None
