"""Addresses of carriers that call from hosts known by name: the control plane looks the names up
and tells. They are in Kamailio's memory, which forgets what it is not told again; as it does with
strangers, who are counted there."""

from __future__ import annotations

import ipaddress

import KSR

from .addresses import parsed
from .tables import Table

SOURCES = Table("sources")
STRANGERS = "strangers"  # how many messages came of late from an address, or from a network
STRANGE_SECONDS = 30  # that they are counted for


def admit(carrier: str, addresses: bytes) -> None:
    """From now on requests from these addresses, which stand in a line each, are the carrier's.
    Python writes an address as Kamailio does, which looks it up itself."""
    for line in addresses.decode("ascii").split():
        address = ipaddress.ip_address(line)
        SOURCES.put(str(address), carrier)
        befriend(str(address))


def carrier_at(address: str) -> str | None:
    """The name of the carrier that calls from an address, as Kamailio writes it."""
    plain = str(parsed(address))
    return SOURCES.get(plain)


def is_flooding(address: str, most: int) -> bool:
    """Counts a message from a stranger, and tells whether more than `most` come from its network:
    what one customer has of IPv6 (/64). Of an address itself Kamailio knows without us
    (route[STRANGER])."""
    counted(address)
    network = network_of(address)
    return network is not None and counted(network) > most


def counted(name: str) -> int:
    """How many messages came of late, this one included. Kamailio gives what has expired no new
    time, and counts each message as the first, until it takes it away."""
    count = int(KSR.htable.sht_inc(STRANGERS, name))
    if count == 1:
        KSR.htable.sht_setxi(STRANGERS, name, count, STRANGE_SECONDS)
    return count


def befriend(address: str) -> None:
    """Who is at this address is no stranger, however often it called."""
    KSR.htable.sht_rm(STRANGERS, address)
    network = network_of(address)
    if network is not None:
        KSR.htable.sht_rm(STRANGERS, network)


def network_of(address: str) -> str | None:
    """The first 64 bits of an IPv6 address, None of an IPv4 address."""
    plain = parsed(address)
    if plain.version == 4:
        return None
    return str(ipaddress.ip_network((plain, 64), strict=False))
