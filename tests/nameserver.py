"""A DNS server on the loopback, by a library that the service does not use."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dnslib import QTYPE, RCODE, RR, DNSRecord  # type: ignore[import-untyped]
from dnslib.server import BaseResolver, DNSLogger, DNSServer  # type: ignore[import-untyped]


class Zone(BaseResolver):  # type: ignore[misc]
    """Answers from zone-file text, which a test may change at any time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[tuple[str, str]] = []

    def resolve(self, request: DNSRecord, _handler: Any) -> DNSRecord:
        reply, name = request.reply(), str(request.q.qname).lower()
        kind = QTYPE[request.q.qtype]
        self.asked.append((name, kind))
        records = [one for one in RR.fromZone(self.text) if str(one.rname).lower() == name]
        for record in records:
            if QTYPE[record.rtype] == kind:
                reply.add_answer(record)
        if not records:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply


@contextmanager
def serving(text: str) -> Iterator[tuple[Zone, int]]:
    """The zone and the port that it is served on."""
    zone = Zone(text)
    server = DNSServer(zone, address="127.0.0.1", port=0, logger=DNSLogger("", False))
    server.start_thread()
    try:
        yield zone, server.server.server_address[1]
    finally:
        server.stop()
        server.server.server_close()
