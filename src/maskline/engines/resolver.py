"""Where a carrier is: its name resolved to targets (RFC 3263, RFC 2782, RFC 3403).

A name with a port is looked up for its addresses. One without is asked for the services that it
names: by NAPTR if the transport is left to it, then by SRV, at last by its addresses alone.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver

from maskline.domain.trunk import Target
from maskline.settings import Address, Endpoint

AUTO = "auto"
SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
SRV = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
SECONDS = 4.0  # for one question, however many servers are asked
SHORTEST, LONGEST = 10.0, 300.0  # how long an answer is kept, whatever it says itself
MOST_TARGETS, MOST_HOSTS = 16, 64


class Unresolved(Exception):
    """A name leads nowhere; the text says which question failed."""


class Resolver:
    """Asks the system's name servers, or those given. `ways` are the transports that we speak, and
    the version of IP of each (4 or 6)."""

    def __init__(self, servers: Sequence[Address], ways: Collection[tuple[str, int]]) -> None:
        self._servers = servers
        self._ways = set(ways)
        self._transports = [name for name in PORTS if any(name == one for one, _ in ways)]

    async def targets(self, endpoint: Endpoint, transport: str) -> tuple[list[Target], float]:
        """The targets that a carrier's address stands for, and for how many seconds they hold.
        Raises Unresolved."""
        if endpoint.literal:
            chosen = self._transports[0] if transport == AUTO else transport
            return [Target(endpoint.at(PORTS[chosen]), chosen)], LONGEST
        question = Question(self._asker())
        found = await self._services(question, endpoint, transport)
        if not found:
            raise Unresolved(f"{endpoint}: no address")
        found = [one for one in found if (one.transport, version_of(one)) in self._ways]
        if not found:
            raise Unresolved(f"{endpoint}: no address of a version of IP that sip.listen has")
        return found[:MOST_TARGETS], min(max(question.ttl, SHORTEST), LONGEST)

    async def hosts(self, name: str) -> tuple[list[str], float]:
        """The addresses of a host and of the hosts that its services are on, and for how many
        seconds they hold. Raises Unresolved."""
        question = Question(self._asker())
        endpoint = Endpoint(name)
        found = await self._services(question, endpoint, AUTO)
        found += await addresses(question, name, Target("", AUTO), PORTS["udp"])
        if not found:
            raise Unresolved(f"{name}: no address")
        hosts = dict.fromkeys(Address.parse(one.address).host for one in found)
        return list(hosts)[:MOST_HOSTS], min(max(question.ttl, SHORTEST), LONGEST)

    def _asker(self) -> dns.asyncresolver.Resolver:
        asker = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            asker.nameservers = [
                dns.nameserver.Do53Nameserver(one.host, one.port) for one in self._servers
            ]
        asker.lifetime = SECONDS
        return asker

    async def _services(
        self, question: "Question", endpoint: Endpoint, transport: str
    ) -> list[Target]:
        name = endpoint.host
        if endpoint.port is not None:
            chosen = self._transports[0] if transport == AUTO else transport
            return await addresses(question, name, Target("", chosen), endpoint.port)
        if transport == AUTO:
            named = await self._by_naptr(question, name)
            if named:
                return named
        choices = self._transports if transport == AUTO else [transport]
        for place, choice in enumerate(choices):
            found = await by_srv(question, f"{SRV[choice]}.{name}", choice, place)
            if found:
                return found
        return await addresses(question, name, Target("", choices[0]), PORTS[choices[0]])

    async def _by_naptr(self, question: "Question", name: str) -> list[Target]:
        records = sorted(await question.ask(name, "NAPTR"), key=lambda r: (r.order, r.preference))
        found: list[Target] = []
        for place, record in enumerate(records):
            transport = SERVICES.get(record.service.decode().upper(), "")
            if transport in self._transports and record.flags.lower() == b"s":
                found += await by_srv(question, str(record.replacement), transport, place)
        return found


def version_of(target: Target) -> int:
    return 6 if target.address.startswith("[") else 4


async def by_srv(question: "Question", name: str, transport: str, place: int) -> list[Target]:
    """The targets of a service; `place` puts them behind those of services that are preferred."""
    records = [r for r in await question.ask(name, "SRV") if str(r.target) != "."]
    lists = await asyncio.gather(
        *(
            addresses(
                question,
                str(record.target),
                Target("", transport, place << 16 | record.priority, record.weight),
                record.port,
            )
            for record in records
        )
    )
    return [target for one in lists for target in one]


async def addresses(question: "Question", name: str, like: Target, port: int) -> list[Target]:
    """A target for each address of a host, IPv6 first where it has both (RFC 6724)."""
    six, four = await asyncio.gather(question.ask(name, "AAAA"), question.ask(name, "A"))
    return [replace(like, address=str(Address(one.address, port))) for one in [*six, *four]]


class Question:
    """Asks, and remembers the shortest time that any of the answers holds, in seconds."""

    def __init__(self, asker: dns.asyncresolver.Resolver) -> None:
        self._asker = asker
        self.ttl: float = LONGEST

    async def ask(self, name: str, kind: str) -> Iterable[Any]:
        """The records, none where there is no such name; raises Unresolved when nobody answers."""
        try:
            answer = await self._asker.resolve(name, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return []
        except dns.exception.DNSException as error:
            raise Unresolved(f"{name} {kind}: {type(error).__name__}") from error
        if answer.rrset is None:
            return []
        self.ttl = min(self.ttl, answer.rrset.ttl)
        return list(answer.rrset)
