"""The control line to Kamailio: a small SIP client on a loopback address of its own.

Kamailio knows the address (`control` in its settings) and takes from it what it takes from nobody
else: an ACK or BYE for a leg of a call, in that leg's own dialog, which it masks and passes on as
if the other side had sent it; a CANCEL of a call that rings, by our id of it; and a MESSAGE for a
carrier, which it writes anew. Timers are those of RFC 3261, 17.1.2.2.
"""

import asyncio
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import structlog

from maskline.domain.causes import NORMAL
from maskline.domain.trunk import Target
from maskline.engines.ground import family
from maskline.settings import Address

T1, T2 = 0.5, 4.0
FINAL_SECONDS = 64 * T1
PROBE_SECONDS = 1.0
TARGET_SECONDS = 4.0
# What Kamailio answers for a target that it cannot reach (408, 503) or that did not show the
# right certificate (503).
UNREACHED = (408, 503)
# Ours must be higher than any of the parties' numbers, which may be any below 2**31 (RFC 3261
# 8.1.1.5) and seldom begin high; those that ours go round in leave room for what is added after a
# challenge.
HIGH_CSEQ, MOST_CSEQS = 2**31 - 2**22, 2**21
# So many who answered too late are hung up at once; more are left to their own timers (RFC 3261
# 13.3.1.4), for each takes a transaction of Kamailio's.
MOST_DISMISSED = 200
TEXT_STEP = 8  # from a text's number to the next one: a challenge or two lie between
EXPIRES = re.compile(rb"\r\nExpires[ \t]*:[ \t]*(\d{1,6})", re.IGNORECASE)
RETRY_AFTER = re.compile(rb"\r\nRetry-After[ \t]*:[ \t]*(\d{1,6})", re.IGNORECASE)
TOLD = re.compile(rb"\r\nX-Told: ([\x20-\x7e]{1,200})")

log = structlog.get_logger()


@dataclass(frozen=True)
class Reply:
    """A final reply; `retry_after` and `expires` are in seconds, None when it names none. `told`
    says in words how a carrier refused an errand, None where no carrier did."""

    status: int
    retry_after: float | None = None
    expires: int | None = None
    told: str | None = None


@dataclass(frozen=True)
class SipText:
    """A text for a carrier: numbers as it writes them, `call_id` the same each time that the text
    is sent."""

    carrier: str
    shown: str
    called: str
    call_id: str
    content: bytes


