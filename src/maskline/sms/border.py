"""What carriers say, made fit to be kept: they may send any octets, and stores do not take all."""

import hashlib
from typing import TypeVar

import msgspec

from maskline.sms.port import Accepted, Arrival, Outcome, Receipt, Refused

T = TypeVar("T", bound=msgspec.Struct)

# Ids stand in indexes, which take no long ones. SMPP's have at most 64 characters.
LONGEST = {"message_id": 200, "source": 64, "destination": 64, "error": 100, "reason": 100}
SURELY_SHORT = min(LONGEST.values())
SHOWN = frozenset({"source", "destination", "error", "reason"})  # in lists, on terminals


def storable(text: str) -> str:
    """The text without what no database and no other carrier takes: zeros, halves of characters
    (JSON can spell both)."""
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def visible(text: str) -> str:
    """The text with a sign for each character that nobody sees: anybody may text under a name that
    tells a terminal what to do."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def fit_arrival(arrival: Arrival) -> Arrival:
    """The same, if it is fit as nearly all are, else one that is."""
    named = f"{arrival.message_id}{arrival.source}{arrival.destination}"
    if isinstance(arrival, Receipt):
        if arrival.error is None and surely_fit(named):
            return arrival
        return fit(arrival, "message_id", "source", "destination", "error")
    if not arrival.media and surely_fit(named) and surely_storable(arrival.text):
        return arrival
    text = fit(arrival, "message_id", "source", "destination", "text")
    if not text.media:
        return text
    media = tuple(fit(each, "url", "content_type") for each in text.media)
    return msgspec.structs.replace(text, media=media)


def fit_outcome(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Accepted):
        if surely_fit("".join(outcome.message_ids)):
            return outcome
        ids = tuple(fit_text("message_id", each) for each in outcome.message_ids)
        same = ids == outcome.message_ids
        return outcome if same else msgspec.structs.replace(outcome, message_ids=ids)
    return fit(outcome, "reason", "error") if isinstance(outcome, Refused) else outcome


def surely_fit(text: str) -> bool:
    """Looked at first, since it takes least time."""
    return len(text) <= SURELY_SHORT and text.isascii() and text.isprintable()


def surely_storable(text: str) -> bool:
    return text.isascii() and "\0" not in text


def fit(value: T, *names: str) -> T:
    """The value with what is not fit in the members of those names made so."""
    changes = {}
    for name in names:
        text = getattr(value, name)
        if text and (fitting := fit_text(name, text)) != text:
            changes[name] = fitting
    return msgspec.structs.replace(value, **changes) if changes else value


def fit_text(name: str, text: str) -> str:
    text = text if surely_storable(text) else storable(text)
    if name in SHOWN and not text.isprintable():
        text = visible(text)
    longest = LONGEST.get(name)
    if longest is None or len(text) <= longest:
        return text
    if name == "message_id":  # two long ones may begin alike
        return "hash:" + digest(text)
    return text[:longest]


def digest(text: str) -> str:
    """The same for the same text, whatever is in it, and short."""
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
