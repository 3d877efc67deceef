"""Final replies that cannot be passed on. Whatever a route does with one, tm takes it for the end
of the request: whoever asked is answered by us, and no call stays half up."""

from __future__ import annotations

import KSR

from . import allowed, kept, ringing, sdp, sip
from .attempts import CONTEXT, Attempts
from .bodies import Bodies
from .kept import Kept
from .reports import Reports
from .senders import Senders

SETTLED = "$avp(settled)"


class Unfit:
    def __init__(
        self, bodies: Bodies, reports: Reports, attempts: Attempts, senders: Senders
    ) -> None:
        self._bodies, self._reports, self._attempts = bodies, reports, attempts
        self._senders = senders

    def settle(self, raw: bytes, error: Exception) -> None:
        """Answers the request whose reply, `raw`, is at hand and could not be passed on."""
        if KSR.pv.get("$rs") < 200 or self._attempts.is_over():
            return
        status = 488 if isinstance(error, sdp.Unacceptable) else 500
        KSR.pv.seti(SETTLED, 1)
        KSR.tm.t_reply(status, allowed.reason(status))
        text = KSR.pv.get(CONTEXT)
        known = kept.read(text) if text else None
        if known and known.first:
            self._end(known, raw, status)

    def settled(self) -> bool:
        """Whether the request was answered by us: its reply is only repeated."""
        return bool(KSR.pv.get(SETTLED))

    def _end(self, known: Kept, raw: bytes, status: int) -> None:
        """The call is over. Whoever answered it believes that it begins: it is reported to be up,
        and the control plane, which finds no sound of it, hangs up."""
        reference = known.passage.near.reference
        ringing.end(reference)
        self._bodies.media.delete(reference)
        carrier = self._attempts.carrier()
        try:
            reply = sip.parse(raw)
            if reply.status < 300:
                far = self._senders.answered_leg(known.passage, reply)
                self._reports.progressed(known, "Answered", reply.status, far, carrier)
                return
        except Exception as error:  # nothing of it can be read: there is nobody to be hung up
            KSR.err(f"not to be hung up: {type(error).__name__}\n")
        self._reports.ended(reference, "us", status, carrier=carrier)
