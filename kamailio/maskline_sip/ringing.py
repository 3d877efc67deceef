"""Calls that nobody has answered yet, by the id that the control plane knows them by, so that it
can give them up.

Kamailio finds the transaction of a call's first request by the Call-ID that the entrance gave it
and the number of its CSeq, in whatever worker the request for it comes.
"""

from __future__ import annotations

import time

import KSR

from . import allowed, sip
from .engines import call_of

TABLE = "ringing"
GIVEN_UP = 7  # Kamailio's flag on the transaction of a call that we gave up
UNAVAILABLE = 480  # what its caller is told
CONFIRM_SECONDS = 5  # within which whoever was called should confirm that it rings no more


def begin(call: str, request: sip.Message) -> None:
    """The call whose first request is at hand begins to ring, at somebody's some time."""
    number = request.first("cseq").split()[0]
    KSR.htable.sht_sets(TABLE, call, f"{KSR.pv.get('$ci')} {number}")


def end(call: str) -> None:
    KSR.htable.sht_rm(TABLE, call_of(call))


def rings(call: str) -> bool:
    return KSR.htable.sht_get(TABLE, call) is not None


def given_up() -> bool:
    """Whether the call of the failure at hand was given up by us."""
    return bool(KSR.isflagset(GIVEN_UP) > 0)


def cancel(call: str) -> bool:
    """Cancels a call: whether it rings. Its caller is answered when the phone has stopped. A
    phone that answers meanwhile has answered: the call goes on until it is hung up."""
    noted = KSR.htable.sht_get(TABLE, call)
    if noted is None:
        return False
    call_id, number, *since = noted.split(" ")
    if KSR.tmx.t_cancel_callid(call_id, number, GIVEN_UP) < 0:
        return False
    if not since:
        KSR.htable.sht_sets(TABLE, call, f"{call_id} {number} {time.time():.0f}")
    return True


def overdue(call: str) -> bool:
    """Whether a call was cancelled, and the phone does not confirm it."""
    noted = KSR.htable.sht_get(TABLE, call)
    since = noted.split(" ")[2:] if noted else []
    return bool(since) and time.time() - float(since[0]) > CONFIRM_SECONDS


def refuse(call: str) -> bool:
    """Answers the caller of an overdue call. The call's transaction is the current one then."""
    call_id, number, *_ = KSR.htable.sht_get(TABLE, call).split(" ")
    end(call)
    reason = allowed.reason(UNAVAILABLE)
    return bool(KSR.tmx.t_reply_callid(call_id, number, UNAVAILABLE, reason) > 0)
