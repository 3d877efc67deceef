"""Balancers: SIP proxies in front of us. What one passes on comes from its own address; the true
source it tells in the Via below its own. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from . import sip
from .addresses import parsed

# Strictly, and no quotes, angle brackets or other spaces: in what Kamailio reads otherwise than we
# do, a sender could hide a `received` (RFC 3261 25.1 allows quoted values; nobody sends them).
_WORD = r"[A-Za-z0-9.!%*_+`'~-]+"
_PARAMETER = rf"[ \t]*;[ \t]*{_WORD}(?:[ \t]*=[ \t]*[A-Za-z0-9.:\[\]!%*_+`'~-]+)?"
_VIA = re.compile(
    r"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*([A-Za-z]{2,4})[ \t]+"
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?:[ \t]*:[ \t]*[0-9]{1,5})?"
    rf"((?:{_PARAMETER})*)[ \t]*"
)


class Source(NamedTuple):
    """Where a message came from; an address of IPv6 stands with its brackets or without."""

    address: str
    port: int
    transport: str


def source_behind(request: sip.Message) -> Source | None:
    """Who sent a request to the balancer that it came from. It writes that into the sender's Via as
    `received`, unless the address stands there already (RFC 3261 18.2.1, RFC 3581). The rest is
    the sender's own: where there is more than one, nobody is believed."""
    vias = request.listed("via")
    found = _VIA.fullmatch(vias[1]) if len(vias) > 1 else None
    if not found:
        return None
    parameters = [part.strip().partition("=") for part in found[3].split(";")[1:]]
    received = [value for name, _, value in parameters if _is(name, "received")] or [found[2]]
    ports = [value.strip() for name, _, value in parameters if _is(name, "rport")]
    if len(received) != 1:
        return None
    try:
        address = str(parsed(received[0].strip()))
    except ValueError:
        return None
    port = int(ports[0]) if len(ports) == 1 and re.fullmatch("[0-9]{1,5}", ports[0]) else 5060
    return Source(address, port, found[1].lower())


def ends_transaction(request: sip.Message) -> bool:
    """Whether a balancer itself cancels what it sent, or acknowledges its failure: both hold its
    own Via alone (RFC 3261 9.1, 17.1.1.3)."""
    return request.method in ("CANCEL", "ACK") and len(request.listed("via")) == 1


def _is(name: str, wanted: str) -> bool:
    return name.strip().lower() == wanted


def asks_for_us(request: sip.Message) -> bool:
    """Whether a balancer asks by itself whether we work."""
    return request.method == "OPTIONS" and len(request.listed("via")) == 1
