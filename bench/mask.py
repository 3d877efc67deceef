"""What each step of the script that Kamailio runs costs: parsing, masking, sealing, the gate.

Usage: /usr/bin/python3 bench/mask.py (the interpreter that Kamailio embeds)

How often a step comes in a call is counted for INVITE, 100, 180, 200, ACK, BYE and 200, each read
once and written once, with a description in the INVITE and in its 200. What Kamailio does itself,
and the waiting for the control plane and for rtpengine, is not in it.
"""

import base64
import json
import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from report import Report

sys.path.append(str(Path(__file__).parents[1] / "kamailio"))

from maskline_sip import allowed, mask, sdp, sip

ROUNDS, TIMES = 10, 200
HERE, PEER = "192.0.2.1:5060", "192.0.2.12:5060"
NUMBER, SHOWN = "+19135550199", f"sip:+19135550199@{HERE}"
CALLED = f"sip:+14015550101@{PEER}"
CALL = "9b7b7c1e-6a0c-4b0e-8f7a-1d9f0a3c2b11"
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
        self.gate = mask.Gate("0" * 32, [HERE])
        sender, receiver = "<sip:+12065550100@192.0.2.11:5060>", f"<sip:{NUMBER}@{HERE}>"
        contact = ("Contact", "<sip:+12065550100@192.0.2.11:5060;transport=UDP>")
        dialog = [("From", f"{sender};tag=5711a1"), ("Call-ID", "1-5711@192.0.2.11")]
        first = [*dialog, ("To", receiver), ("CSeq", "1 INVITE"), contact, ("Max-Forwards", "70")]
        self.invite = message(f"INVITE sip:{NUMBER}@{HERE} SIP/2.0", first, DESCRIPTION)
        self.request = sip.parse(self.invite)
        self.passage = mask.first_passage(self.keys, self.request, CALL, SHOWN, CALLED)
        answer = [
            ("From", f"<{SHOWN}>;tag=x"), ("To", f"<{CALLED}>;tag=5712b1"), ("Call-ID", "y"),
            ("CSeq", "1 INVITE"), ("Contact", f"<sip:{PEER};transport=UDP>"),
        ]  # fmt: skip
        self.ok = message("SIP/2.0 200 OK", answer, DESCRIPTION)
        self.reply = sip.parse(self.ok)
        self.far = mask.answered_leg(self.passage, self.reply)
        tag = self.keys.alias("a", "tag", self.far.call_id, self.far.tag)
        later = [*dialog, ("To", f"{receiver};tag={tag}"), ("CSeq", "2 BYE")]
        token = self.keys.seal("a", self.far)
        self.bye = message(f"BYE sip:{token}@{HERE} SIP/2.0", later)
        self.later = sip.parse(self.bye)
        self.asked = mask.Asked(
            self.request.all("via"), self.request.first("from"), receiver, [], HERE
        )
        self.kept = json.dumps(self.context())

    def context(self) -> dict[str, Any]:
        """What a transaction keeps."""
        return {
            "key": "a",
            "near": list(vars(self.passage.near).values()),
            "far": list(vars(self.passage.far).values()),
            "asked": vars(self.asked),
            "method": "INVITE",
            "offered": True,
            "reported": [],
        }

    def masked_request(self) -> bytes:
        body = allowed.Body("application/sdp", DESCRIPTION)
        return mask.request_payload(self.keys, self.passage, self.request, HERE, body)

    def masked_later(self) -> bytes:
        passage = mask.Passage("a", self.passage.near, self.far)
        return mask.request_payload(self.keys, passage, self.later, HERE, allowed.NO_BODY)

    def masked_reply(self) -> bytes:
        body = allowed.Body("application/sdp", DESCRIPTION)
        return mask.reply_payload(self.keys, self.passage, self.asked, self.reply, body)

    def leaving(self, raw: bytes, payload: bytes) -> bytes:
        """What Kamailio is about to send, and the gate sees."""
        start, _, rest = raw.partition(b"\r\n")
        head, _, body = rest.partition(b"\r\n\r\n")
        via = f"Via: SIP/2.0/UDP {HERE};branch=z9hG4bK1a2b.3c4d5e6f.0".encode()
        own = [] if start.startswith(b"SIP/2.0 ") else [via]
        return b"\r\n".join([start, *own, head, self.gate.header(payload).encode(), body])


def steps(one: Sample) -> list[Step]:
    invite, later, reply = one.masked_request(), one.masked_later(), one.masked_reply()
    out_invite, out_later = one.leaving(one.invite, invite), one.leaving(one.bye, later)
    out_reply = one.leaving(one.ok, reply)
    coded = base64.b64encode(one.invite).decode()
    description = sdp.read(DESCRIPTION)
    context = one.context()
    keys, passage = one.keys, one.passage
    seal_anew = mask.Keyring.seal.__wrapped__
    token = keys.seal("a", one.far)
    return [
        ("a message from Kamailio (base64)", 14, lambda: base64.b64decode(coded)),
        ("a message to Kamailio (base64)", 7, lambda: base64.b64encode(one.invite).decode()),
        ("parse an INVITE", 1, lambda: sip.parse(one.invite)),
        ("parse a reply", 4, lambda: sip.parse(one.ok)),
        ("parse an ACK or BYE", 2, lambda: sip.parse(one.bye)),
        ("who calls whom (first passage)", 1,
         lambda: mask.first_passage(keys, one.request, CALL, SHOWN, CALLED)),
        ("whose dialogue (passage by token)", 2, lambda: mask.dialog_passage(keys, one.later)),
        ("- of which: open a token", 0, lambda: keys.open(token)),
        ("seal a leg for the first time", 2, lambda: seal_anew(keys, "a", passage.near)),
        ("mask an INVITE", 1, one.masked_request),
        ("mask an ACK or BYE", 2, one.masked_later),
        ("mask a reply", 3, one.masked_reply),
        ("put a payload into the private header", 6, lambda: one.gate.header(reply)),
        ("gate: an INVITE leaves", 1, lambda: one.gate.leave(out_invite)),
        ("gate: an ACK or BYE leaves", 2, lambda: one.gate.leave(out_later)),
        ("gate: a reply leaves", 4, lambda: one.gate.leave(out_reply)),
        ("read a description", 4, lambda: sdp.read(DESCRIPTION)),
        ("write a description", 4, lambda: sdp.write(description, 1, 1)),
        ("keep a transaction's context (JSON)", 5, lambda: json.dumps(context)),
        ("read a transaction's context (JSON)", 4, lambda: json.loads(one.kept)),
    ]  # fmt: skip


def microseconds(work: Callable[[], Any]) -> float:
    """The least of some rounds: what else runs on the machine only ever adds."""
    return min(timeit.repeat(work, repeat=ROUNDS, number=TIMES)) / TIMES * 1e6


def main() -> None:
    rows, whole = [], 0.0
    for name, times, work in steps(Sample()):
        each = microseconds(work)
        whole += each * times
        rows.append([name, f"{each:.1f}", str(times or ""), f"{each * times:.0f}" if times else ""])
    rows.append(["all", "", "", f"{whole:.0f}"])
    Report().table(["step", "µs", "times in a call", "µs in a call"], rows)


if __name__ == "__main__":
    main()
