"""What no setting of the door for SIP, or of a trunk, can say alone."""

import re
from collections.abc import Iterable, Mapping

import phonenumbers

from maskline.settings.reader import Faults
from maskline.settings.sip import CarrierSip, Sip
from maskline.settings.values import Address, Endpoint, Listener

PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")


def check(sip: Sip, faults: Faults) -> None:
    """What no setting of the door can say alone."""
    if not any(listener.transport == "udp" for listener in sip.listen):
        faults.add("sip.listen", "needs at least one udp listener")
    taken: dict[tuple[bool, Address], Listener] = {}
    for listener in sip.listen:
        other = taken.setdefault((listener.transport == "udp", listener.address), listener)
        if other is not listener:
            faults.add("sip.listen", f"{listener} is where {other} is")
    ours = {listener.transport for listener in sip.listen}
    for told in sip.advertise:
        if told.transport not in ours:
            faults.add("sip.advertise", f"{told}: no address in sip.listen is of that transport")
    if sip.tls.certificate is None and any(listener.encrypted for listener in sip.listen):
        faults.add("sip.tls.certificate", "missing; a tls or wss listener needs one")
    faults.check_pair("sip.tls", "", sip.tls.certificate, sip.tls.key)


def check_trunk(trunk: CarrierSip, door: Sip, place: str, faults: Faults) -> None:
    """What a trunk needs of the door, and what its settings need of each other."""
    faults.check_pair(f"{place}.tls", "", trunk.tls.certificate, trunk.tls.key)
    check_places(trunk, door, place, faults)
    check_accounts(trunk, place, faults)
    if trunk.number_format == "national" and trunk.country is None:
        faults.add(f"{place}.country", "missing; national numbers are those of a country")
    if trunk.country is not None and trunk.country not in phonenumbers.SUPPORTED_REGIONS:
        faults.add(f"{place}.country", f"{trunk.country!r} is no country such as US")
    check_prefixes(trunk.prefixes, f"{place}.prefixes", faults)
    if trunk.domain is not None:
        check_host(trunk.domain, f"{place}.domain", faults)
    if trunk.tls.server_name is not None:
        check_host(trunk.tls.server_name, f"{place}.tls.server_name", faults)


def check_places(trunk: CarrierSip, door: Sip, place: str, faults: Faults) -> None:
    """Whether each place can be reached, and by TLS shows for whom its certificate is."""
    ours = {listener.transport for listener in door.listen}
    for address, transport, _, _ in trunk.places:
        if transport not in ours | {"auto"}:
            needed = f"{transport} needs a listener of that transport in sip.listen"
            faults.add(f"{place}.transport", needed)
        if transport == "auto" and address.literal:
            faults.add(f"{place}.transport", f"auto needs a name, and {address} is an address")
        elif transport in ours and address.literal and not reached(door, address, transport):
            needed = f"{address} needs a {transport} listener of its version of IP in sip.listen"
            faults.add(f"{place}.address", needed)
    by_tls = "tls" in ours and any(way in ("tls", "auto") for _, way, _, _ in trunk.places)
    if by_tls and not trunk.probed_every and trunk.tls.ca is None:
        told = "0 over tls needs tls.ca: for whom a certificate is shows by a probe alone"
        faults.add(f"{place}.probe_seconds", told)


def check_host(text: str, place: str, faults: Faults) -> None:
    """What stands in SIP addresses or in a certificate; it is passed on as it was written."""
    try:
        Endpoint.parse(text)
    except ValueError as error:
        faults.add(place, str(error))


def check_prefixes(prefixes: Iterable[str], place: str, faults: Faults) -> None:
    """Numbers are compared as +44…, so that another beginning would be that of none."""
    for prefix in prefixes:
        if not PREFIX.fullmatch(prefix):
            faults.add(place, f"{prefix!r} is no beginning such as +44")


def reached(door: Sip, address: Endpoint, transport: str) -> bool:
    """Whether there is a listener that requests to an address can leave by."""
    ours = [one.address.host for one in door.listen if one.transport == transport]
    return any((":" in host) == (":" in address.host) for host in ours)


def check_accounts(trunk: CarrierSip, place: str, faults: Faults) -> None:
    """User names and their passwords, and that somebody may call at all."""
    if trunk.password and trunk.password_file:
        faults.add(f"{place}.password_file", "given beside password: choose one")
    known = trunk.password is not None or trunk.password_file is not None
    if (trunk.username is not None) != known:
        faults.add(f"{place}.{'username' if known else 'password'}", "missing; they go together")
    if trunk.register and trunk.username is None:
        faults.add(f"{place}.username", "missing; nobody can register without")
    if (trunk.inbound_username is None) != (trunk.inbound_password is None):
        missing = "password" if trunk.inbound_password is None else "username"
        faults.add(f"{place}.inbound_{missing}", "missing; they go together")
    if trunk.inbound_password_always and trunk.inbound_username is None:
        faults.add(f"{place}.inbound_username", "missing; inbound_password_always needs it")
    if not trunk.sources and trunk.inbound_username is None:
        faults.add(f"{place}.sources", "missing; without inbound_username nobody could call")


def check_others(
    name: str, trunk: CarrierSip, trunks: Mapping[str, CarrierSip], place: str, faults: Faults
) -> None:
    """What a trunk says about those of other carriers."""
    for other in trunk.failover_carriers:
        if other not in trunks or other == name:
            faults.add(
                f"{place}.failover_carriers", f"{other!r} is no other carrier with a SIP trunk"
            )
    users = [one.inbound_username for other, one in trunks.items() if other != name]
    if trunk.inbound_username is not None and trunk.inbound_username in users:
        faults.add(f"{place}.inbound_username", f"{trunk.inbound_username!r} is another carrier's")
