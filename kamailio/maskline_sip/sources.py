"""Addresses of carriers that call from hosts known by name: the control plane looks the names up
and tells. They are in Kamailio's memory, which forgets what it is not told again."""

from __future__ import annotations

import ipaddress

import KSR

TABLE = "sources"


def admit(carrier: str, addresses: bytes) -> None:
    """From now on requests from these addresses, which stand in a line each, are the carrier's."""
    for line in addresses.decode("ascii").split():
        KSR.htable.sht_sets(TABLE, str(ipaddress.ip_address(line)), carrier)


def carrier_at(address: str) -> str | None:
    """The name of the carrier that calls from an address, as Kamailio writes it."""
    plain = str(ipaddress.ip_address(address.strip("[]")))
    found: str | None = KSR.htable.sht_get(TABLE, plain)
    return found
