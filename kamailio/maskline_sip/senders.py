"""Who sends us requests: by their address, by what a balancer says of it, by the call that a
request belongs to, or by a password."""

from __future__ import annotations

import time

import KSR

from . import digest, mask, sip, sources
from .addresses import bracketed
from .balancers import Source, asks_for_us, source_behind
from .refuse import Refuse
from .settings import Carrier, Settings
from .ways import named, port_of, transport_of

IN_THE_OPEN = ("udp", "tcp")
FIRST = ("INVITE", "MESSAGE")  # what begins something, outside of any call


def source_of() -> Source:
    """Who sent the message at hand to us."""
    get = KSR.pv.get
    return Source(get("$si"), get("$sp"), get("$proto"))


def hop_of(message: sip.Message) -> str:
    """Where requests to the sender of a message go: its proxy's place, or its own."""
    told = message.listed("record-route") or message.listed("contact")
    return sip.address(told[0]).uri if told else ""


def way_to(source: Source, hop: str, *, encrypted: bool) -> str:
    """The `flow` of a leg whose next hop its party names. Who tells a name is found where it spoke
    from, at the port that it tells: asked for, a name would keep all of a worker's callers waiting
    for the name server. Who spoke over TLS hears nothing in the open. Else empty."""
    secured = encrypted and transport_of(hop) in IN_THE_OPEN
    if secured:
        hop = sip.over_tls(hop)
    if not named(hop):
        return mask.ENCRYPTED if secured else ""
    transport = transport_of(hop)
    return f"sip:{bracketed(source.address)}:{port_of(hop)};transport={transport}"


class Senders:
    def __init__(self, settings: Settings, keys: mask.Keyring) -> None:
        self._settings, self._keys = settings, keys
        accounts = settings.inbound_accounts
        key = settings.keys[settings.current_key]
        self.guard = digest.Guard(key, accounts) if accounts else None

    def origin(self, source: Source) -> str | None:
        """A carrier's name, the control plane, a balancer, or None for a stranger."""
        known = self._settings.origin(*source)
        return known or self._named(source)

    def may_be_from(self, page: str | None, origin: str | None) -> bool:
        """Whether `origin` may have a WebSocket for a web page from there, None where whoever asks
        is no browser (RFC 6455 10.2). Any page that is opened at a carrier's place speaks from its
        address; none has its password."""
        allowed = self._settings.websocket_origins
        if page is None or allowed:
            return page is None or page.lower() in allowed
        carrier = self._settings.carriers.get(origin or "")
        return origin is None or (carrier is not None and carrier.inbound_password_always)

    def behind(self, request: sip.Message, *, draining: bool) -> tuple[Source, str | None] | None:
        """Who sent what a balancer passed on; None when that cannot be known. What it asks for
        itself is refused with the answer: a node that takes no more calls says so."""
        if asks_for_us(request):
            raise Refuse(503 if draining else 200)
        source = source_behind(request)
        if source is None:
            return None
        carrier = self._settings.carrier_at(source.address, source.transport)
        return source, carrier or self._named(source)

    def _named(self, source: Source) -> str | None:
        """The carrier that says by name where it calls from."""
        return sources.carrier_at(source.address) if self._settings.named_sources else None

    def way_back(self, source: Source, hop: str = "") -> str:
        """The way back to a sender who cannot be connected to (RFC 7118 5.2), who calls from
        anywhere, or whose next `hop` is told by name or as one in the open, where it is not. Else
        empty."""
        if source.transport in ("ws", "wss") or self.origin(source) is None:
            where = f"{bracketed(source.address)}:{source.port}"
            return f"sip:{where};transport={source.transport}"
        return way_to(source, hop, encrypted=KSR.pv.get("$proto") == "tls")

    def answered_leg(self, passage: mask.Passage, reply: sip.Message) -> mask.Leg:
        """The far leg as the reply at hand describes it, which may tell another target than was
        known before."""
        source, leg = source_of(), mask.answered_leg(passage, reply)
        if leg.flow and self._keeps(leg, source):  # whatever name it tells (RFC 7118 5)
            return leg
        leg = leg._replace(flow="") if leg.flow else leg
        flow = way_to(source, mask.next_hop(leg), encrypted=source.transport == "tls")
        return leg._replace(flow=flow) if flow else leg

    def carrier(self) -> Carrier | None:
        """Who sent the message at hand, if that can be told by the address alone."""
        return self._settings.carriers.get(self.origin(source_of()) or "")

    def _keeps(self, leg: mask.Leg, source: Source) -> bool:
        """Whether the one way to a party is the one by which it came."""
        carrier = self._settings.marked.get(leg.trunk)
        anywhere = carrier is not None and carrier.inbound_username is not None
        return source.transport in ("ws", "wss") or (anywhere and self.origin(source) is None)

    def by_password(self, request: sip.Message, source: Source) -> str | None:
        """The carrier that a request from an unknown address is from. Raises Refuse with a
        challenge."""
        name = self._shown(request, source) if self.guard else None
        if name is not None:
            sources.befriend(source.address)
            if KSR.pv.get("$proto") != "udp":
                KSR.tcpops.tcp_set_connection_lifetime(self._settings.known_seconds)
        return name

    def proven(self, origin: str, request: sip.Message, source: Source) -> str:
        """The carrier that a request is from, where the one at its address must prove it. Raises
        Refuse with a challenge."""
        carrier = self._settings.carriers.get(origin)
        if carrier is None or not carrier.inbound_password_always:
            return origin
        if request.method not in FIRST or request.address("to").tag:
            return origin
        return self._by_answer(request, source)

    def _shown(self, request: sip.Message, source: Source) -> str | None:
        """By the call that the request belongs to, or by its answer to our challenge."""
        assert self.guard is not None
        if request.method == "ACK" or request.address("to").tag:
            passage = mask.dialog_passage(self._keys, request)
            carrier = self._settings.marked.get(passage.near.trunk) if passage else None
            return carrier.name if carrier and carrier.inbound_username else None
        return self._by_answer(request, source) if request.method in FIRST else None

    def _by_answer(self, request: sip.Message, source: Source) -> str:
        """The carrier that answers our challenge. Raises Refuse with one."""
        assert self.guard is not None
        address, now = source.address, time.time()
        stale = False
        for told in request.all("authorization"):  # one may be for a proxy before us (22.3)
            try:
                name = self.guard.check(told, request.method, request.uri, address, now)
            except digest.Stale:
                stale = True
            else:
                if name is not None:
                    return name
        asked = self.guard.challenges(address, now, stale=stale)
        raise Refuse(401, *(f"WWW-Authenticate: {one}" for one in asked))
