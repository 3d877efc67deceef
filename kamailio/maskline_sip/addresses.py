"""IP addresses: how they are written, and which of them no router leads to."""

from __future__ import annotations

import functools
import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
BROADCAST = ipaddress.ip_address("255.255.255.255")
DISCARD = 9  # a port; nothing is sent to it


def bracketed(host: str) -> str:
    """An address as it stands in a URI: of IPv6, in brackets (RFC 3261 25.1)."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def parsed(text: str) -> Address:
    """An address, of IPv6 in brackets or without; raises ValueError for a name."""
    return ipaddress.ip_address(text.strip("[]"))


@functools.lru_cache(maxsize=256)
def address_of(host: str) -> Address | None:
    """An address, however it is written; None for a name."""
    try:
        address = parsed(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@functools.lru_cache(maxsize=4096)
def is_nearby(host: str) -> bool:
    """Whether an address is this machine's, or its neighbours' alone."""
    address = address_of(host)
    if address is None:
        return True  # whatever others would make of it
    special = (address.is_link_local, address.is_multicast, address.is_unspecified)
    return any(special) or address == BROADCAST or is_here(host)


@functools.lru_cache(maxsize=4096)
def is_here(host: str) -> bool:
    """Whether an address is this machine's: to such a one the kernel speaks from itself."""
    address = address_of(host)
    if address is None or address.is_loopback:
        return address is not None
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        try:
            line.connect((str(address), DISCARD))
        except OSError:  # there is no way there
            return False
        own: str = line.getsockname()[0]
        return address_of(own) == address
