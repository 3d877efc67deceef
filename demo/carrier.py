"""The demo's telephone company: a stateless SIP proxy (RFC 3261, 16.11) on one UDP address.

A call to one of its subscribers goes to that subscriber's phone, any other call to Maskline. It
remembers what it delivered to each phone, so that the demo can look for what must not be there.
"""

import asyncio
import hashlib
import re
from typing import Any

Address = tuple[str, int]

USER = re.compile(rb"sips?:([^@;>]+)@")
HOST = re.compile(rb"sips?:(?:[^@;>]*@)?([0-9.]+):?([0-9]*)")


class Carrier(asyncio.DatagramProtocol):
    """`phones` are the subscribers: number to address. `maskline` is where all else goes."""

    def __init__(self, own: Address, maskline: Address) -> None:
        self.own = own
        self.maskline = maskline
        self.phones: dict[str, Address] = {}
        self.delivered: dict[Address, bytes] = {}

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=self.own)

    def stop(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        head, blank, body = data.partition(b"\r\n\r\n")
        if not blank:
            return  # a keep-alive
        start, *headers = head.split(b"\r\n")
        if start.startswith(b"SIP/2.0 "):
            target = self._carry_back(headers)
        else:
            start, target = self._carry_on(start, headers)
        message = b"\r\n".join([start, *headers]) + b"\r\n\r\n" + body
        if target in self.phones.values():
            self.delivered[target] = self.delivered.get(target, b"") + message
        self._transport.sendto(message, target)

    def _carry_on(self, start: bytes, headers: list[bytes]) -> tuple[bytes, Address]:
        """Forwards a request; where to, and its new first line."""
        method, uri, _ = start.split(b" ", 2)
        own = b"%b:%d" % (self.own[0].encode(), self.own[1])
        branch = hashlib.sha256(headers[first(headers, b"via")]).hexdigest()[:16].encode()
        within_dialog = b";tag=" in headers[first(headers, b"to")]
        route = first(headers, b"route")
        if route is not None and own in headers[route]:
            del headers[route]
        if not within_dialog:
            headers.insert(0, b"Record-Route: <sip:%b;lr>" % own)
        headers.insert(0, b"Via: SIP/2.0/UDP %b;branch=z9hG4bK%b" % (own, branch))
        if within_dialog:
            return start, address(uri)
        user = USER.match(uri)
        phone = self.phones.get(user[1].decode()) if user else None
        if phone is None:
            return start, self.maskline
        uri = b"sip:%b@%b:%d" % (user[1] if user else b"", phone[0].encode(), phone[1])
        return b"%b %b SIP/2.0" % (method, uri), phone

    def _carry_back(self, headers: list[bytes]) -> Address:
        """Takes our Via off a reply; where the next one says that it goes."""
        del headers[first(headers, b"via")]
        via = headers[first(headers, b"via")]
        return address(b"sip:" + via.split()[-1].split(b";")[0])


def first(headers: list[bytes], name: bytes) -> Any:
    """The place of the first header of that name, or None."""
    places = (at for at, line in enumerate(headers) if line.lower().startswith(name + b":"))
    return next(places, None)


def address(uri: bytes) -> Address:
    found = HOST.match(uri)
    if found is None:
        raise ValueError("no address in a URI")
    return found[1].decode(), int(found[2] or 5060)
