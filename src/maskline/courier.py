"""HTTP on the way out: to providers of texts, and to the places where they keep media.

Who chooses a URL must not thereby reach into the operator's own network. So the address of every
connection is checked at the last moment, when its socket is made: after DNS, however the host was
written, and for each hop of a redirect. Times, sizes and redirects are bounded, certificates are
verified, and the environment's proxies, cookies and credentials are not used.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

USER_AGENT = "Maskline"
CONNECT_SECONDS = 5.0
REDIRECTS = (301, 302, 303, 307, 308)
DEFAULT_MOST_BYTES = 262_144

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Public by the registries, and yet a way to somewhere else: IETF protocol assignments (RFC 6890),
# the relays of 6to4 (RFC 7526), 6to4 and Teredo, which carry an IPv4 address inside, site-local.
SIDE_DOORS = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "fec0::/10")
)


class NotCarried(Exception):
    """A request that has no answer. Its text names no more than the kind of the failure."""


class NotSent(NotCarried):
    """Nothing of the request has reached anybody."""


class ForbiddenPlace(NotSent):
    """The URL leads to an address that requests may not go to, or is none that we could ask."""


class Unanswered(NotCarried):
    """The request went out; whether it was carried out is not known."""


@dataclass(frozen=True)
class HttpRequest:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class HttpReply:
    """`headers` are by lower-case name; of one that stands several times, the last."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ForbiddenAddress(OSError):
    """Raised where a socket would be made; always with the same text, so that a host with many
    forbidden addresses makes one error of them."""

    def __init__(self) -> None:
        super().__init__("the address is not one that requests may go to")


def is_public(address: IpAddress) -> bool:
    """Whether an address belongs to the public internet and to nobody's inside."""
    if any(address in network for network in SIDE_DOORS if network.version == address.version):
        return False
    inside = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not inside


def plain(text: str) -> IpAddress:
    """The address as it is routed: an IPv4 address in IPv6's clothes is itself (RFC 4291 2.5.5)."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


class Courier:
    """Carries requests. `allowed` are networks it may go to although they are not public.

    `resolver` finds addresses in another way than the system's. Used inside `async with`.
    """

    def __init__(
        self, allowed: Iterable[IpNetwork] = (), resolver: AbstractResolver | None = None
    ) -> None:
        self._allowed = tuple(allowed)
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=0,  # whoever sends knows how many may be under way
            resolver=self._resolver,
            socket_factory=self._socket,
            ssl=ssl.create_default_context(),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    def may_go_to(self, address: str) -> bool:
        """Whether this address, in any notation of the system's, may be connected to."""
        found = plain(address)
        return is_public(found) or any(
            found in network for network in self._allowed if network.version == found.version
        )

    async def send(
        self, request: HttpRequest, *, seconds: float = 30.0, most_bytes: int = DEFAULT_MOST_BYTES
    ) -> HttpReply:
        """The answer to a request, whatever its status; a redirect is an answer like others.

        Raises NotSent or Unanswered; an answer of more than `most_bytes` bytes is Unanswered.
        """
        assert self._session is not None, "used outside `async with`"
        url = address_of(request.url)
        try:
            async with self._session.request(
                request.method,
                url,
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS),
            ) as response:
                headers = {name.lower(): text for name, text in response.headers.items()}
                return HttpReply(response.status, headers, await bounded(response, most_bytes))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise failure(error) from error

    async def fetch(
        self, request: HttpRequest, *, hops: int, seconds: float, most_bytes: int
    ) -> HttpReply:
        """As `send`, following up to `hops` redirects of a GET: never from TLS to none, and to
        another origin without the request's headers, which are meant for the first alone."""
        url, headers = address_of(request.url), request.headers
        async with asyncio.timeout(seconds):
            for _ in range(hops + 1):
                hop = HttpRequest("GET", str(url), headers)
                reply = await self.send(hop, seconds=seconds, most_bytes=most_bytes)
                if reply.status not in REDIRECTS or "location" not in reply.headers:
                    return reply
                following = joined(url, reply.headers["location"])
                if following.origin() != url.origin():
                    headers = {}
                url = following
        raise ForbiddenPlace("too many redirects")

    def _socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        kind, sort, protocol, _, address = info
        if not self.may_go_to(str(address[0])):
            raise ForbiddenAddress
        return socket.socket(kind, sort, protocol)


def address_of(text: str) -> URL:
    """The URL that a text spells; raises ForbiddenPlace when it is none of http or https."""
    try:
        url = URL(text)
        if url.scheme in ("http", "https") and url.host and not url.user and not url.password:
            return url
    except ValueError:
        pass
    raise ForbiddenPlace("no URL of http or https")


def joined(url: URL, location: str) -> URL:
    """Where a redirect leads."""
    try:
        following = address_of(str(url.join(URL(location))))
    except ValueError:
        raise ForbiddenPlace("a redirect to no URL") from None
    if url.scheme == "https" and following.scheme != "https":
        raise ForbiddenPlace("a redirect away from TLS")
    return following


async def bounded(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """The body of an answer; raises Unanswered when it is too long or is compressed, unasked."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unanswered("a compressed answer")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            raise Unanswered(f"an answer of more than {most_bytes} bytes")
    return bytes(body)


def failure(error: Exception) -> NotCarried:
    """What a failure of the library means for the request."""
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, ForbiddenAddress):
            return ForbiddenPlace(str(error.os_error))
        return NotSent(type(error).__name__)
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
        return NotSent(type(error).__name__)
    return Unanswered(type(error).__name__)
