"""What carriers ask in 401 and 407, kept for as long as its transaction, and what we answer."""

from __future__ import annotations

import json

import KSR

from . import digest, sip
from .settings import Carrier

# Of the latest reply what it asks, by the header of the answer; of all replies what was answered.
CHALLENGES, ANSWERED = "$(avp(challenges)[*])", "$(avp(answered)[*])"
STATUSES = (401, 407)
# How often one request is answered for: to a proxy, to the server behind it (RFC 3261 22.3), and
# once more where a nonce was too old meanwhile. And for how many realms at once.
MOST_ANSWERS, MOST_REALMS = 3, 4


def remember(reply: sip.Message) -> None:
    """Keeps what a reply asks."""
    asked = {
        "Authorization": reply.all("www-authenticate"),
        "Proxy-Authorization": reply.all("proxy-authenticate"),
    }
    KSR.pv.sets(CHALLENGES, json.dumps(asked))


def are_final() -> bool:
    """Whether the failure at hand is a challenge, of which one that was not answered is left."""
    return KSR.pv.get("$T_reply_code") in STATUSES


def trouble(carrier: Carrier) -> str:
    """What is wrong where the last reply's challenges are the last word."""
    asked, account = json.loads(KSR.pv.get(CHALLENGES) or "{}"), carrier.account
    if account is None:
        return "no user name and password are set"
    if not asked:
        return "its challenge cannot be read"
    if any(digest.strongest(challenges, account) for challenges in asked.values()):
        return "the user name or the password is wrong"
    return "its challenge is for another realm, or of a kind that we do not answer"


def authorization(carrier: Carrier, method: str, uri: str) -> list[tuple[str, str]]:
    """The headers that answer the last reply's challenges, and those before, for a request to
    `uri`; none where we cannot: then a password is wrong, or it was asked for too often."""
    status, asked = KSR.pv.get("$T_reply_code"), KSR.pv.get(CHALLENGES)
    account = carrier.account
    if status not in STATUSES or not asked or account is None:
        return []
    times, answered = json.loads(KSR.pv.get(ANSWERED) or "[0, []]")
    held = {(header, realm): (challenge, count) for header, realm, challenge, count in answered}
    news = {
        (header, realm): (challenge, 0)
        for header, challenges in json.loads(asked).items()
        for realm, challenge in digest.strongest(challenges, account).items()
        if (header, realm) not in held or digest.is_stale(challenge)
    }
    if not news or times == MOST_ANSWERS or len(held | news) > MOST_REALMS:
        return []
    answered = [(*key, text, count + 1) for key, (text, count) in (held | news).items()]
    KSR.pv.sets(ANSWERED, json.dumps([times + 1, answered]))
    told = [
        (header, digest.answer([challenge], account, method, uri, count=count))
        for header, _, challenge, count in answered
    ]
    return [(header, credentials) for header, credentials in told if credentials]


def forget() -> None:
    """What was asked by a place that the request goes to no more."""
    KSR.pv.sets(CHALLENGES, "")
    KSR.pv.sets(ANSWERED, "")
