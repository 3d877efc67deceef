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


# What came to a call that rings has cells of its own: the note of the call is written once, so that
# nobody puts it back whom another worker's end of it overtakes.
SINCE, LEFT = "since", "left"


class Ringing(NamedTuple):
    """The first request of a call, and what its legs refer to it by."""

    call_id: str
    number: str
    reference: str


def begin(reference: str, request: sip.Message) -> None:
    """The call whose first request is at hand begins to ring, at somebody's some time."""
    number = request.first("cseq").split()[0]
    RINGING.put(call_of(reference), " ".join(Ringing(KSR.pv.get("$ci"), number, reference)))


def leave(call: str) -> None:
    """The caller says BYE to one that rings (RFC 3261 15), who answers the INVITE with 487 then."""
    RINGING.put(f"{call_of(call)} {LEFT}", "1")


def left(call: str) -> bool:
    """Whether the caller did so."""
    return rings(call) and RINGING.get(f"{call_of(call)} {LEFT}") is not None


def end(call: str) -> None:
    RINGING.drop(call_of(call))


def rings(call: str) -> bool:
    """Whether a call that came to this node is not answered yet. Other nodes cannot be asked: what
    they report comes later than a quick BYE."""
    return RINGING.get(call_of(call)) is not None


def given_up() -> bool:
    """Whether the call of the failure at hand was given up by us."""
    return bool(KSR.isflagset(GIVEN_UP) > 0)


def cancel(call: str) -> bool:
    """Cancels a call: whether it rings. Its caller is answered when the phone has stopped. A
    phone that answers meanwhile has answered: the call goes on until it is hung up."""
    noted = _get(call)
    if noted is None:
        return False
    if RINGING.get(f"{call} {SINCE}") is None:
        RINGING.put(f"{call} {SINCE}", str(int(time.monotonic())))
    if KSR.tmx.t_cancel_callid(noted.call_id, noted.number, GIVEN_UP) < 0:
        end(call)
        return False
    return True


def overdue(call: str) -> bool:
    """Whether a call was cancelled, and the phone does not confirm it."""
    since = RINGING.get(f"{call} {SINCE}")
    return rings(call) and since is not None and int(since) < time.monotonic() - CONFIRM_SECONDS


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


def _get(call: str) -> Ringing | None:
    text = RINGING.get(call)
    return None if text is None else Ringing(*text.split(" "))
