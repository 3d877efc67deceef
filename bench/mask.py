"""What each step of the script that Kamailio runs costs: parsing, masking, sealing, the gate.

Usage: /usr/bin/python3 bench/mask.py (the interpreter that Kamailio embeds)

How often a step comes in a call is counted for INVITE, 100, 180, 200, ACK, BYE and 200, with a
description in the INVITE and in its 200. What Kamailio does itself (plain ACK and BYE, their 200),
and the waiting for the control plane and for rtpengine, is not in it.

*Warm* is a step repeated at once. *Cold* is a step after something else has been through the
processor's caches, as it comes between two messages of a machine that is not busy: the same work
then takes some four times as long. A real call lies between, near cold.
"""

import base64
import sys
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from report import Report

sys.path.append(str(Path(__file__).parents[1] / "kamailio"))

from maskline_sip import allowed, gate, kept, mask, ready, sdp, sip

ROUNDS, TIMES, COLD_TIMES = 10, 200, 41
CACHES = bytearray(16 << 20)  # more than a core has for itself
LINE = 64
LOCAL = "1" * 32  # the mark of what Kamailio says by itself
HERE, PEER = "192.0.2.1:5060", "192.0.2.12:5060"
NUMBER, SHOWN = "+19135550199", f"sip:+19135550199@{HERE}"
CALLED = f"sip:+14015550101@{PEER}"
CALL = mask.Call("9b7b7c1e-6a0c-4b0e-8f7a-1d9f0a3c2b11", SHOWN, CALLED)
WAY = ready.Way("udp:192.0.2.11", f"udp:{HERE}", f"sip:{PEER}", 1)
DESCRIPTION = b"""v=0\r
o=- 53655765 2353687637 IN IP4 192.0.2.11\r
s=-\r
c=IN IP4 192.0.2.11\r
t=0 0\r
m=audio 6000 RTP/AVP 8 101\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
"""

Step = tuple[str, int, Callable[[], Any]]


def message(start: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    via = ("Via", "SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-5711-1-0")
    kind = [("Content-Type", "application/sdp")] if body else []
    return sip.write(start, [via, *headers, *kind], body)


class Sample:
    """One call's messages, as the two parties write them."""

    def __init__(self) -> None:
        self.keys = mask.Keyring({"a": bytes(range(64))}, "a")
        self.entrance = gate.Entrance("1" * 32)
        self.gate = gate.Gate("0" * 32, LOCAL, self.entrance, [HERE])
        sender, receiver = "<sip:+12065550100@192.0.2.11:5060>", f"<sip:{NUMBER}@{HERE}>"
        contact = ("Contact", "<sip:+12065550100@192.0.2.11:5060;transport=UDP>")
        dialog = [("From", f"{sender};tag=5711a1"), ("Call-ID", "1-5711@192.0.2.11")]
        first = [*dialog, ("To", receiver), ("CSeq", "1 INVITE"), contact, ("Max-Forwards", "70")]
        self.invite = message(f"INVITE sip:{NUMBER}@{HERE} SIP/2.0", first, DESCRIPTION)
        self.request = sip.parse(self.invite)
        self.passage = mask.first_passage(self.keys, self.request, CALL)
        answer = [
            ("From", f"<{SHOWN}>;tag=x"), ("To", f"<{CALLED}>;tag=5712b1"), ("Call-ID", "y"),
            ("CSeq", "1 INVITE"), ("Contact", f"<sip:{PEER};transport=UDP>"),
        ]  # fmt: skip
        self.ok = message("SIP/2.0 200 OK", answer, DESCRIPTION)
        self.reply = sip.parse(self.ok)
        self.far = mask.answered_leg(self.passage, self.reply)
        tag = self.keys.alias("a", "tag", self.far.call_id, self.far.tag)
        later = [*dialog, ("To", f"{receiver};tag={tag}"), ("CSeq", "2 BYE")]
        token = self.token = self.keys.seal("a", self.far)
        self.bye = message(f"BYE sip:{token}@{HERE} SIP/2.0", later)
        self.later = sip.parse(self.bye)
        self.known = kept.of(self.passage, self.request, HERE)
        self.asked = self.known.asked

    def masked_request(self) -> bytes:
        body = allowed.Body("application/sdp", DESCRIPTION)
        token = self.token
        return mask.request_payload(self.keys, self.passage, self.request, HERE, body, token)

    def masked_later(self) -> bytes:
        passage = mask.Passage("a", self.passage.near, self.far)
        return mask.request_payload(self.keys, passage, self.later, HERE, allowed.NO_BODY)

    def masked_reply(self) -> bytes:
        body = allowed.Body("application/sdp", DESCRIPTION)
        token = self.token
        return mask.reply_payload(self.keys, self.passage, self.asked, self.reply, body, token)

    def trying(self) -> bytes:
        """Kamailio's own 100, as the gate sees it."""
        _, *headers = self.entrance.mark(self.invite).split(b"\r\n\r\n")[0].split(b"\r\n")
        kept = [h for h in headers if h.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))]
        own = f"{gate.PRIVATE}: {LOCAL} {gate.LOCAL}".encode()
        return b"\r\n".join([b"SIP/2.0 100 Trying", *kept, own, b"", b""])


