"""The way that a request takes from here: which of our addresses it leaves by, over which
connection, and whether the far end of that one is who it should be."""

from __future__ import annotations

import re

import KSR

from . import certificates, sip
from .addresses import address_of, bracketed
from .settings import Carrier, Settings
from .tables import Table

CARRIED_BY = {"ws": "tcp", "wss": "tls"}
PORTS = {"tls": 5061, "ws": 80, "wss": 443}  # of others 5060 (RFC 3261 19.1.2, RFC 7118)
CONNECTED = ("tcp", "tls")
SECURE = ("tls", "wss")
SERVER_NAME = "$xavp(tls=>server_name)"
_TRANSPORT = re.compile(r";transport=([a-z]{2,4})")
_PORT = re.compile(r":(\d{1,5})$")
# TLS connections whose certificates were found right, and all by which a place has answered us.
VERIFIED = Table("verified")


class NoWay(OSError):
    """Nothing can be sent there."""


class Ways:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._own = {end_of(f"sip:{at};transport={by}") for by, at in settings.listeners}

    def take(
        self, uri: str, hop: str, trunk: str, *, first: bool = False, own: bool = False
    ) -> tuple[str, str]:
        """Sends the request at hand for `uri` to `hop` when it is relayed: our address there and
        the transport. `trunk` marks the carrier; `first` when nobody has shown a certificate yet,
        `own` when `hop` is the carrier's by its settings and not by a party's word. Raises
        NoWay."""
        hop = spelt(hop)
        local, transport = self.choose(hop)
        carrier = self._settings.marked.get(trunk)
        self._forget_connection()  # of a place that was tried before
        if transport == "tls":
            self._choose_certificate(carrier)
            if carrier and carrier.tls_names:
                self._stay_with_verified(hop, own, first)
        KSR.pv.sets("$ru", uri)
        goes = hop.replace(";transport=wss", ";transport=ws")  # RFC 7118 5.2.1
        KSR.pv.sets("$du", goes)
        if KSR.pv.get("$du") != goes:  # no memory: it would go where its sender wrote
            raise NoWay("not to be told where")
        KSR.pv.sets("$fs", f"{CARRIED_BY.get(transport, transport)}:{local}")
        return local, transport

    def choose(self, hop: str) -> tuple[str, str]:
        """Our address towards `hop`, and the transport. Raises NoWay."""
        host, transport = host_of(hop), transport_of(hop)
        local = self._settings.listener(transport, host)
        if local is None:
            raise NoWay("no listener")
        return local, transport

    def check(self, hop: str, trunk: str, *, flow: str = "") -> None:
        """Raises NoWay for a next hop that a party named and that none of its carrier's can be: one
        of our own addresses, or one of this machine or its neighbours where the carrier is not.
        Whoever spoke from there (`flow`) may be spoken to."""
        host = host_of(hop)
        if end_of(hop) in self._own:
            raise NoWay("a target of our own")
        if hop != flow and is_address(host) and not self._settings.may_be_at(trunk, host):
            raise NoWay("a target of this machine")

    def received_at(self, request: sip.Message) -> str:
        """Our address that the request at hand came to, as it stands in a Contact: a sips: URI
        where its sender has one, or asks for one (RFC 3261 12.1.1)."""
        where = f"{bracketed(KSR.pv.get('$Ri'))}:{KSR.pv.get('$Rp')}"
        told = request.listed("record-route") or request.listed("contact")
        secure = sip.is_secure(request.uri, *(sip.address(one).uri for one in told[:1]))
        return contact(self._settings, where, KSR.pv.get("$proto"), secure=secure)

    def answer_at_place(self, via: str) -> None:
        """Replies to the request at hand, whose topmost Via this is, go where its sender listens if
        the connection is gone by then (RFC 3261 18.2.2). Where rport stands in it, Kamailio would
        look for the port that the connection had, over TLS without a port for 5060."""
        transport = KSR.pv.get("$proto")
        if transport not in CONNECTED:
            return
        port = sip.sent_by_port(via)
        if port is None or "rport" in via.lower():
            where = f"{bracketed(KSR.pv.get('$si'))}:{port or PORTS.get(transport, 5060)}"
            KSR.force_rport()  # the one of the address that it is told now
            KSR.corex.set_source_address(f"{transport}:{where}")

    def back(self, trunk: str, via: str) -> None:
        """Replies to the request of the transaction at hand, whose topmost Via this is, need a new
        connection when the one is gone that it came by (RFC 3261 18.2.2): only to whom shows a
        certificate as the carrier of whoever asked has it, whom `trunk` marks. A place whose name
        is looked for in its certificate gets nothing before it was."""
        get = KSR.pv.get
        if get("$T_req($proto)") == "tls" and get("$T_req($conid)") is None:
            self._connect_back(trunk, get("$T_req($si)"), via)

    def answer(self, trunk: str) -> None:
        """The same of an answer of our own to the request at hand."""
        get = KSR.pv.get
        if get("$proto") == "tls" and get("$conid") is None:
            self._connect_back(trunk, get("$si"), get("$(hdr(Via)[0])") or "")

    def _connect_back(self, trunk: str, address: str, via: str) -> None:
        self._choose_certificate(self._settings.marked.get(trunk))
        port = sip.sent_by_port(via) or PORTS["tls"]
        place = f"sip:{bracketed(address)}:{port};transport=tls"
        if VERIFIED.get(f"place {verified_as(place)}"):
            KSR.set_reply_no_connect()

    def _choose_certificate(self, carrier: Carrier | None) -> None:
        """Which section of tls.cfg holds if a connection has to be made."""
        KSR.tls.set_connect_server_id(carrier.tls_profile if carrier else "default")
        names = [name for name in (carrier.tls_names if carrier else []) if not is_address(name)]
        KSR.pv.unset(SERVER_NAME)  # of a carrier that was tried before
        if names:  # an address is not told (RFC 6066 3)
            KSR.pv.sets(SERVER_NAME, names[0])

    def _stay_with_verified(self, hop: str, own: bool, first: bool) -> None:
        """To a carrier's own place only by the connection that has shown its certificate to
        `verified`: Kamailio checks who signed it, but not for whom it is, and takes any connection
        with that address and port, also one that was made to us from there and showed none. A place
        of which nothing is known may be one that a party named, unless it is `own`: then Kamailio
        was started again, and has forgotten who is there."""
        place = verified_as(hop)
        known = VERIFIED.get(place)
        if known and is_alive(known):
            self._keep_to_connection(int(known))
        elif not first and (known or own or VERIFIED.get(f"place {place}")):
            raise NoWay("no verified connection")

    def break_off(self, hop: str) -> None:
        """Closes the connection to a carrier's place over which it has answered, and does not any
        more. Whoever is there may know nothing of it, which TCP alone would find out in a quarter
        of an hour."""
        number = VERIFIED.get(f"answered {verified_as(hop)}")
        if number and transport_of(hop) in CONNECTED:
            KSR.tcpops.tcp_close_connection_id(int(number))

    def registered(self, hop: str, carrier: Carrier) -> None:
        """A carrier has registered us by the reply at hand, and may have no other way to us than
        the connection that it came by (RFC 5626)."""
        if transport_of(hop) in CONNECTED:
            VERIFIED.put(f"registered {verified_as(hop)} {carrier.mark}", str(KSR.pv.get("$conid")))
            KSR.tcpops.tcp_enable_closed_event()

    def lost(self) -> tuple[set[str], str]:
        """The carriers that had shown their certificate, or registered us, by the connection at
        hand, which was closed, and its place; none where there is another one by now."""
        where = f"{bracketed(KSR.pv.get('$si'))}:{KSR.pv.get('$sp')}"
        place = verified_as(f"sip:{where};transport=tls")
        known, name = VERIFIED.get(place), VERIFIED.get(f"carrier {place}")
        names = {name} if name is not None and not is_alive(known) else set[str]()
        for carrier in self._settings.marked.values():
            if not carrier.register:
                continue
            entry = f"registered {place} {carrier.mark}"
            by = VERIFIED.get(entry)
            if by is not None and not is_alive(by):
                VERIFIED.drop(entry)
                names.add(carrier.name)
        return names, place

    def _keep_to_connection(self, number: int) -> None:
        """That none is made instead cannot be taken back from a message, not for the place that is
        tried next either: it is said of the branch alone. An ACK has none, and goes to one place.
        """
        KSR.tcpops.tcp_set_otcpid(number)
        KSR.tcpops.tcp_set_otcpid_flag(1)
        if KSR.pv.get("$rm") == "ACK":
            KSR.set_forward_no_connect()
        else:
            KSR.tm.t_on_branch("connected")

    def _forget_connection(self) -> None:
        KSR.tcpops.tcp_set_otcpid_flag(0)
        KSR.tm.t_on_branch("")

    def verified(self, hop: str, carrier: Carrier) -> bool:
        """Looks at the certificate of the connection that the reply at hand came by."""
        transport, place = transport_of(hop), verified_as(hop)
        if transport in CONNECTED:
            VERIFIED.put(f"answered {place}", str(KSR.pv.get("$conid")))
        if transport != "tls" or not carrier.tls_names:
            return True
        VERIFIED.put(f"place {place}", "1")
        found = certificates.names(KSR.pv.get("$tls_peer_raw_cert"))
        if certificates.fits(found, [name.lower() for name in carrier.tls_names]):
            VERIFIED.put(place, str(KSR.pv.get("$conid")))
            VERIFIED.put(f"carrier {place}", carrier.name)
            KSR.tcpops.tcp_enable_closed_event()
            return True
        VERIFIED.drop(place)
        return False


