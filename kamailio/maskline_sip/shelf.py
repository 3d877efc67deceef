"""The shelf: where the requests that were written in advance lie, in Kamailio's memory. What is not
there any more, the script writes as it would have without."""

from __future__ import annotations

import binascii

import KSR

from . import kept, mask, ready, sip
from .bodies import Bodies
from .gate import Entrance
from .kept import Kept
from .settings import BALANCER, Settings
from .tables import Table
from .ways import NoWay, Ways, spelt

READY = Table("ready")
# Over TLS certificates are looked at first; over WebSocket we are connected to.
PLAINLY = ("udp", "tcp")


class Shelf:
    def __init__(
        self,
        settings: Settings,
        keys: mask.Keyring,
        entrance: Entrance,
        bodies: Bodies,
        ways: Ways,
    ) -> None:
        self._settings, self._keys, self._entrance = settings, keys, entrance
        self._bodies, self._ways = bodies, ways

    def put(self, known: Kept, far: mask.Leg) -> None:
        """The requests of both parties of a call that is answered by the reply at hand."""
        key, near, _ = known.passage
        ahead = mask.Passage(key, near, far)
        back = mask.Passage(key, far, near)
        if not (known.far_token and known.near_token):
            return
        there = ready.name(self._keys, ahead, known.far_token)
        here = ready.name(self._keys, back, known.near_token)
        halves = self._bodies.halves(ahead)
        get = KSR.pv.get
        forth = self._way(ahead, get("$T_req($si)"), get("$T_req($proto)"), halves)
        home = self._way(back, get("$si"), get("$proto"), halves)
        if not (forth and home):  # one alone would be left behind by the other's BYE
            return
        going = ready.text(self._keys, ahead, forth, here)
        coming = ready.text(self._keys, back, home, there)
        if going and coming:
            READY.put(there, going)
            READY.put(here, coming)

    def _way(
        self, passage: mask.Passage, source: str, transport: str, halves: int
    ) -> ready.Way | None:
        """None when there is more to it than to send: a connection to be found, a password."""
        carrier = self._settings.marked.get(passage.far.trunk)
        if carrier is None or carrier.account or passage.far.flow:
            return None
        origin = self._settings.origin(source, 0, transport)
        if transport not in PLAINLY or origin in (None, BALANCER):
            return None
        hop = spelt(mask.next_hop(passage.far))
        try:
            self._ways.check(hop, passage.far.trunk)
            local, by = self._ways.choose(hop)
        except NoWay:
            return None
        if by not in PLAINLY:
            return None
        return ready.Way(f"{transport}:{source}", f"{by}:{local}", hop, halves)

    def taken(self) -> Kept:
        """What the script would have kept of a BYE from the shelf, to whose reply it looks now."""
        raw = binascii.a2b_base64(KSR.pv.get("$(T_req($mb){s.encode.base64})"))
        request = sip.parse(self._entrance.unmark(raw))
        passage = mask.dialog_passage(self._keys, request)
        if passage is None:
            raise mask.Refused("a reply to nothing of ours")
        return kept.of(passage, request, "")

    def clear(self, request: sip.Message) -> None:
        """The call of a request is over."""
        sender, receiver = request.address("from").tag, request.address("to").tag
        name = ready.name_of(sip.user(request.uri), request.call_id, sender, receiver)
        text = READY.get(name)
        if text:
            READY.drop(name)
            READY.drop(text.partition(" ")[0])
