"""Calls that nobody has answered yet, by the id that the control plane knows them by, so that it
can give them up.

Kamailio finds the transaction of a call's first request by the Call-ID that the entrance gave it
and the number of its CSeq, in whatever worker the request for it comes.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import KSR

from . import allowed, sip
from .engines import call_of
from .tables import Table

RINGING = Table("ringing")
GIVEN_UP = 7  # Kamailio's flag on the transaction of a call that we gave up
UNAVAILABLE = 480  # what its caller is told
CONFIRM_SECONDS = 5  # within which whoever was called should confirm that it rings no more


class Ringing(NamedTuple):
    """The first request of a call, what its legs refer to it by, when we gave the call up, in
    seconds since the epoch, 0 where we did not; and 1 where the caller hung up by a BYE."""

    call_id: str
    number: str
    reference: str
    since: int = 0
    left: int = 0


def begin(reference: str, request: sip.Message) -> None:
    """The call whose first request is at hand begins to ring, at somebody's some time."""
    number = request.first("cseq").split()[0]
    _put(call_of(reference), Ringing(KSR.pv.get("$ci"), number, reference))


def leave(call: str) -> None:
    """The caller says BYE to one that rings (RFC 3261 15), who answers the INVITE with 487 then."""
    noted = _get(call_of(call))
    if noted is not None:
        _put(call_of(call), noted._replace(left=1))


def left(call: str) -> bool:
    """Whether the caller did so."""
    noted = _get(call_of(call))
    return noted is not None and noted.left > 0


def end(call: str) -> None:
    RINGING.drop(call_of(call))


def rings(call: str) -> bool:
    return RINGING.get(call) is not None


def given_up() -> bool:
    """Whether the call of the failure at hand was given up by us."""
    return bool(KSR.isflagset(GIVEN_UP) > 0)


def cancel(call: str) -> bool:
    """Cancels a call: whether it rings. Its caller is answered when the phone has stopped. A
    phone that answers meanwhile has answered: the call goes on until it is hung up."""
    noted = _get(call)
    if noted is None:
        return False
    if not noted.since:  # first: when the phone has stopped, another worker takes the note away
        _put(call, noted._replace(since=int(time.time())))
    if KSR.tmx.t_cancel_callid(noted.call_id, noted.number, GIVEN_UP) < 0:
        end(call)
        return False
    return True


def overdue(call: str) -> bool:
    """Whether a call was cancelled, and the phone does not confirm it."""
    noted = _get(call)
    return noted is not None and 0 < noted.since < time.time() - CONFIRM_SECONDS


def refuse(call: str) -> str:
    """Answers the caller of an overdue call: what its legs refer to it by, or nothing where it is
    over. The call's transaction is the current one then."""
    noted = _get(call)
    if noted is None:
        return ""
    end(call)
    reason = allowed.reason(UNAVAILABLE)
    done = KSR.tmx.t_reply_callid(noted.call_id, noted.number, UNAVAILABLE, reason)
    return noted.reference if done > 0 else ""


def _put(call: str, noted: Ringing) -> None:
    RINGING.put(call, " ".join(map(str, noted)))


def _get(call: str) -> Ringing | None:
    text = RINGING.get(call)
    if text is None:
        return None
    call_id, number, reference, since, left = text.split(" ")
    return Ringing(call_id, number, reference, int(since), int(left))
