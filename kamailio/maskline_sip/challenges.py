"""What carriers ask in 401 and 407, kept for as long as its transaction, and what we answer."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import KSR

from . import digest, mask, sip
from .digest import Account
from .settings import Carrier
from .tables import Table

# Of the latest reply what it asks, by the header of the answer; of all replies what was answered,
# with a nonce of ours: one for all, as algorithms of a session want it.
CHALLENGES, ANSWERED = "$(avp(challenges)[*])", "$(avp(answered)[*])"
STATUSES = (401, 407)
# What INVITEs brought, for the ACK of their answers: nobody can ask for that of an ACK.
PROOFS = Table("proofs")
Headers = list[tuple[str, str]]
# How often one request is answered for: to a proxy, to the server behind it (RFC 3261 22.3), and
# once more where a nonce was too old meanwhile. And for how many realms at once.
MOST_ANSWERS, MOST_REALMS = 3, 4


@dataclass(frozen=True)
class Answers:
    """What is answered to challenges: of each the header, itself, and how often it was answered.
    `client` is our nonce."""

    account: Account
    method: str
    uri: str
    client: str
    challenges: Sequence[tuple[str, str, int]]

    def headers(self, body: bytes = b"") -> Headers:
        """The headers of a request with this body."""
        account, method, uri, client = self.account, self.method, self.uri, self.client
        return [
            (header, digest.answer(challenge, account, method, uri, body, client, count))
            for header, challenge, count in self.challenges
        ]


def remember(reply: sip.Message) -> None:
    """Keeps what a reply asks."""
    asked = {
        "Authorization": reply.all("www-authenticate"),
        "Proxy-Authorization": reply.all("proxy-authenticate"),
    }
    KSR.pv.sets(CHALLENGES, json.dumps(asked))


def are_final() -> bool:
    """Whether the failure at hand is a challenge: the end, if it is not answered."""
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


def authorization(carrier: Carrier, method: str, uri: str) -> Answers | None:
    """What answers the last reply's challenges, and those before, for a request to `uri`; None
    where we cannot: then a password is wrong, or it was asked for too often."""
    asked, account = KSR.pv.get(CHALLENGES), carrier.account
    if not are_final() or not asked or account is None:
        return None
    times, client, answered = json.loads(KSR.pv.get(ANSWERED) or '[0, "", []]')
    held = {(header, realm): (challenge, count) for header, realm, challenge, count in answered}
    news = {
        (header, realm): (challenge, 0)
        for header, challenges in json.loads(asked).items()
        for realm, challenge in digest.strongest(challenges, account).items()
        if (header, realm) not in held or digest.is_stale(challenge)
    }
    if not news or times == MOST_ANSWERS or len(held | news) > MOST_REALMS:
        return None
    client = client or secrets.token_hex(8)
    answered = [(*key, text, count + 1) for key, (text, count) in (held | news).items()]
    KSR.pv.sets(ANSWERED, json.dumps([times + 1, client, answered]))
    told = [(header, challenge, count) for header, _, challenge, count in answered]
    return Answers(account, method, uri, client, told)


class Proofs:
    """An ACK brings what the INVITE brought that it acknowledges (RFC 3261 22.1)."""

    def __init__(self, keys: mask.Keyring) -> None:
        self._keys = keys

    def keep(self, passage: mask.Passage, invite: sip.Message, headers: Headers) -> None:
        PROOFS.put(self._name(passage, invite), json.dumps(headers))

    def of_ack(self, passage: mask.Passage, ack: sip.Message) -> Headers:
        """None where the INVITE brought nothing, or too long ago."""
        found = PROOFS.get(self._name(passage, ack))
        return [(name, value) for name, value in json.loads(found)] if found else []

    def _name(self, passage: mask.Passage, request: sip.Message) -> str:
        """By the number that the far party sees, and by its carrier: another one, to which the call
        has gone on with the same numbers, may have asked for nothing."""
        far, number = passage.far, request.cseq[0] + int(passage.far.cseq or 0)
        return self._keys.alias(passage.key, "proof", far.call_id, far.trunk, str(number))


def forget() -> None:
    """What was asked by a place that the request goes to no more."""
    KSR.pv.sets(CHALLENGES, "")
    KSR.pv.sets(ANSWERED, "")
