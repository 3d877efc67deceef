"""What the control plane rendered for this node: a JSON file, read once at start."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import ipaddress
import json
from dataclasses import dataclass
from typing import Any

from . import sip
from .addresses import address_of, bracketed, is_here, is_nearby, parsed
from .digest import Account

CONTROL, BALANCER = "\ncontrol", "\nbalancer"  # no carrier has such a name
# What is compared with, or written as, text of SIP's: for each octet of UTF-8 a character (`sip`).
OCTETS = {"username", "realm", "password", "inbound_username", "inbound_password"}


@dataclass(frozen=True)
class Carrier:
    """A carrier as the control plane describes it; see `carrier_settings` there."""

    name: str
    address: str
    transports: list[str]
    messages: bool
    srtp: str
    tls_profile: str
    tls_names: list[str]
    domain: str | None
    username: str | None
    register: bool
    realm: str | None
    password: str | None
    inbound_username: str | None
    inbound_password: str | None
    inbound_password_always: bool
    identity: list[str]
    codecs: list[str]

    @functools.cached_property
    def mark(self) -> str:
        """What stands for the carrier in a sealed leg: short, and the same on every node."""
        return hashlib.blake2b(self.name.encode(), digest_size=3).hexdigest()

    @property
    def account(self) -> Account | None:
        """Who we are to it when it asks."""
        if self.username is None or self.password is None:
            return None
        return Account(self.username, self.password, self.realm)

    @property
    def host(self) -> str:
        """The host in the addresses of requests to it; empty where that is the target's own."""
        literal = (
            self.address.startswith("[") or self.address.split(":")[0].replace(".", "").isdigit()
        )
        return self.domain or ("" if literal else self.address)


@dataclass(frozen=True)
class Target:
    """One place of a carrier, and the numbers of a call as it writes them."""

    carrier: Carrier
    address: str
    transport: str
    caller: str = ""
    called: str = ""

    @property
    def hop(self) -> str:
        return f"sip:{self.address}{sip.parameter_of(self.transport)}"

    @property
    def uri(self) -> str:
        host = self.carrier.host or self.address
        return f"sip:{self.called}@{host}{sip.parameter_of(self.transport)}"


