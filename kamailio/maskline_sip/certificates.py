"""For whom a certificate is: the names in it against those that we want to talk to (RFC 5922)."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from cryptography import x509


def names(certificate: str | bytes) -> set[str]:
    """The hosts that a certificate in PEM form is for, in lower case: DNS names, addresses, and
    the hosts of SIP URIs. The common name counts only where there are no others."""
    data = certificate.encode() if isinstance(certificate, str) else certificate
    read = x509.load_pem_x509_certificate(data)
    try:
        others = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = read.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return {str(name.value).lower() for name in common}
    found = {str(name) for name in others.get_values_for_type(x509.IPAddress)}
    found |= set(others.get_values_for_type(x509.DNSName))
    for uri in others.get_values_for_type(x509.UniformResourceIdentifier):
        scheme, _, host = uri.partition(":")
        if scheme.lower() in ("sip", "sips"):
            found.add(host)
    return {name.lower() for name in found}


def fits(found: Collection[str], wanted: Collection[str]) -> bool:
    """Whether one of the wanted hosts is among those found. A certificate for all names below a
    domain is good for the names one step below it (RFC 6125 6.4.3)."""
    return any(host in found or _parent(host) in found for host in wanted)


def _parent(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "*." + host.partition(".")[2]
    return host