class ControlLine(asyncio.DatagramProtocol):
    """Sends requests to one Kamailio and gives their final status. Safe for concurrent use.
    `others` are its further UDP sockets, each of which has workers of its own."""

    def __init__(self, kamailio: Address, *others: Address) -> None:
        self._kamailio, self._others = kamailio, others
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._cseq = HIGH_CSEQ
        self._dismissing: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        loopback = "::1" if ":" in self._kamailio.host else "127.0.0.1"
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
        for task in self._dismissing.values():
            task.cancel()
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        status, branch = read_reply(data)
        answer = self._waiting.get(branch)
        if answer is not None and status >= 200 and not answer.done():
            answer.set_result(Reply(status, retry_after(data), expires(data), told(data)))

    async def answers(self, seconds: float = PROBE_SECONDS) -> bool:
        """Whether Kamailio's workers answer an OPTIONS within this time."""
        return await self._answers(self._kamailio, seconds)

    async def all_answer(self, seconds: float) -> bool:
        """Whether those of each UDP socket do; returns when the last of them has answered. Who has
        the other version of IP does not know us."""
        six = ":" in self._kamailio.host
        others = [one for one in self._others if (":" in one.host) is six]
        asked = (self._answers(one, seconds) for one in (self._kamailio, *others))
        return all(await asyncio.gather(*asked))

    async def _answers(self, socket: Address, seconds: float) -> bool:
        own = self._own(f"sip:{socket}")
        return await self._request("OPTIONS", own, 1, limit=seconds, to=socket) is not None

    async def hang_up(self, leg: Mapping[str, str], cause: int | None = NORMAL) -> int | None:
        """Sends BYE to one leg of a call: its final SIP status, None when there was none. `cause`
        (Q.850) is for Kamailio to report, which reports nothing where there is none; the party is
        told nothing of it."""
        told = dict(leg) if cause is None else {**leg, "Reason": f"Q.850;cause={cause}"}
        reply = await self._request("BYE", told, self._next_cseq(), limit=FINAL_SECONDS)
        return reply.status if reply else None

    def _next_cseq(self) -> int:
        self._cseq = HIGH_CSEQ + (self._cseq - HIGH_CSEQ) % MOST_CSEQS + 1
        return self._cseq

    def dismiss(self, leg: Mapping[str, str], number: int) -> None:
        """Confirms a leg whose INVITE had this number, and ends it: it belongs to no call. Whoever
        missed the ACK answers again, and this is done again (RFC 3261 13.2.2.4)."""
        ack = request("ACK", leg, number, self.address, new_branch())
        self._send(ack, self._kamailio)
        if leg["To"] not in self._dismissing and len(self._dismissing) < MOST_DISMISSED:
            task = self._dismissing[leg["To"]] = asyncio.create_task(self._end(leg))
            task.add_done_callback(lambda _: self._dismissing.pop(leg["To"]))

    async def _end(self, leg: Mapping[str, str]) -> None:
        log.info("who answered too late was hung up", status=await self.hang_up(leg))

    async def cancel(self, call_id: str) -> int | None:
        """Gives a call up that rings: 200, or 481 when none does; None when there was no answer."""
        reply = await self._about_call("CANCEL", call_id)
        return reply.status if reply else None

    async def rings(self, call_id: str) -> bool | None:
        """Whether a call waits for an answer; None when that cannot be known."""
        reply = await self._about_call("OPTIONS", call_id)
        return reply.status == 200 if reply else None

    async def _about_call(self, method: str, call_id: str) -> Reply | None:
        """Asks Kamailio itself, which knows a ringing call by our id of it."""
        own = self._own(f"sip:{self._kamailio}", f"sip:{call_id}@{self._kamailio}")
        return await self._request(method, own, 1, limit=TARGET_SECONDS)

    async def probe(self, carrier: str, target: Target) -> bool:
        """Whether a carrier's target answers an OPTIONS in time, whatever it says."""
        errand = self._errand(carrier, target)
        reply = await self._request("OPTIONS", errand, 1, limit=TARGET_SECONDS)
        return reply is not None and reply.status not in UNREACHED

    async def register(self, carrier: str, target: Target, seconds: int) -> Reply | None:
        """Registers with a carrier for so many seconds; 0 ends it. Kamailio answers a challenge."""
        errand = self._errand(carrier, target) | {"Expires": str(seconds)}
        return await self._request("REGISTER", errand, 1, limit=FINAL_SECONDS)

    async def admit(self, carrier: str, addresses: Sequence[str]) -> bool:
        """Tells from which addresses a carrier calls; whether that was heard."""
        own = self._own(f"sip:{self._kamailio}") | {"X-Carrier": quote(carrier)}
        body = "\n".join(addresses).encode()
        return await self._request("INFO", own, 1, limit=PROBE_SECONDS, body=body) is not None

    def _errand(self, carrier: str, target: Target) -> dict[str, str]:
        """What Kamailio is told of a request that is ours alone; it writes the rest."""
        where = f"sip:{target.address};transport={target.transport}"
        return self._own(where) | {"X-Carrier": quote(carrier)}

    def _own(self, to: str, target: str | None = None) -> dict[str, str]:
        """The leg of a request that belongs to no call."""
        return {
            "CallId": secrets.token_hex(8),
            "From": f"<sip:{self.address}>;tag={secrets.token_hex(4)}",
            "To": f"<{to}>",
            "Target": target or to,
        }

    async def send_text(self, target: Target, text: SipText) -> Reply | None:
        """Sends a MESSAGE to a carrier's target: the final reply, None when there was none. Each
        has a number of its own: who sees one again under the same Call-ID takes it for a request
        that came by two ways, and answers 482 (RFC 3261 8.1.3.5, 8.2.2.2)."""
        where = f"{target.address};transport={target.transport}"
        leg = {
            "CallId": text.call_id,
            "From": f"<sip:{text.shown}@{self.address}>;tag={text.call_id[:16]}",
            "To": f"<sip:{text.called}@{self._kamailio}>",
            "Target": f"sip:{text.called}@{where}",
            "X-Carrier": quote(text.carrier),
        }
        number = TEXT_STEP * (1 + secrets.randbelow(HIGH_CSEQ // TEXT_STEP))
        return await self._request("MESSAGE", leg, number, limit=FINAL_SECONDS, body=text.content)

    async def _request(
        self,
        method: str,
        leg: Mapping[str, str],
        cseq: int,
        limit: float,
        body: bytes = b"",
        to: Address | None = None,
    ) -> Reply | None:
        branch = new_branch()
        message = request(method, leg, cseq, self.address, branch, body)
        answer = self._waiting[branch] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit):
                return await self._repeat(message, answer, to or self._kamailio)
        except TimeoutError:
            return None
        finally:
            del self._waiting[branch]

    async def _repeat(self, message: bytes, answer: asyncio.Future[Reply], to: Address) -> Reply:
        wait = T1
        while not answer.done():
            self._send(message, to)
            await asyncio.wait({answer}, timeout=wait)
            wait = min(wait * 2, T2)
        return answer.result()

    def _send(self, message: bytes, to: Address) -> None:
        assert self._transport is not None, "open() comes first"
        self._transport.sendto(message, (to.host, to.port))


def new_branch() -> str:
    return "z9hG4bK" + secrets.token_hex(8)


def request(
    method: str, leg: Mapping[str, str], cseq: int, own: Address, branch: str, body: bytes = b""
) -> bytes:
    """A request in the dialog of a leg; the leg's values are used as they are."""
    lines = [
        f"{method} {leg['Target']} SIP/2.0",
        f"Via: SIP/2.0/UDP {own};branch={branch}",
        "Max-Forwards: 70",
        f"From: {leg['From']}",
        f"To: {leg['To']}",
        f"Call-ID: {leg['CallId']}",
        f"CSeq: {cseq} {method}",
        *(f"{name}: {leg[name]}" for name in ("X-Carrier", "Expires", "Reason") if name in leg),
        *(["Content-Type: text/plain;charset=UTF-8"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    # As the script read them: a tag may hold any octets.
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


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


def retry_after(reply: bytes) -> float | None:
    """What a reply says about trying again (RFC 3261 20.33)."""
    found = RETRY_AFTER.search(reply)
    return float(found[1]) if found else None


def expires(reply: bytes) -> int | None:
    """For how long a registration was granted (RFC 3261 20.19)."""
    found = EXPIRES.search(reply)
    return int(found[1]) if found else None


def told(reply: bytes) -> str | None:
    """How a carrier refused an errand, in the script's words."""
    found = TOLD.search(reply)
    return found[1].decode() if found else None
