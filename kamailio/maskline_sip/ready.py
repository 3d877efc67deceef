"""Requests that are written in advance. Pure.

When a call is answered, all is known of the ACK and of the BYE of either party but their number. So
they are written then, and Kamailio sends them without asking the script (`route[READY]` in its
configuration): a call of Python between two messages costs more than all the rest of a relay.
"""

from __future__ import annotations

import binascii
import hashlib
from dataclasses import dataclass

from . import mask

LONGEST = 2000  # each stays in memory for a quarter of an hour, if its BYE goes by another node


@dataclass(frozen=True)
class Way:
    """How the requests of one party reach the other one, in Kamailio's words: where their sender
    is, our socket, the next hop, and how many calls the media engine has of this one."""

    sender: str
    socket: str
    hop: str
    halves: int


def name_of(token: str, call_id: str, sender_tag: str, receiver_tag: str) -> str:
    """What a request within a dialog is found by. Who does not know the dialog cannot make it:
    the token and the receiver's tag are ours."""
    return hashlib.sha256(f"{token} {call_id} {sender_tag} {receiver_tag}".encode()).hexdigest()


def name(keys: mask.Keyring, passage: mask.Passage, token: str) -> str:
    """The same for the requests that cross by this passage; `token` is the far leg, sealed."""
    key, near, far = passage
    return name_of(token, near.call_id, near.tag, keys.alias(key, "tag", far.call_id, far.tag))


def text(keys: mask.Keyring, passage: mask.Passage, way: Way, other: str) -> str | None:
    """What Kamailio needs to know, with spaces between; `other` names the requests of the other
    party. None when it is too long."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in mask.later_headers(keys, passage))
    told = (
        other, way.sender, way.socket, way.hop, mask.request_uri(passage.far),
        passage.near.reference, passage.near.side, str(way.halves),
        binascii.b2a_base64(lines.encode("latin-1"), newline=False).decode(),
    )  # fmt: skip
    joined = " ".join(told)
    return joined if len(joined) < LONGEST else None
