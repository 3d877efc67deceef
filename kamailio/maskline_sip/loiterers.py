"""Strangers who connect to us and never come to say who they are. Kamailio closes a connection
that is silent; on one where a byte comes now and then, of a handshake or of a message, it waits for
ever."""

from __future__ import annotations

import json
from typing import Any

import KSR

from .balancers import Source
from .senders import Senders
from .settings import Settings

LIST = '{"jsonrpc": "2.0", "method": "core.tcp_list", "id": 1}'
MOST_SECONDS = 10.0  # from when we see a connection first


class Loiterers:
    """What one process of Kamailio's sees, which looks every few seconds."""

    def __init__(self, settings: Settings, senders: Senders) -> None:
        self._senders, self._lifetime = senders, settings.stranger_seconds
        self._ports = {int(at.rpartition(":")[2]) for _, at in settings.listeners}
        self._since: dict[int, float] = {}

    def sweep(self, now: float) -> None:
        """Closes the connections on which nobody is known yet, and has had the time to be; `now` is
        in seconds."""
        KSR.jsonrpcs.exec(LIST)
        listed = json.loads(KSR.pv.get("$jsonrpl(body)")).get("result") or []
        strange = [one["id"] for one in listed if self._is_strange(one)]
        self._since = {number: self._since.get(number, now) for number in strange}
        for number, since in self._since.items():
            if now - since >= MOST_SECONDS:
                KSR.tcpops.tcp_close_connection_id(number)

    def _is_strange(self, one: dict[str, Any]) -> bool:
        """Whether a connection was made to us, by no carrier's address, and not a word was heard on
        it by which it would have been given more time."""
        if one["dst_port"] not in self._ports or one["lifetime"] > self._lifetime:
            return False
        source = Source(one["src_ip"], one["src_port"], one["type"].lower())
        return self._senders.origin(source) is None
