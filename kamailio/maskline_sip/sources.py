"""Addresses of carriers that call from hosts known by name: the control plane looks the names up
and tells. They are in Kamailio's memory, which forgets what it is not told again."""

from __future__ import annotations

import ipaddress

from .tables import Table

SOURCES = Table("sources")


def admit(carrier: str, addresses: bytes) -> None:
    """From now on requests from these addresses, which stand in a line each, are the carrier's."""
    for line in addresses.decode("ascii").split():
        SOURCES.put(str(ipaddress.ip_address(line)), carrier)


def carrier_at(address: str) -> str | None:
    """The name of the carrier that calls from an address, as Kamailio writes it."""
    plain = str(ipaddress.ip_address(address.strip("[]")))
    return SOURCES.get(plain)
