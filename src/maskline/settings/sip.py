"""The settings of the SIP door and of the trunks of carriers."""

# ruff: noqa: RUF009 - `setting` makes a field, and every default is a frozen value

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maskline.settings.reader import Faults
from maskline.settings.setting import setting
from maskline.settings.values import Address, Listener, Network


@dataclass(frozen=True)
class SipTls:
    """What we show, and ask of others, on tls and wss listeners. TLS is 1.2 or newer."""

    certificate: Path | None = setting(
        "A PEM file with our certificate, followed by those between it and its root. Needed by "
        "every tls and wss listener.",
        None,
        example="tls/certificate.pem",
    )
    key: Path | None = setting(
        "A PEM file with the private key of our certificate, without a password.",
        None,
        example="tls/key.pem",
    )
    client_ca: Path | None = setting(
        "A PEM file with the authorities that our peers' certificates come from. With it, whoever "
        "connects to us must show a certificate; without it, nobody is asked for one.",
        None,
        example="tls/clients.pem",
    )


@dataclass(frozen=True)
class Sip:
    """The SIP door, kept by Kamailio."""

    listen: tuple[Listener, ...] = setting(
        "Addresses on which carriers reach us, each with its transport: udp, tcp, tls, ws or wss "
        "(SIP over WebSocket, RFC 7118). At least one must be udp. IPv6 addresses stand in "
        "brackets: udp:[2001:db8::1]:5060.",
        (
            Listener("udp", Address("127.0.0.1", 5060)),
            Listener("tcp", Address("127.0.0.1", 5060)),
        ),
    )
    user: str = setting(
        "The system user Kamailio runs as when Maskline is started by root; otherwise it runs as "
        "whoever starts Maskline. Debian's package makes this user.",
        "kamailio",
    )
    tls: SipTls = setting("Our side of TLS.", SipTls())


@dataclass(frozen=True)
class CarrierTls:
    """What we ask of the carrier's certificate when we connect to it by TLS, and what we show."""

    ca: Path | None = setting(
        "A PEM file with the authorities that its certificate must come from; left out, those that "
        "the system trusts.",
        None,
        example="tls/acme-ca.pem",
    )
    server_name: str | None = setting(
        "The name that must stand in its certificate, also told when we connect (SNI). Left out, "
        "the address itself must stand there.",
        None,
        example="sip.acme.example",
    )
    certificate: Path | None = setting(
        "A PEM file with the certificate that we show to this carrier, if it asks for one.",
        None,
        example="tls/acme-client.pem",
    )
    key: Path | None = setting(
        "A PEM file with the private key of that certificate.", None, example="tls/acme-client.key"
    )


@dataclass(frozen=True, kw_only=True)
class CarrierSip:
    """The SIP trunk of a carrier."""

    address: Address = setting("Where calls to this carrier are sent.", example="192.0.2.20:5060")
    transport: Literal["udp", "tcp", "tls"] = setting("How calls are sent to it.", "udp")
    sources: tuple[Network, ...] = setting(
        "The networks its calls come from. A call from anywhere else is refused.",
        example="192.0.2.20/32",
    )
    messages: bool = setting(
        "Whether the trunk also carries texts, as SIP MESSAGE (RFC 3428), both ways.", False
    )
    srtp: Literal["off", "optional", "required"] = setting(
        "Whether sound to and from this carrier is encrypted (SRTP with keys in the description, "
        "RFC 4568; choose tls as transport, or the keys travel in the open). off: never. optional: "
        "offered along with plain sound (RFC 8643), and taken if the carrier offers it. required: "
        "a call without it is refused.",
        "off",
    )
    tls: CarrierTls = setting("Certificates of the trunk.", CarrierTls())


def check(sip: Sip, faults: Faults) -> None:
    """What no setting of the door can say alone."""
    if not any(listener.transport == "udp" for listener in sip.listen):
        faults.add("sip.listen", "needs at least one udp listener")
    if sip.tls.certificate is None and any(listener.encrypted for listener in sip.listen):
        faults.add("sip.tls.certificate", "missing; a tls or wss listener needs one")
    check_pair(sip.tls, "sip.tls", faults)


def check_pair(tls: SipTls | CarrierTls, place: str, faults: Faults) -> None:
    if (tls.certificate is None) != (tls.key is None):
        missing = "key" if tls.key is None else "certificate"
        faults.add(f"{place}.{missing}", "missing; certificate and key go together")


def check_trunk(trunk: CarrierSip, door: Sip, place: str, faults: Faults) -> None:
    """What a trunk needs of the door."""
    check_pair(trunk.tls, f"{place}.tls", faults)
    if all(listener.transport != trunk.transport for listener in door.listen):
        needed = f"{trunk.transport} needs a listener of that transport in sip.listen"
        faults.add(f"{place}.transport", needed)
