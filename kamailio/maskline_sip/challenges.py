"""What carriers ask in 401 and 407, kept for as long as its transaction, and what we answer."""

from __future__ import annotations

import json

import KSR

from . import digest, sip
from .settings import Carrier

CHALLENGES = "$avp(challenges)"
STATUSES = (401, 407)


def remember(reply: sip.Message) -> None:
    """Keeps what a reply asks."""
    asked = reply.all("www-authenticate") + reply.all("proxy-authenticate")
    KSR.pv.sets(CHALLENGES, json.dumps(asked))


def authorization(carrier: Carrier, method: str, uri: str) -> tuple[str, str] | None:
    """The header that answers the last reply's challenges, for a request to `uri`; None where we
    cannot."""
    status, asked = KSR.pv.get("$T_reply_code"), KSR.pv.get(CHALLENGES)
    if status not in STATUSES or not asked or carrier.account is None:
        return None
    credentials = digest.answer(json.loads(asked), carrier.account, method, uri)
    name = "Authorization" if status == 401 else "Proxy-Authorization"
    return (name, credentials) if credentials else None
