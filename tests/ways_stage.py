"""Kamailio and the settings of a node, as far as the ways to a next hop ask them."""

from types import SimpleNamespace
from typing import Any

from maskline_sip.settings import Settings

PLACE = "sip:192.0.2.2:5061;transport=tls"


class Kamailio:
    """Its table of what certificates were seen, its connections, and whether it may make one."""

    def __init__(self) -> None:
        self.cells: dict[str, str] = {}
        self.alive: set[int] = set()
        self.connects = True
        self.chosen, self.keeps_to_it, self.watched = 0, 0, False
        self.told: dict[str, Any] = {}
        self.sections: list[str] = []
        self.pv = SimpleNamespace(
            sets=self.told.__setitem__, unset=lambda name: self.told.pop(name, None),
            get=self.told.get,
        )  # fmt: skip
        self.tls = SimpleNamespace(set_connect_server_id=self.sections.append)
        self.tm = SimpleNamespace(t_on_branch=self.on_branch)
        self.replies_connect = True
        self.source = ""
        self.closed: list[int] = []
        self.corex = SimpleNamespace(set_source_address=self.set_source)
        self.htable = self.tcpops = self

    def sht_get(self, _table: str, name: str) -> str | None:
        return self.cells.get(name)

    def sht_sets(self, _table: str, name: str, value: str) -> None:
        self.cells[name] = value

    def sht_rm(self, _table: str, name: str) -> None:
        self.cells.pop(name, None)

    def tcp_conid_alive(self, number: int) -> int:
        return 1 if number in self.alive else -1

    def tcp_enable_closed_event(self) -> None:
        self.watched = True

    def tcp_set_otcpid(self, number: int) -> None:
        self.chosen = number

    def tcp_set_otcpid_flag(self, on: int) -> None:
        self.keeps_to_it = on

    def on_branch(self, route: str) -> None:
        self.connects = route != "connected"

    def set_forward_no_connect(self) -> None:
        self.connects = False

    def tcp_close_connection_id(self, number: int) -> None:
        self.closed.append(number)

    def force_rport(self) -> None:
        self.source = "forced "

    def set_source(self, place: str) -> None:
        self.source += place

    def set_reply_no_connect(self) -> None:
        self.replies_connect = False


class Listening:
    """Settings of a node, whose carrier is at an address without a port."""

    listeners = (("udp", "192.0.2.1:5060"), ("tls", "[2001:db8::1]:5061"), ("ws", "192.0.2.1:80"))
    marked: dict[str, Any] = {}  # noqa: RUF012
    may_be_at = Settings.may_be_at


class Calling(Listening):
    """Settings of a node with a carrier over TLS, for whose certificates there are names, or, where
    it is never probed, none."""

    listeners = (("tls", "192.0.2.1:5061"),)

    def __init__(self, *names: str) -> None:
        known = {"tls_profile": "acme", "tls_names": names, "register": False}
        self.marked = {"acme": SimpleNamespace(**known)}

    def listener(self, _transport: str, _hop: str) -> str:
        return self.listeners[0][1]


class Routing(Calling):
    """Settings of a node that says of each listener which of them a hop is reached by."""

    def __init__(self, local: str | None = "192.0.2.1:5060", *names: str) -> None:
        super().__init__(*names)
        self.local = local

    def listener(self, transport: str, host: str) -> str | None:  # type: ignore[override]
        self.asked = transport, host
        return self.local

    def told(self, transport: str, local: str) -> str:
        return f"balancer-of-{transport}-{local}"
