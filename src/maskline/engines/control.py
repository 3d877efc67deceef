"""The control line to Kamailio: a small SIP client on a loopback address of its own.

Kamailio knows the address (`control` in its settings) and takes from it what it takes from nobody
else: a BYE for a leg of a call, in that leg's own dialogue, which it masks and passes on as if the
other side had hung up. Timers are those of RFC 3261, 17.1.2.2.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from maskline.engines.ground import family
from maskline.settings import Address

T1, T2 = 0.5, 4.0
FINAL_SECONDS = 64 * T1
PROBE_SECONDS = 1.0
# The parties count their requests from low numbers; ours must be higher than any of theirs.
HIGH_CSEQ = 2**30


class ControlLine(asyncio.DatagramProtocol):
    """Sends requests to one Kamailio and gives their final status. Safe for concurrent use."""

    def __init__(self, kamailio: Address) -> None:
        self._kamailio = (kamailio.host, kamailio.port)
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[str, asyncio.Future[int]] = {}
        self._cseq = HIGH_CSEQ

    async def open(self) -> None:
        loopback = "::1" if ":" in self._kamailio[0] else "127.0.0.1"
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(loopback, 0), family=family(loopback)
        )

    @property
    def address(self) -> Address:
        """Where requests come from."""
        assert self._transport is not None, "open() comes first"
        host, port = self._transport.get_extra_info("sockname")[:2]
        return Address(host, port)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        status, branch = read_reply(data)
        answer = self._waiting.get(branch)
        if answer is not None and status >= 200 and not answer.done():
            answer.set_result(status)

    async def answers(self) -> bool:
        """Whether Kamailio's workers answer an OPTIONS at all."""
        own = self.address
        leg = {
            "CallId": secrets.token_hex(8),
            "From": f"<sip:{own}>;tag={secrets.token_hex(4)}",
            "To": f"<sip:{Address(*self._kamailio)}>",
            "Target": f"sip:{Address(*self._kamailio)}",
        }
        return await self._request("OPTIONS", leg, 1, limit=PROBE_SECONDS) is not None

    async def hang_up(self, leg: Mapping[str, str]) -> int | None:
        """Sends BYE to one leg of a call: its final SIP status, None when there was none."""
        self._cseq += 1
        return await self._request("BYE", leg, self._cseq, limit=FINAL_SECONDS)

    async def _request(
        self, method: str, leg: Mapping[str, str], cseq: int, limit: float
    ) -> int | None:
        assert self._transport is not None, "open() comes first"
        branch = "z9hG4bK" + secrets.token_hex(8)
        message = request(method, leg, cseq, self.address, branch)
        answer = self._waiting[branch] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit):
                return await self._repeat(message, answer)
        except TimeoutError:
            return None
        finally:
            del self._waiting[branch]

    async def _repeat(self, message: bytes, answer: asyncio.Future[int]) -> int:
        assert self._transport is not None
        wait = T1
        while not answer.done():
            self._transport.sendto(message, self._kamailio)
            await asyncio.wait({answer}, timeout=wait)
            wait = min(wait * 2, T2)
        return answer.result()


def request(method: str, leg: Mapping[str, str], cseq: int, own: Address, branch: str) -> bytes:
    """A request without a body in the dialogue of a leg; the leg's values are used as they are."""
    lines = [
        f"{method} {leg['Target']} SIP/2.0",
        f"Via: SIP/2.0/UDP {own};branch={branch}",
        "Max-Forwards: 70",
        f"From: {leg['From']}",
        f"To: {leg['To']}",
        f"Call-ID: {leg['CallId']}",
        f"CSeq: {cseq} {method}",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def read_reply(data: bytes) -> tuple[int, str]:
    """The status and the branch of the top Via of a reply; (0, "") for what is no reply."""
    start, *headers = data.decode(errors="replace").split("\r\n")
    version, _, rest = start.partition(" ")
    status = rest[:3]
    if version != "SIP/2.0" or not status.isdigit():
        return 0, ""
    for header in headers:
        name, _, value = header.partition(":")
        if name.strip().lower() in ("via", "v"):
            parameters = value.partition(",")[0].split(";")[1:]
            pairs = (parameter.strip().partition("=") for parameter in parameters)
            return int(status), next((text for name, _, text in pairs if name == "branch"), "")
    return 0, ""