class Settings:
    def __init__(self, given: dict[str, Any]) -> None:
        self.secret: str = given["secret"]
        self.local: str = given["local"]
        self.salt: str = given["salt"]
        self.keys = {name: base64.b64decode(key) for name, key in given["keys"].items()}
        self.current_key: str = given["current_key"]
        self.switch_socket: str = given["switch_socket"]
        self.media_addresses: list[str] = given["media_addresses"]
        self.media_families = {"IP6" if ":" in one else "IP4" for one in self.media_addresses}
        host, _, port = given["media_control"].rpartition(":")
        self.media_control = (host, int(port))
        self.own_hosts: list[str] = given["own_hosts"]
        self.listeners = [tuple(listener.split(":", 1)) for listener in given["listen"]]
        self._advertised = [tuple(listener.split(":", 1)) for listener in given["advertise"]]
        self.websocket_origins: list[str] = given["websocket_origins"]
        self.node: str = given["node"]
        self.known_seconds: int = given["known_seconds"]
        self.stranger_seconds: int = given["stranger_seconds"]
        self.most_strange: int = given["most_strange"]
        self.others: str = given["others"]
        self.reserve: int = given["reserve"]
        self._balancers = [ipaddress.ip_network(one) for one in given["balancers"]]
        self._control = given["control"]
        ends = [given["control"], given["media_control"], *(at for _, at in self.listeners)]
        self._own_ports = {int(end.rpartition(":")[2]) for end in ends}
        named = [field.name for field in dataclasses.fields(Carrier)]
        carriers = [Carrier(*(value_of(c, name) for name in named)) for c in given["carriers"]]
        self.carriers = {carrier.name: carrier for carrier in carriers}
        self.marked = {carrier.mark: carrier for carrier in carriers}
        sources = [
            (ipaddress.ip_network(source), carrier["name"])
            for carrier in given["carriers"]
            for source in carrier["sources"]
        ]
        self._sources = sorted(sources, key=lambda one: -one[0].prefixlen)  # the narrowest first
        self.named_sources: bool = given["named_sources"]
        self._known: dict[tuple[str, str], str | None] = {}

    @classmethod
    def load(cls, path: str) -> Settings:
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file))

    def origin(self, address: str, port: int, transport: str) -> str | None:
        """Who speaks: a carrier's name, the control plane, a balancer, or None for a stranger."""
        if transport == "udp" and f"{bracketed(address)}:{port}" == self._control:
            return CONTROL
        key = address, transport
        if key not in self._known:
            if len(self._known) > 10_000:
                self._known.clear()
            source = parsed(address)
            balanced = any(source in network for network in self._balancers)
            self._known[key] = BALANCER if balanced else self.carrier_at(address, transport)
        return self._known[key]

    def carrier_at(self, address: str, transport: str) -> str | None:
        """The carrier at an address. Where several are, the one that is called by the transport
        that it calls by; of several such, the one of the narrower network."""
        source = parsed(address)
        names = [name for network, name in self._sources if source in network]
        called = [name for name in names if transport in self.carriers[name].transports]
        return next(iter(called or names), None)

    def is_at(self, carrier: Carrier, host: str) -> bool:
        """Whether a carrier is at an address, or may be, by its settings."""
        address = address_of(host)
        networks = [network for network, name in self._sources if name == carrier.name]
        if address is None:
            return False
        own = address_of(sip.host(f"sip:{carrier.address}"))
        return address == own or any(address in network for network in networks)

    def may_be_at(self, trunk: str, host: str) -> bool:
        """Whether whoever speaks by the carrier of this mark may want something to be sent to an
        address: to this machine or its neighbours only where the carrier is."""
        carrier = self.marked.get(trunk)
        return not is_nearby(host) or (carrier is not None and self.is_at(carrier, host))

    def may_hear(self, trunk: str, host: str, port: int) -> bool:
        """The same for sound, which is never sent to what listens to commands. A carrier's on this
        machine has it at whichever address."""
        if is_here(host):
            carrier = self.marked.get(trunk)
            own = sip.host(f"sip:{carrier.address}").strip("[]") if carrier else ""
            return port not in self._own_ports and (is_here(own) or self.may_be_at(trunk, host))
        return self.may_be_at(trunk, host)

    @property
    def inbound_accounts(self) -> dict[str, Account]:
        """With what carriers may call from any address, by the carrier's name."""
        return {
            name: Account(carrier.inbound_username, carrier.inbound_password)
            for name, carrier in self.carriers.items()
            if carrier.inbound_username and carrier.inbound_password
        }

    def targets(self, route: dict[str, Any]) -> list[Target]:
        """Where the control plane wants a call to go, the first choice first."""
        return [
            Target(
                self.carriers[one["CarrierName"]],
                one["Address"],
                one["Transport"],
                one["Caller"],
                one["Called"],
            )
            for one in route["Targets"]
        ]

    def told(self, transport: str, local: str) -> str:
        """What stands in a Contact for our address `local`: that of the balancer in front, where
        there is one of this transport and version of IP."""
        six = local.startswith("[")
        fitting = [
            where
            for kind, where in self._advertised
            if kind == transport and where.startswith("[") == six
        ]
        return next(iter(fitting), local)

    def host_told(self, target: Target) -> str:
        """The host of the numbers that we show to a target."""
        local = self.listener(target.transport, target.address) or ""
        return target.carrier.domain or self.told(target.transport, local)

    def listener(self, transport: str, hop: str = "") -> str | None:
        """Our first address for a transport, as host:port; of the version of IP that `hop`, the
        host of the next hop, is of, if it is an address."""
        six = hop.startswith("[")
        ours = [where for kind, where in self.listeners if kind == transport]
        fitting = [where for where in ours if where.startswith("[") == six]
        return next(iter(fitting or ([] if six else ours)), None)


def value_of(carrier: dict[str, Any], name: str) -> Any:
    """A value of a carrier's settings, as Carrier has it."""
    value = carrier[name]
    return value.encode().decode("latin-1") if value and name in OCTETS else value
