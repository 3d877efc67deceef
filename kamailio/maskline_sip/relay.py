"""Requests that make no call, on their way out: as they came, and once more with a password
where the carrier asks for one (RFC 3261 22)."""

from __future__ import annotations

import KSR

from . import allowed, challenges, mask, reliable, sip, texts
from .attempts import CONTEXT, identity
from .bodies import BACK, Bodies
from .challenges import Answers, Headers, Proofs
from .gate import Gate
from .kept import Kept
from .settings import Carrier, Settings
from .tables import Table
from .ways import NoWay, Ways, contact

HOP = "$avp(hop)"
AHEAD = Table("ahead")  # how far ahead a leg's numbers are
SENT = Table("sent")  # the highest number of late of those that a leg was sent
UNKNOWN = 503  # says to the control plane that another carrier may take a text: one knows us not


class Relay:
    def __init__(
        self, settings: Settings, keys: mask.Keyring, door: Gate, bodies: Bodies, ways: Ways
    ) -> None:
        self._settings, self._keys, self._door = settings, keys, door
        self._bodies, self._ways, self._proofs = bodies, ways, Proofs(keys)

    def send(
        self,
        request: sip.Message,
        passage: mask.Passage,
        body: allowed.Body,
        known: Kept | None = None,
        hop: str = "",
        answers: Answers | None = None,
    ) -> None:
        """Sends a request to `hop`, or to where its dialog leads; `known` is what its replies need
        to know, None where there are none. Raises NoWay. What goes nowhere changes nothing."""
        try:
            self._send(request, passage, body, known, hop, answers)
        except Exception:
            self._bodies.move_back(passage)
            raise

    def _send(
        self,
        request: sip.Message,
        passage: mask.Passage,
        body: allowed.Body,
        known: Kept | None,
        hop: str,
        answers: Answers | None,
    ) -> None:
        far, token = passage.far, ""
        if not hop:
            hop = mask.next_hop(far)
            self._ways.check(hop, far.trunk, flow=far.flow)
        text = request.method == "MESSAGE"  # which belongs to no dialog, but to a carrier's place
        local, transport = self._ways.take(mask.request_uri(far), hop, far.trunk, own=text)
        more = self._proof(request, passage, body, answers)
        if text:
            more = [*identity(self._settings.marked[far.trunk], far.peer), *more]
        if request.method in mask.CONTACT_METHODS:
            token = self._keys.seal(passage.key, passage.near)
        ours = contact(self._settings, local, transport, secure=mask.wants_sips(far))
        named = reliable.told(self._keys, passage, request)
        invite = named.cseq if named else None
        payload = mask.request_payload(
            self._keys, passage, request, ours, body, token, more, invite
        )
        KSR.hdr.append(self._door.header(payload))
        if known:
            known = known._replace(offered=body.offers, near_token=token)
            KSR.pv.sets(CONTEXT, known.text())
            KSR.tm.t_on_reply("back")
            self._look_at_failures(hop if text or self._asked_by(far) else "")
            self._note_number(request, passage)
        if KSR.tm.t_relay() < 0:
            raise NoWay("not sent")

    def _look_at_failures(self, hop: str) -> None:
        """Where the request may be sent again, to this next hop, or has changed what must be taken
        back then."""
        if hop:
            KSR.pv.sets(HOP, hop)
        if hop or KSR.pv.get(BACK):
            KSR.tm.t_on_failure("failed")

    def _proof(
        self,
        request: sip.Message,
        passage: mask.Passage,
        body: allowed.Body,
        answers: Answers | None,
    ) -> Headers:
        """What a request brings of our password."""
        if request.method == "ACK" and self._asked_by(passage.far):
            return self._proofs.of_ack(passage, request)
        proof = answers.headers(body.content) if answers else []
        if proof and request.method == "INVITE":
            self._proofs.keep(passage, request, proof)
        return proof

    def failed(self, known: Kept, request: sip.Message) -> None:
        """Answers a challenge with the next number. All that follows on that leg is one
        ahead, too: its new Contact tells, and our memory for what has none or is refused. What
        nobody answers changes nothing."""
        passage = known.passage
        silent = KSR.tm.t_branch_timeout() > 0
        if silent:
            self._bodies.move_back(passage)
        carrier = self._settings.marked.get(passage.far.trunk)
        if carrier is None or silent or KSR.tm.t_is_canceled() > 0:
            return
        uri = mask.request_uri(passage.far)
        answers = challenges.authorization(carrier, request.method, uri)
        if answers is None:
            if request.method == "MESSAGE" and challenges.are_final():
                KSR.tm.t_reply(UNKNOWN, allowed.reason(UNKNOWN))
            return
        passage = self._advanced(request, passage)
        if request.method == "MESSAGE":
            body = texts.body(request.body)
        else:
            body = self._bodies.of_request(request, passage)
        known = known._replace(passage=passage)
        self.send(request, passage, body, known, KSR.pv.get(HOP), answers)

    def _advanced(self, request: sip.Message, passage: mask.Passage) -> mask.Passage:
        """The passage on which a request has the next number of those that the far leg was sent:
        others may have been sent, and challenged, meanwhile."""
        passage = self.counted(passage)
        name = self._name(passage.key, passage.far)
        latest = max(int(passage.far.cseq or 0), int(SENT.get(name) or 0) - request.cseq[0])
        passage = mask.numbered(passage, passage.near.cseq, str(latest + 1))
        if passage.far.tag:
            AHEAD.put(name, passage.far.cseq)
        return passage

    def _note_number(self, request: sip.Message, passage: mask.Passage) -> None:
        """Of a request to who may ask for a password."""
        far = passage.far
        if far.tag and self._asked_by(far):
            name, number = self._name(passage.key, far), request.cseq[0] + int(far.cseq or 0)
            SENT.put(name, str(max(number, int(SENT.get(name) or 0))))

    def counted(self, passage: mask.Passage) -> mask.Passage:
        """The passage with the numbers that its legs have come to meanwhile."""
        near, far = passage.near, passage.far
        to_near, to_far = self._ahead(passage.key, near), self._ahead(passage.key, far)
        if to_near == near.cseq and to_far == far.cseq:
            return passage
        return mask.numbered(passage, to_near, to_far)

    def _ahead(self, key: str, leg: mask.Leg) -> str:
        known = self._asked_by(leg) and AHEAD.get(self._name(key, leg))
        return max(leg.cseq, known, key=lambda ahead: int(ahead or 0)) if known else leg.cseq

    def _asked_by(self, leg: mask.Leg) -> Carrier | None:
        """The carrier of a leg, if it knows us by a password."""
        carrier = self._settings.marked.get(leg.trunk)
        return carrier if carrier and carrier.account else None

    def _name(self, key: str, leg: mask.Leg) -> str:
        return self._keys.alias(key, "ahead", leg.call_id, leg.tag)