def is_alive(number: str | None) -> bool:
    """Whether the connection of this number is there."""
    return bool(number) and KSR.tcpops.tcp_conid_alive(int(number or 0)) >= 0


def spelt(hop: str) -> str:
    """A next hop whose address Kamailio can read: that takes none of IPv4 within one of IPv6
    (RFC 3261 25.1) for an address."""
    host = sip.host(hop)
    address = address_of(host) if host.startswith("[") and "." in host else None
    return hop.replace(host, bracketed(str(address)), 1) if address else hop


def host_of(hop: str) -> str:
    """The host of a next hop. Raises NoWay where it has none: Kamailio would go by what the sender
    of the request wrote instead."""
    host = sip.host(hop)
    if not host:
        raise NoWay("no target")
    return host


def transport_of(uri: str) -> str:
    """How a URI is reached. What `sips:` names runs over TLS (RFC 3261 19.1)."""
    uri = uri.lower()
    found = _TRANSPORT.search(uri)
    named = found[1] if found else ""
    if uri.startswith("sips:"):
        return "wss" if named in ("ws", "wss") else "tls"
    return named or "udp"


def port_of(hop: str) -> int:
    """The port of a URI, or what its transport has for one."""
    found = _PORT.search(sip.place_of(hop))
    return int(found[1]) if found else PORTS.get(transport_of(hop), 5060)


def end_of(hop: str) -> tuple[str, object, int]:
    """Where a URI leads to, the same however it is written."""
    transport, host = transport_of(hop), sip.host(hop)
    return CARRIED_BY.get(transport, transport), address_of(host) or host.lower(), port_of(hop)


def verified_as(hop: str) -> str:
    """By what VERIFIED knows a place, the same however it is written."""
    _, host, port = end_of(hop)
    return f"{bracketed(str(host))}:{port}"


def is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def named(hop: str) -> bool:
    """Whether a next hop is named, so that it would have to be asked for."""
    host = sip.host(hop)
    return bool(host) and not is_address(host)


def contact(settings: Settings, local: str, transport: str, *, secure: bool) -> str:
    """Our address `local` as it stands in a Contact; in one that is `secure`, with its scheme. That
    names TLS (RFC 3261 26.2.2), so where there is none, it would lead nowhere."""
    told = settings.told(transport, local)
    if secure and transport in SECURE:
        return f"sips:{told}" + (";transport=ws" if transport == "wss" else "")
    return told + sip.parameter_of(transport)