def steps(one: Sample) -> list[Step]:
    reply = one.masked_reply()
    trying, marked = one.trying(), one.entrance.mark(one.bye)
    coded = base64.b64encode(one.invite).decode()
    description = sdp.read(DESCRIPTION)
    text = one.known.text()
    keys, passage = one.keys, one.passage
    token = keys.seal("a", one.far)
    ahead = mask.Passage("a", passage.near, one.far)
    name = ready.name(keys, ahead, token)
    return [
        ("a message from Kamailio (base64)", 3, lambda: base64.b64decode(coded)),
        ("a request without our Call-ID", 1, lambda: one.entrance.unmark(marked)),
        ("parse an INVITE", 1, lambda: sip.parse(one.invite)),
        ("parse a reply", 2, lambda: sip.parse(one.ok)),
        ("parse an ACK or BYE that is not plain", 0, lambda: sip.parse(one.bye)),
        ("who calls whom (first passage)", 1,
         lambda: mask.first_passage(keys, one.request, CALL)),
        ("whose dialogue (passage by token)", 0, lambda: mask.dialog_passage(keys, one.later)),
        ("- of which: open a token", 0, lambda: keys.open(token)),
        ("seal a leg for the first time", 2, lambda: keys.seal("a", passage.near)),
        ("mask an INVITE", 1, one.masked_request),
        ("mask an ACK or BYE", 0, one.masked_later),
        ("write ACK and BYE of a party in advance", 2,
         lambda: ready.text(keys, ahead, WAY, name)),
        ("what they are found by", 2, lambda: ready.name(keys, ahead, token)),
        ("mask a reply", 2, one.masked_reply),
        ("put a payload into the private header", 3, lambda: one.gate.header(reply)),
        ("gate: a reply of our own leaves", 0, lambda: one.gate.leave(trying)),
        ("read a description", 4, lambda: sdp.read(DESCRIPTION)),
        ("write a description", 4, lambda: sdp.write(description, 1, 1)),
        ("keep a transaction's context", 3, one.known.text),
        ("read a transaction's context", 2, lambda: kept.read(text)),
    ]  # fmt: skip


def warm(work: Callable[[], Any]) -> float:
    """Microseconds; the least of some rounds: what else runs on the machine only ever adds."""
    return min(timeit.repeat(work, repeat=ROUNDS, number=TIMES)) / TIMES * 1e6


def cold(work: Callable[[], Any]) -> float:
    """Microseconds; the median of single times, the caches being filled with other things."""
    found = []
    for _ in range(COLD_TIMES):
        CACHES[::LINE] = bytes(len(CACHES) // LINE)
        begin = time.perf_counter_ns()
        work()
        found.append(time.perf_counter_ns() - begin)
    return sorted(found)[COLD_TIMES // 2] / 1000


def main() -> None:
    rows = []
    total_warm = total_cold = 0.0
    for name, times, work in steps(Sample()):
        warmed, cooled = warm(work), cold(work)
        total_warm, total_cold = total_warm + warmed * times, total_cold + cooled * times
        in_a_call = [f"{warmed * times:.0f}", f"{cooled * times:.0f}"] if times else ["", ""]
        rows.append([name, f"{warmed:.1f}", f"{cooled:.1f}", str(times or ""), *in_a_call])
    rows.append(["all", "", "", "", f"{total_warm:.0f}", f"{total_cold:.0f}"])
    headings = ["step", "µs warm", "µs cold", "times in a call", "warm in a call", "cold in a call"]
    Report().table(headings, rows)


if __name__ == "__main__":
    main()
