"""Whoever answers a call that is with somebody else: it has gone on meanwhile, or a fork of it was
answered. They believe to be connected until they are told otherwise, by an ACK and a BYE
(RFC 3261 13.2.2.4); the control plane sends those."""

from __future__ import annotations

from . import mask, sip
from .kept import Kept
from .reports import Reports
from .senders import Senders

NOBODYS = ""  # no call goes by this reference: to end such a dialog ends no call


class Strays:
    def __init__(self, senders: Senders, keys: mask.Keyring, reports: Reports) -> None:
        self._senders, self._keys, self._reports = senders, keys, reports

    def answered(self, reply: sip.Message, known: Kept) -> None:
        """The reply at hand is an answer of somebody else than `known` tells of. Who does not tell
        where to reach them cannot be told."""
        if not mask.has_contact(reply):
            return
        key, near, _ = known.passage
        far = self._leg(reply, known.passage)
        token = self._keys.seal(key, far)
        leg = self._reports.leg(key, near, far, token, known.asked.local)
        self._reports.tell("DismissLeg", {"Leg": leg, "SequenceNumber": reply.cseq[0]})

    def _leg(self, reply: sip.Message, passage: mask.Passage) -> mask.Leg:
        """Their leg, by their own words alone: they may have been asked in another carrier's."""
        far, carrier = self._senders.answered_leg(passage, reply), self._senders.carrier()
        return far._replace(
            reference=NOBODYS,
            own=reply.address("to").text,
            peer=reply.address("from").text,
            trunk=carrier.mark if carrier else far.trunk,
            cseq="",
        )
