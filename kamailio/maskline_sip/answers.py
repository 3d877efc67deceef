"""Answers of our own to the request at hand, without a transaction."""

from __future__ import annotations

from typing import Any

import KSR

from . import allowed, mask, sdp, sip
from .media import MediaDown
from .switch import SwitchDown
from .ways import NoWay

# To a 503 it says that we take nothing at all for so long (RFC 3261 21.5.4). Who goes by it keeps
# all calls back, so it comes with none that is for one call's sake.
RETRY = "Retry-After: 5"


def answer(status: int, *headers: str) -> None:
    for header in headers:
        KSR.hdr.append_to_reply(header + "\r\n")
    KSR.sl.send_reply(status, allowed.reason(status))


def later(verdict: dict[str, Any]) -> list[str]:
    """The header that tells when to try again, if the control plane says so."""
    seconds = verdict.get("RetryAfter")
    return [f"Retry-After: {seconds}"] if seconds else []


def status_of(error: Exception) -> int:
    """What whoever made a request is answered that failed."""
    if isinstance(error, sdp.Unacceptable):
        return 488
    if isinstance(error, sip.Malformed | mask.Refused):
        return 400
    return 503 if isinstance(error, SwitchDown | MediaDown | NoWay) else 500


def when_to_retry(error: Exception) -> list[str]:
    """The header that goes with it: where the fault is this node's, and not one call's."""
    return [RETRY] if isinstance(error, SwitchDown | MediaDown) else []
