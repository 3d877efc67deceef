"""Reliable provisional replies (RFC 3262), and what of them whoever passes on their PRACK must
know. What another node saw is not known here."""

from __future__ import annotations

from typing import NamedTuple

from . import allowed, mask, sip
from .tables import Table

RELIABLE = Table("reliable")


class Told(NamedTuple):
    """How far the number of the INVITE was ahead on the leg of whoever replied to it, as in
    `mask.Leg`, and whether the reply offered something, which the PRACK answers then."""

    cseq: str
    offers: bool


def note(keys: mask.Keyring, passage: mask.Passage, reply: sip.Message, *, offers: bool) -> None:
    """Keeps this of a reply to an INVITE which crossed by `passage`, if it is a reliable one."""
    number = reply.first("rseq")
    if number and reply.status < 200:
        invite = reply.cseq[0] - int(passage.far.cseq or 0)
        name = _name(keys, passage, reply.address("to").tag, number, invite)
        RELIABLE.put(name, f"{passage.far.cseq} {offers:d}")


def told(keys: mask.Keyring, passage: mask.Passage, prack: sip.Message) -> Told | None:
    """What is known of the reply that a PRACK names."""
    named = allowed.rack(prack)
    found = RELIABLE.get(_name(keys, passage, passage.far.tag, *named)) if named else None
    if found is None:
        return None
    cseq, offers = found.split(" ")
    return Told(cseq, offers == "1")


def _name(keys: mask.Keyring, passage: mask.Passage, tag: str, number: str, invite: int) -> str:
    """`tag` is of whoever replied, `number` the reply's, `invite` that of the INVITE as it came."""
    return keys.alias(passage.key, passage.far.call_id, tag, number, str(invite))
