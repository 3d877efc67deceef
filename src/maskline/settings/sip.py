"""The settings of the SIP door and of the trunks of carriers."""

# ruff: noqa: RUF009 - `setting` makes a field, and every default is a frozen value

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maskline.settings.setting import setting
from maskline.settings.values import Address, Endpoint, Listener, Network, Origin, Secret, Source

Transport = Literal["udp", "tcp", "tls", "auto"]
Codec = Literal["PCMU", "PCMA", "G722", "G729", "GSM", "OPUS", "ILBC", "AMR", "AMR-WB"]


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
    advertise: tuple[Listener, ...] = setting(
        "Addresses that are told to carriers (in Contact and From) in place of those in listen, of "
        "the same transports: those of a balancer in front of several nodes. Replies still come to "
        "the node itself, so carriers must be able to reach its own address, too.",
        (),
        example="udp:203.0.113.5:5060",
    )
    balancers: tuple[Network, ...] = setting(
        "The networks of SIP proxies in front of us that hide where requests come from. They are "
        "believed who sent a request: the `received` that they write into the Via below their own. "
        "One that keeps source addresses is not named here.",
        (),
        example="10.0.0.9/32",
    )
    websocket_origins: tuple[Origin, ...] = setting(
        "The web sites whose pages may open a WebSocket to us, as browsers tell it in Origin. "
        "Empty: pages of any site, but none from the address of a carrier that needs no password: "
        "such a page would call in the carrier's name. What tells no Origin is no browser, and is "
        "not asked for one.",
        (),
        example="https://phone.example",
    )
    mask_keys: Path | None = setting(
        "The file with the keys of the mask: the same for all nodes over one database, which "
        "refuse to start with different ones. Left out, it is mask.key in data_dir, made at the "
        "first start.",
        None,
        example="mask.key",
    )
    user: str = setting(
        "The system user Kamailio runs as when Maskline is started by root; otherwise it runs as "
        "whoever starts Maskline. Debian's package makes this user.",
        "kamailio",
    )
    memory_mebibytes: int = setting(
        "How much memory the processes of Kamailio share, at most, in mebibytes; it is taken as it "
        "is needed. A call that rings takes some 22 KiB of it, one that was begun or has ended in "
        "the last ten seconds some 32. When a third is left, new calls are refused.",
        1_024,
        least=16,
        most=2_000,
    )
    name_servers: tuple[Address, ...] = setting(
        "Addresses and ports of the name servers that are asked for carriers. Empty: those of the "
        "system.",
        (),
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
class CarrierTarget:
    """One more place where the same trunk can be reached."""

    address: Endpoint = setting("Where, as address above.", example="sip2.acme.example")
    transport: Transport | None = setting("How; left out, as transport above.", None, example="tcp")
    priority: int = setting(
        "Places of a lower number are tried first. The place above has 0.", 1, least=0, most=100
    )
    weight: int = setting(
        "How large a share of the calls it gets among places of one priority.",
        0,
        least=0,
        most=65_535,
    )


@dataclass(frozen=True, kw_only=True)
class CarrierSip:
    """The SIP trunk of a carrier."""

    address: Endpoint = setting(
        "Where calls to this carrier are sent: an IP address or a name, with or without a port. A "
        "name without a port is looked up as RFC 3263 says (NAPTR, SRV, A and AAAA records).",
        example="192.0.2.20:5060",
    )
    transport: Transport = setting(
        "How calls are sent to it; auto: as the carrier's NAPTR or SRV records say.", "udp"
    )
    sources: tuple[Source, ...] = setting(
        "Where its calls come from: networks, and names of hosts, whose addresses (A and AAAA "
        "records, of the name and of the hosts that its NAPTR and SRV records name) are looked up "
        "again and again; who answers for the name decides who may call. A call from anywhere "
        "else is refused, unless it brings the password of inbound_username. Where an address is "
        "several carriers', a call is that of the one which is called by its transport, and of "
        "several such, of the one with the narrower network.",
        (),
    )
    domain: str | None = setting(
        "The host that stands in the addresses of calls to it (request URI, From, To), where the "
        "carrier wants its own name there. Left out, address stands there, and in From our own.",
        None,
        example="acme.example",
    )
    probe_seconds: int | None = setting(
        "How often each place is asked by OPTIONS whether it works, in seconds. Two probes in a "
        "row without an answer take it out of use, two with one put it back. 0: never asked. Left "
        "out: 30 if one of its places is tls or auto, else 0. A probe also shows for whom the "
        "certificate of a place is, so 0 over TLS needs tls.ca: authorities whose every "
        "certificate may take your calls.",
        None,
        least=0,
        most=3_600,
        example="30",
    )
    username: str | None = setting(
        "Our user name at the carrier, if it challenges us (digest authentication).",
        None,
        example="4015550100",
    )
    password: Secret | None = setting(
        "The password to it; or name a file in password_file.", None, example="secret"
    )
    password_file: Path | None = setting(
        "A file that holds the password and nothing else.", None, example="acme.password"
    )
    realm: str | None = setting(
        "The realm of the carrier's challenges. Left out, any realm is answered, even "
        "to the participant's own device, where the carrier does not stay on a call's route.",
        None,
        example="acme.example",
    )
    register: bool = setting(
        "Whether the carrier wants us to register, with username and password, to be called.", False
    )
    register_seconds: int = setting(
        "How long a registration shall hold. It is renewed in time.", 3_600, least=60, most=86_400
    )
    inbound_username: str | None = setting(
        "A user name with which the carrier may call from any address, if it answers our "
        "challenge (digest authentication, SHA-256 or MD5). While any carrier has one, callers "
        "from unknown addresses are challenged instead of getting no answer.",
        None,
        example="acme",
    )
    inbound_password: Secret | None = setting("The password to it.", None, example="secret")
    inbound_password_always: bool = setting(
        "Whether calls and texts from its sources must bring the password, too: over UDP an "
        "address can be forged. What belongs to a call is known without.",
        False,
    )
    number_format: Literal["e164", "e164_without_plus", "national"] = setting(
        "How numbers are written to and by this carrier. e164: +14015550100. e164_without_plus: "
        "14015550100. national: as people of country write them, 4015550100; numbers of other "
        "countries as e164.",
        "e164",
    )
    country: str | None = setting(
        "The country of national numbers, two letters (ISO 3166).", None, example="US"
    )
    identity: tuple[
        Literal["p-asserted-identity", "p-preferred-identity", "remote-party-id"], ...
    ] = setting(
        "Headers that show the caller beside From. All show the proxy number and nothing else.",
        (),
    )
    codecs: tuple[Codec, ...] = setting(
        "The codecs that calls to and from this carrier may use, the preferred first. Empty: "
        "those that both phones offer, as they prefer. Keys pressed always pass.",
        (),
    )
    failover_carriers: tuple[str, ...] = setting(
        "Names of carriers that take a call in its place, in this order, when it is down, answers "
        "500, 502, 503 or 504, does not take our password, or does not answer. They must let us "
        "show this carrier's numbers.",
        (),
    )
    prefixes: tuple[str, ...] = setting(
        "Beginnings of called numbers, +44 say, for which this carrier is preferred to those that "
        "name it as a failover carrier.",
        (),
    )
    max_calls: int = setting(
        "How many calls at once may go out over it. 0: no limit.", 0, least=0, most=100_000
    )
    max_calls_per_second: int = setting(
        "How many calls a second may go out over it, from each node. 0: no limit.",
        0,
        least=0,
        most=10_000,
    )
    messages: bool = setting(
        "Whether the trunk also carries texts, as SIP MESSAGE (RFC 3428), both ways. Of its "
        "failover_carriers those take its texts that carry texts, too.",
        False,
    )
    srtp: Literal["off", "optional", "required", "dtls"] = setting(
        "Whether sound to and from this carrier is encrypted (SRTP with keys in the description, "
        "RFC 4568; choose tls as transport, or the keys travel in the open). off: never. optional: "
        "offered along with plain sound (RFC 8643), and taken if the carrier offers it. required: "
        "a call without it is refused. dtls: as browsers have it (WebRTC: ICE, DTLS-SRTP, one port "
        "for RTP and RTCP); a call without it is refused.",
        "off",
    )
    targets: tuple[CarrierTarget, ...] = setting(
        "More places where it can be reached, each a table with address, and if needed transport, "
        "priority and weight.",
        (),
    )
    tls: CarrierTls = setting("Certificates of the trunk.", CarrierTls())

    @property
    def places(self) -> tuple[tuple[Endpoint, Transport, int, int], ...]:
        """Where it can be reached: address, transport, priority, weight."""
        more = [
            (t.address, t.transport or self.transport, t.priority, t.weight) for t in self.targets
        ]
        return ((self.address, self.transport, 0, 0), *more)

    @property
    def packets(self) -> bool:
        """Whether requests to it may go by UDP, a packet each."""
        return any(transport in ("udp", "auto") for _, transport, _, _ in self.places)

    @property
    def encrypted(self) -> bool:
        """Whether every call over it is encrypted, its signalling and its sound."""
        by_tls = all(transport == "tls" for _, transport, _, _ in self.places)
        return by_tls and self.srtp in ("required", "dtls")

    @property
    def probed_every(self) -> int:
        """Seconds between probes; 0 for none."""
        if self.probe_seconds is not None:
            return self.probe_seconds
        return 30 if any(transport in ("tls", "auto") for _, transport, _, _ in self.places) else 0

    @property
    def secret(self) -> str | None:
        """Our password at the carrier; raises OSError when its file cannot be read."""
        if self.password_file is not None:
            return self.password_file.read_text(encoding="utf-8-sig").strip()
        return self.password.text if self.password else None
