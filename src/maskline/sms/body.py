"""What a text says, sealed: so a copy of the database tells nobody. And what is made of it."""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from maskline.clock import MINUTE
from maskline.sms.port import InboundText, Media, Outgoing
from maskline.store import Row
from maskline.store.secrets import Cipher, NotSealed


class Body(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The words of a text and what comes with them."""

    text: str
    media: tuple[Media, ...] = ()


# What `unseal` raises for what was not sealed here, or is not there at all.
UNREADABLE = (NotSealed, msgspec.DecodeError, ValueError, TypeError)

LEAST_VALIDITY = MINUTE  # that a session's last moment leaves: what carriers take, a phone's try

ENCODER = msgspec.json.Encoder()
DECODER = msgspec.json.Decoder(Body)


def seal(cipher: Cipher, body: Body, message_id: str) -> str:
    """A body sealed for the text with that id."""
    sealed = cipher.seal(ENCODER.encode(body).decode(), message_id)
    return base64.b64encode(sealed).decode()


def unseal(cipher: Cipher, sealed: str, message_id: str) -> Body:
    """The body; raises one of UNREADABLE."""
    return DECODER.decode(cipher.unseal(base64.b64decode(sealed), message_id))


def fingerprint(cipher: Cipher, text: InboundText) -> str:
    """The same for the same words between the same numbers, and of no use without the key."""
    part = text.part and (text.part.reference, text.part.number, text.part.total)
    said = ENCODER.encode((text.source, text.destination, part, text.text, text.media))
    # Of the empty text, the seal is a keyed hash of what it is sealed for (RFC 5297 section 2.6).
    return "hash:" + cipher.seal("", said.decode()).hex()


def repeat_key(cipher: Cipher, text: InboundText) -> str | None:
    """By what a repetition of the text is known; None where there is nothing to know it by."""
    if text.message_id is not None:
        return f"id:{text.message_id}"
    return fingerprint(cipher, text) if text.connection or text.part else None


def outgoing(
    record: Row | Mapping[str, Any], body: Body, session_ends_at: int | None, now: int
) -> Outgoing:
    """A text for its carrier's link. Its carrier is to give it up when its session ends, if it has
    one: then its number may come to mean somebody else to its reader."""
    expires_at = record["expires_at"]
    if session_ends_at is not None:
        expires_at = min(expires_at, max(session_ends_at, now + LEAST_VALIDITY))
    return Outgoing(
        message_id=record["message_id"],
        reference=reference_of(record["message_id"]),
        source=record["shown"],
        destination=record["recipient"],
        text=body.text,
        media=body.media,
        expires_at=expires_at,
    )


def reference_of(message_id: str) -> int:
    """The 16 bits that a text is known by to carriers: no secret, and always the same."""
    return int(message_id[-4:], 16)
