"""Requests within a call: whose call that is, where they lead, and the end that a BYE makes."""

from __future__ import annotations

import time

import KSR

from . import allowed, firsts, kept, mask, ringing, sip
from .answers import RETRY
from .balancers import Source
from .bodies import Bodies
from .gate import Gate
from .kept import Kept
from .media import MediaDown
from .refuse import Refuse
from .relay import Relay
from .reports import Reports
from .route_sets import ENDED, RINGING, Known, RouteSets
from .senders import Senders
from .settings import CONTROL
from .shelf import Shelf
from .strays import NOBODYS
from .switch import SwitchDown
from .ways import NoWay, Ways

READY = "$avp(ready)"
REPORT_SECONDS = 0.2  # in which all nodes can know of an answer
# For which a party may say nothing to what changes a call: who is told 408 before hangs up (RFC
# 3261 12.2.1.2, 17.1.2.2), though the other one may only be out of reach for a moment. A hang-up
# ends the call in any case.
PATIENCE = 32_000  # milliseconds
LONGEST_READY = 6000  # what Kamailio's own language appends must fit its buffer for text


class Dialogs:
    def __init__(
        self,
        node: str,
        keys: mask.Keyring,
        door: Gate,
        bodies: Bodies,
        relay: Relay,
        reports: Reports,
        route_sets: RouteSets,
        senders: Senders,
        shelf: Shelf,
        ways: Ways,
    ) -> None:
        self._node = node
        self._keys, self._door, self._bodies, self._relay = keys, door, bodies, relay
        self._reports, self._route_sets, self._senders = reports, route_sets, senders
        self._shelf, self._ways = shelf, ways

    def take(self, request: sip.Message, origin: str, source: Source) -> None:
        """Passes a request of `origin` on to the other party. Raises Refuse, and NoWay for the
        control plane, which then tries again later. A party might hang up at a 503, or avoid us
        (RFC 3261 12.2.1.2, 21.5.4), though the other party alone is out of reach."""
        try:
            self._take(request, origin, source)
        except (NoWay, MediaDown) as error:
            if origin == CONTROL:
                raise
            KSR.err(f"answered 500: {type(error).__name__} {error}\n")
            raise Refuse(500, RETRY) from None

    def _take(self, request: sip.Message, origin: str, source: Source) -> None:
        if KSR.tm.t_check_trans() >= 0:
            return  # a retransmission, or the ACK of a failure: the transaction has it
        method = request.method
        passage = mask.dialog_passage(self._keys, request)
        if passage is None:
            if method == "ACK":
                return
            raise Refuse(481)
        if method != "ACK" and KSR.tm.t_newtran() < 1:
            return  # it came again while another worker asks what to do with it
        if method not in allowed.METHODS:
            raise Refuse(405)
        firsts.check(request)
        if method == "ACK":  # its number is its INVITE's, which the token tells
            if not (request.body and self._is_no_party(passage)):
                self._relay.send(request, passage, self._bodies.of_request(request, passage))
            return
        call = None if origin == CONTROL else self._call_of(method, passage)
        if method in mask.CONTACT_METHODS:
            near = self._completed(passage, call)
            flow = self._senders.way_back(source, mask.next_hop(near))
            passage = passage._replace(near=near._replace(flow=flow))
        passage = self._relay.counted(passage)
        body = self._bodies.of_request(request, passage)
        known = kept.of(passage, request, self._ways.received_at(request))
        if method == "BYE":
            self._hang_up(request, known, origin, self._rings(passage.near.reference, call))
        else:
            KSR.tm.t_set_fr(0, PATIENCE)
            self._relay.send(request, passage, body, known)

    def _call_of(self, method: str, passage: mask.Passage) -> Known | None:
        """What is known of the call that a request is of, if it may still be made."""
        reference = passage.near.reference
        call = self._route_sets.known_of(reference)
        bye = method == "BYE"
        if bye and self._rings(reference, call) and not self._is_own(reference):
            time.sleep(REPORT_SECONDS)  # it may have been answered a moment ago
            call = self._route_sets.known_of(reference)
        # Who is called may not end what they have not answered (RFC 3261 15).
        early = bye and passage.near.side == mask.CALLED and self._rings(reference, call)
        over = call is not None and call.state == ENDED and not bye
        if early or over or belongs_elsewhere(passage, call):
            raise Refuse(481)
        return call

    def _is_no_party(self, passage: mask.Passage) -> bool:
        """Whether a description would move the sound of a call to somebody who was asked to take it
        and has not: nobody can refuse an ACK. Who has it, and is not known yet, sends it again with
        the next repetition of the answer."""
        if passage.near.side == mask.CALLER:
            return False
        reference = passage.near.reference
        call = self._route_sets.known_of(reference)
        return self._rings(reference, call) or belongs_elsewhere(passage, call)

    def _rings(self, reference: str, call: Known | None) -> bool:
        """Whether a call is not answered yet: of one that came to another node its record tells."""
        if self._is_own(reference):
            return ringing.rings(reference)
        return call is not None and call.state == RINGING

    def _is_own(self, reference: str) -> bool:
        """Whether a call came to this node."""
        return reference.startswith(self._node)

    def _completed(self, passage: mask.Passage, call: Known | None) -> mask.Leg:
        try:
            return self._route_sets.completed(passage.key, passage.near, call)
        except SwitchDown:
            raise Refuse(500, RETRY) from None

    def _hang_up(self, request: sip.Message, known: Kept, origin: str, rings: bool) -> None:
        """Passes a BYE on, whose reply is written in advance. Whatever becomes of it, the call is
        over; but where it rings still, it ends one of several phones' ringing, and its INVITE
        tells."""
        ready = self._door.header(mask.ok_payload(known.passage, known.asked))
        if len(ready) < LONGEST_READY:
            KSR.pv.sets(READY, ready)
        near = known.passage.near
        reason = ", ".join(request.all("reason"))
        counts = near.reference != NOBODYS and not rings
        if counts:
            self._shelf.clear(request)
        try:
            self._relay.send(request, known.passage, allowed.NO_BODY, known)
        except NoWay:
            if counts and origin != CONTROL:
                self._reports.stranded(near.reference, near.side, reason)
            raise
        if counts:
            self._bodies.end(known.passage)
            side = "us" if origin == CONTROL else near.side
            if reason or origin != CONTROL:  # else it was over before, and somebody is told late
                self._reports.hung_up(near.reference, side, reason)
        elif near.side == mask.CALLER:
            ringing.leave(near.reference)


def belongs_elsewhere(passage: mask.Passage, call: Known | None) -> bool:
    """Whether another one than the called party of this dialog, a fork's or one whose call has
    gone on, is known to have answered the call: that one's call it is."""
    if call is None:
        return False
    called = passage.far if passage.far.side == mask.CALLED else passage.near
    return mask.CALLED in call.legs and call.legs[mask.CALLED].tag != called.tag
