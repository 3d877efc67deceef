"""What a setting can be beyond text and numbers: read from text, printed as text."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

PASSWORD = re.compile(r"(?<=:)(?!//).+(?=@)|(?<=password=)[^&]+")

ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")

TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")


def port_number(text: str) -> int:
    """A port from 1 to 65535; raises ValueError for anything else."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise ValueError(f"{text!r} is not a port between 1 and 65535")
    return int(text)


@dataclass(frozen=True)
class Host:
    """A literal IP address: names are refused, because who answers to one can change."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(str(ipaddress.ip_address(text)))
        except ValueError:
            raise ValueError(f"{text!r} is not an IP address such as 192.0.2.10") from None

    @property
    def wildcard(self) -> bool:
        return ipaddress.ip_address(self.text).is_unspecified

    @property
    def version(self) -> int:
        """The version of the Internet Protocol: 4 or 6."""
        return ipaddress.ip_address(self.text).version

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Address:
    """An IP address and a port: `192.0.2.10:5060`, `[2001:db8::1]:5060`."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        host, colon, port = text.rpartition(":")
        if not colon:
            raise ValueError(f"{text!r} is not an address with a port, such as 127.0.0.1:8080")
        return cls(Host.parse(host.removeprefix("[").removesuffix("]")).text, port_number(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


HOST_NAME = re.compile(r"(?=.{1,253}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.?)+")


@dataclass(frozen=True)
class Endpoint:
    """Where a carrier is: `192.0.2.20:5060`, `[2001:db8::1]:5060`, `sip.acme.example`, or a name
    with a port. A name without a port is looked up as RFC 3263 says."""

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        host, colon, port = text.rpartition(":")
        if text.endswith("]") or not colon or (text.count(":") > 1 and not text.startswith("[")):
            host, port = text, ""
        number = port_number(port) if port else None
        try:
            return cls(Host.parse(host.removeprefix("[").removesuffix("]")).text, number)
        except ValueError:
            if not HOST_NAME.fullmatch(host) or host.replace(".", "").isdigit():
                raise ValueError(
                    f"{text!r} is no address such as 192.0.2.20:5060 or sip.acme.example"
                ) from None
        return cls(host.rstrip(".").lower(), number)

    @property
    def literal(self) -> bool:
        """Whether it is an IP address."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    def at(self, otherwise: int) -> str:
        """Host and port as they stand in a URI; `otherwise` is the port if it names none."""
        return str(Address(self.host, self.port or otherwise))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


@dataclass(frozen=True)
class Listener:
    """A transport and an address to receive SIP on: `udp:192.0.2.10:5060`."""

    transport: str
    address: Address

    @classmethod
    def parse(cls, text: str) -> Self:
        transport, _, address = text.partition(":")
        if transport not in TRANSPORTS:
            raise ValueError(f"{text!r} is not a listener such as udp:192.0.2.10:5060")
        parsed = Address.parse(address)
        if Host(parsed.host).wildcard:
            raise ValueError(f"{text!r} names no address that a phone could answer to")
        return cls(transport, parsed)

    @property
    def encrypted(self) -> bool:
        return self.transport in ("tls", "wss")

    def __str__(self) -> str:
        return f"{self.transport}:{self.address}"


@dataclass(frozen=True)
class PortRange:
    """Ports from first to last, both included: `30000-39999`."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Self:
        first, dash, last = text.partition("-")
        if not dash:
            raise ValueError(f"{text!r} is not a range of ports such as 30000-39999")
        ports = cls(port_number(first.strip()), port_number(last.strip()))
        if ports.first >= ports.last:
            raise ValueError(f"{text!r} has no room for one call, which takes two ports")
        return ports

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Origin:
    """Where web pages come from, as browsers tell it (RFC 6454): `https://phone.example`."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        found = ORIGIN.fullmatch(text.lower())
        if not found:
            raise ValueError(f"{text!r} is not an origin such as https://phone.example")
        scheme, host, port = found.groups()
        default = port == {"https": ":443", "http": ":80"}.get(scheme)
        return cls(f"{scheme}://{host}{'' if default or not port else port}")

    def __str__(self) -> str:
        return self.text


def around(text: str) -> str:
    """What is meant by an address within a network, 192.0.2.5/24 say: that network, as a rule."""
    try:
        return f"; did you mean {ipaddress.ip_network(text, strict=False)}?"
    except ValueError:
        return ""


@dataclass(frozen=True)
class Network:
    """A range of IP addresses: `192.0.2.0/24`; a bare address means itself alone."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(str(ipaddress.ip_network(text)))
        except ValueError:
            told = f"{text!r} is not a network such as 192.0.2.0/24{around(text)}"
            raise ValueError(told) from None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Source:
    """Whom requests come from: a network, as `Network` reads it, or the name of a host."""

    text: str
    named: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(Network.parse(text).text)
        except ValueError:
            if not HOST_NAME.fullmatch(text) or text.replace(".", "").isdigit():
                raise ValueError(
                    f"{text!r} is neither a network such as 192.0.2.0/24 nor a name such as "
                    f"sip.acme.example{around(text)}"
                ) from None
        return cls(text.rstrip(".").lower(), named=True)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class StoreUrl:
    """Where the data is kept: `sqlite:` and the path of a file, or a `postgresql://` URL."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        scheme, _, place = text.partition(":")
        if (scheme == "sqlite" and place) or (scheme == "postgresql" and place.startswith("//")):
            return cls(text)
        raise ValueError(
            f"'{cls(text)}' is not a store such as sqlite:var/maskline.db or postgresql://host/name"
        )

    @property
    def path(self) -> str | None:
        """The path of SQLite's file."""
        scheme, _, place = self.text.partition(":")
        return place if scheme == "sqlite" else None

    def without_password(self, text: str) -> str:
        """What a library says of the URL, which may be the password."""
        for found in PASSWORD.finditer(self.text):
            text = text.replace(found[0], "***")
        return text

    def __str__(self) -> str:
        """The URL without its password."""
        return PASSWORD.sub("***", self.text)


@dataclass(frozen=True)
class Secret:
    """A secret text: never printed, not even by mistake."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(text)

    def __str__(self) -> str:
        return "***"

    __repr__ = __str__


@dataclass(frozen=True)
class Url:
    """A web address without a query: `https://sms.example.com`; a slash at its end is left out."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        shown = PASSWORD.sub("***", text)
        told = f"{shown!r} is not a URL such as https://sms.example.com"
        try:
            parts = urlsplit(text)
            wrong = parts.username is not None or (parts.port or 1) < 1
        except ValueError:
            parts, wrong = urlsplit(""), True
        if wrong or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(told)
        if parts.query or parts.fragment or not text.isascii() or not text.isprintable():
            raise ValueError(told)
        return cls(text.rstrip("/"))

    @property
    def encrypted(self) -> bool:
        return self.text.startswith("https:")

    def __str__(self) -> str:
        return self.text
