"""What the control plane rendered for this node: a JSON file, read once at start."""

from __future__ import annotations

import base64
import ipaddress
import json
from dataclasses import dataclass
from typing import Any

CONTROL = "control"


@dataclass(frozen=True)
class Carrier:
    name: str
    address: str
    transport: str
    messages: bool

    def uri(self, number: str) -> str:
        parameter = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"sip:{number}@{self.address}{parameter}"


class Settings:
    def __init__(self, given: dict[str, Any]) -> None:
        self.secret: str = given["secret"]
        self.salt: str = given["salt"]
        self.keys = {name: base64.b64decode(key) for name, key in given["keys"].items()}
        self.current_key: str = given["current_key"]
        self.switch_socket: str = given["switch_socket"]
        self.media_addresses: list[str] = given["media_addresses"]
        host, _, port = given["media_control"].rpartition(":")
        self.media_control = (host, int(port))
        self.own_hosts: list[str] = given["own_hosts"]
        self.listeners = [tuple(listener.split(":", 1)) for listener in given["listen"]]
        self._control = given["control"]
        self.carriers = {
            c["name"]: Carrier(c["name"], c["address"], c["transport"], c["messages"])
            for c in given["carriers"]
        }
        self._sources = [
            (ipaddress.ip_network(source), carrier["name"])
            for carrier in given["carriers"]
            for source in carrier["sources"]
        ]
        self._known: dict[str, str | None] = {}

    @classmethod
    def load(cls, path: str) -> Settings:
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file))

    def origin(self, address: str, port: int) -> str | None:
        """Who speaks: a carrier's name, the control plane, or None for a stranger."""
        if f"{address}:{port}" == self._control:
            return CONTROL
        if address not in self._known:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[address] = self._carrier_at(address)
        return self._known[address]

    def _carrier_at(self, address: str) -> str | None:
        source = ipaddress.ip_address(address.strip("[]"))
        return next((name for network, name in self._sources if source in network), None)

    def listener(self, transport: str) -> str | None:
        """Our first address for a transport, as host:port."""
        return next((where for kind, where in self.listeners if kind == transport), None)
