"""What comes back: replies, and the failure of a call's first request."""

from __future__ import annotations

import KSR

from . import allowed, challenges, kept, mask, ringing, sip
from .attempts import CONTEXT, Attempts
from .bodies import BACK, Bodies
from .endings import cause_told, refused_by
from .gate import Gate
from .kept import Kept
from .reports import Reports
from .route_sets import RouteSets
from .senders import Senders
from .shelf import Shelf
from .strays import Strays
from .unfit import unread
from .ways import Ways

DIALOG_ENDED = 199  # one of a fork's phones rings no more (RFC 6228)
NOT_YET_RINGING = (181, 182, DIALOG_ENDED)
CAUSE = "$avp(cause)"  # of the latest refusal: its status, and the Q.850 cause that it told


class Replies:
    def __init__(
        self,
        keys: mask.Keyring,
        door: Gate,
        bodies: Bodies,
        reports: Reports,
        routes: RouteSets,
        attempts: Attempts,
        shelf: Shelf,
        senders: Senders,
        strays: Strays,
        ways: Ways,
    ) -> None:
        self._strays, self._ways = strays, ways
        self._senders = senders
        self._keys, self._door, self._bodies, self._shelf = keys, door, bodies, shelf
        self._reports, self._routes, self._attempts = reports, routes, attempts

    def pass_on(self, reply: sip.Message) -> bool:
        """Writes what the party that asked gets; False where the reply is nothing to it. Raises
        Refused where it should have got one."""
        text = KSR.pv.get(CONTEXT)
        known = kept.read(text) if text else self._shelf.taken()
        if self._attempts.is_over() or is_surplus(reply, known) or is_given_up(known):
            if known.first and 200 <= reply.status < 300:
                self._strays.answered(reply, known)
            return False
        if known.first and reply.status == DIALOG_ENDED and not reply.first("rseq"):
            return False  # nobody who called has asked for it, and in our words it would ring
        if known.first and 200 <= reply.status < 300:
            check_answer(reply)
        passage = known.passage
        body = self._bodies.of_reply(reply, passage, known.offered)
        token, far = "", None
        if mask.has_contact(reply):
            far = self._senders.answered_leg(passage, reply)
            token = known.seal(self._keys, far)
            known = known.knowing(far, token)
        payload = mask.reply_payload(self._keys, passage, known.asked, reply, body, token, far)
        self._note(reply, known, far)
        self._ways.back(passage.near.trunk, known.asked.vias[0])
        KSR.hdr.append(self._door.header(payload))  # at last: nothing can be refused any more
        return True

    def _note(self, reply: sip.Message, known: Kept, far: mask.Leg | None) -> None:
        if known.first and reply.status < 300:
            self._progressed(reply, known, far)
            return
        if far and not known.first and reply.status >= 200:
            self._reports.moved(known, reply.status, far)
        if reply.status >= 300:
            self._bodies.move_back(known.passage)
        elif reply.status >= 200:
            KSR.pv.unset(BACK)  # whatever comes of what comes again
        if reply.status in challenges.STATUSES:
            challenges.remember(reply)
        if known.first:
            cause = cause_told(", ".join(reply.all("reason")))
            KSR.pv.sets(CAUSE, f"{reply.status} {cause or ''}")

    def _progressed(self, reply: sip.Message, known: Kept, far: mask.Leg | None) -> None:
        event = "Ringing" if reply.status < 200 else "Answered"
        self._attempts.progressed()
        if far:  # of a fork each phone has its own
            self._routes.remember(known.passage.key, far)
        if event in known.reported or reply.status in NOT_YET_RINGING:
            return
        if event == "Answered":
            ringing.end(known.passage.near.reference)
        far = far or self._senders.answered_leg(known.passage, reply)
        answered = far.tag if event == "Answered" else known.answered
        known = known._replace(reported=known.reported + event, answered=answered)
        self._reports.progressed(known, event, reply.status, far, self._attempts.carrier())
        if event == "Answered":
            self._shelf.put(known, far)
        KSR.pv.sets(CONTEXT, known.text())  # at last: before, it is not answered

    def failed(self, request: sip.Message) -> None:
        """A target did not take the call: another one may, or it does not come about."""
        known = kept.read(KSR.pv.get(CONTEXT))
        self._attempts.end()
        over = KSR.tm.t_is_canceled() > 0 or ringing.given_up()
        if not over and self._attempts.failed(known, request):
            return
        reference = known.passage.near.reference
        ended_by, status, ours = outcome(known)
        ringing.end(reference)
        self._ways.back(known.passage.near.trunk, known.asked.vias[0])
        if ours:
            KSR.tm.t_reply(allowed.status(status), allowed.reason(allowed.status(status)))
        self._bodies.end_of(reference)
        carrier = self._attempts.carrier()
        self._reports.ended(reference, ended_by, status, told_cause(status), carrier)


def outcome(known: Kept) -> tuple[str, int, bool]:
    """Of a call that does not come about: who ended it, the status, and whether the caller is to
    be answered by us and not with what the called party said."""
    status = KSR.pv.get("$T_reply_code")
    if KSR.tm.t_is_canceled() > 0:
        return "caller", 487, unread()
    if ringing.given_up():
        return "us", ringing.UNAVAILABLE, True
    if KSR.tm.t_branch_timeout() > 0:
        return ("us", status, unread()) if known.reported else ("carrier", 503, True)
    if status == 487 and ringing.left(known.passage.near.reference):
        return "caller", status, unread()
    return refused_by(status), status, unread()


def check_answer(reply: sip.Message) -> None:
    """Raises Refused for an answer that makes no dialog (RFC 3261 12.1.1): nobody could hang up."""
    if not mask.has_contact(reply) or not reply.address("to").tag:
        raise mask.Refused("an answer without a Contact or a tag")


def is_surplus(reply: sip.Message, known: Kept) -> bool:
    """Whether somebody rings, or answers, for a call that another one has answered."""
    return reply.status < 300 and known.answered not in ("", reply.address("to").tag)


def is_given_up(known: Kept) -> bool:
    """Whether the caller was told that nobody answers, though the phone had not said so yet."""
    unanswered = known.first and not known.answered and ringing.given_up()
    return unanswered and not ringing.rings(known.passage.near.reference)


def told_cause(status: int) -> int | None:
    """The cause that came with this refusal, which need not be the latest of several."""
    refused, _, cause = (KSR.pv.get(CAUSE) or "").partition(" ")
    return int(cause) if cause and refused == str(status) else None
