"""Final replies that cannot be passed on. Whatever a route does with one, tm takes it for the end
of the request, or of an attempt: whoever asked is answered by us, and no call stays half up."""

from __future__ import annotations

import KSR

from . import allowed, kept, ringing, sdp, sip
from .attempts import CONTEXT, Attempts
from .bodies import Bodies
from .kept import Kept
from .reports import Reports
from .strays import Strays
from .ways import Ways

SETTLED = "$avp(settled)"
UNREAD = "$avp(unread)"  # whether a refusal of the call could not be passed on


class Unfit:
    def __init__(
        self, bodies: Bodies, reports: Reports, attempts: Attempts, strays: Strays, ways: Ways
    ) -> None:
        self._bodies, self._reports, self._attempts = bodies, reports, attempts
        self._strays, self._ways = strays, ways

    def settle(self, raw: bytes, error: Exception) -> None:
        """Answers the request whose reply, `raw`, is at hand and could not be passed on, unless it
        was answered before: what is wrong with a repetition, or a fork's reply, ends no call."""
        if KSR.pv.get("$rs") < 200 or self._attempts.is_over() or self.settled():
            return
        asked = request_at_hand()
        known = asked if asked and asked.first else None
        if known and known.answered:
            return
        if known and KSR.pv.get("$rs") >= 300:
            KSR.pv.seti(UNREAD, 1)
            return
        status = 488 if isinstance(error, sdp.Unacceptable) else 500
        KSR.pv.seti(SETTLED, 1)
        if asked:
            self._ways.back(asked.passage.near.trunk, asked.asked.vias[0])
        KSR.tm.t_reply(status, allowed.reason(status))
        if known:
            self._end(known, raw, status)
        elif asked:
            self._bodies.move_back(asked.passage)

    def settled(self) -> bool:
        """Whether the request was answered by us: its reply is only repeated."""
        return bool(KSR.pv.get(SETTLED))

    def repeated(self, raw: bytes) -> None:
        """The reply at hand came again: whoever answered has not heard that there is no call."""
        known = request_at_hand()
        if known and known.first:
            self._dismiss(raw, known)

    def _end(self, known: Kept, raw: bytes, status: int) -> None:
        """The call is over, also for whoever answered it."""
        reference = known.passage.near.reference
        ringing.end(reference)
        self._bodies.end_of(reference)
        self._reports.ended(reference, "us", status, carrier=self._attempts.carrier())
        self._dismiss(raw, known)

    def _dismiss(self, raw: bytes, known: Kept) -> None:
        try:
            reply = sip.parse(raw)
            if 200 <= reply.status < 300:
                self._strays.answered(reply, known)
        except Exception as error:  # nothing of it can be read: there is nobody to be told
            KSR.err(f"not to be hung up: {type(error).__name__}\n")


def unread() -> bool:
    """Whether a refusal of the call at hand could not be passed on: nobody may get it as it is."""
    return bool(KSR.pv.get(UNREAD))


def request_at_hand() -> Kept | None:
    """What is kept of the request of the reply at hand, if anything is."""
    text = KSR.pv.get(CONTEXT)
    return kept.read(text) if text else None
