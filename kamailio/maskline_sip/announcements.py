"""Announcements: what a refused caller hears before the refusal.

The sound comes ahead of any answer (RFC 3960): a 183 describes it, rtpengine plays it, and the
refusal follows when it has ended. Kamailio waits for that in the transaction of the INVITE, as if
for a phone that does not answer. Nothing of any other party exists in such a call.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import KSR

from . import allowed, mask, sdp, sip
from .gate import Gate
from .media import OFF, Media, Terms
from .settings import Settings
from .tables import Table
from .ways import Ways

ANNOUNCED = "$avp(announced)"
HEARING = Table("announced")  # calls that hear one, by the Call-ID of their INVITE
CODECS = ("PCMA", "PCMU")
TRAILING_MILLISECONDS = 200  # what is on its way when the file has ended


class Announcements:
    def __init__(self, settings: Settings, door: Gate, media: Media, ways: Ways) -> None:
        self._settings, self._door, self._media, self._ways = settings, door, media, ways

    def begin(
        self,
        request: sip.Message,
        offered: sdp.Description,
        refusal: dict[str, Any],
        carrier: str,
        at: str,
    ) -> bool:
        """Whether the caller of the INVITE at hand hears the announcement of a refusal, which
        follows then, or has hung up. Where there is none or something fails, it is to be refused at
        once."""
        file = refusal.get("Announcement")
        if not file:
            return False
        call: str = refusal["CallId"]
        try:
            description = self._description(call, offered, self._settings.carriers[carrier].srtp)
            milliseconds = self._media.play(call, mask.CALLER, file)
        except Exception as error:  # whatever it is, the refusal comes
            KSR.info(f"not announced: {type(error).__name__}\n")
            self._media.delete(call)
            return False
        tag = secrets.token_hex(8)
        self._keep(request, tag, refusal, carrier)
        if self._wait(call, milliseconds + TRAILING_MILLISECONDS):
            # After it: what is put on a reply before, stays on all that follow.
            body = allowed.Body("application/sdp", description)
            KSR.hdr.append_to_reply(self._door.header(progress(request, tag, at, body)))
            KSR.tm.t_reply(183, allowed.reason(183))
        return True

    def _keep(self, request: sip.Message, tag: str, refusal: dict[str, Any], carrier: str) -> None:
        """Writes the refusal in advance, for whichever worker is to send it."""
        kept = {
            "call": refusal["CallId"],
            "status": refusal["SipStatus"],
            "header": self._door.header(sip.write(*final(request, tag, refusal))),
            "trunk": self._settings.carriers[carrier].mark,
            "via": request.first("via"),
        }
        KSR.pv.sets(ANNOUNCED, json.dumps(kept))
        HEARING.put(KSR.pv.get("$ci"), refusal["CallId"])

    def _wait(self, call: str, milliseconds: int) -> bool:
        """Lays the INVITE aside for so long, after which its failure route runs. False where its
        caller has hung up meanwhile: then it does not wait, and nothing comes after."""
        KSR.tm.t_set_fr(milliseconds, milliseconds)
        KSR.tm.t_on_failure("failed")
        KSR.tmx.t_suspend()
        if KSR.tm.t_is_canceled() > 0:
            self._end(call)
            return False
        return True

    def ended(self, announced: str) -> None:
        """The announcement was heard to its end: the refusal."""
        kept = json.loads(announced)
        self._end(kept["call"])
        self._ways.back(kept["trunk"], kept["via"])
        KSR.hdr.append_to_reply(kept["header"])
        KSR.tm.t_reply(kept["status"], allowed.reason(kept["status"]))

    def cancelled(self) -> None:
        """The CANCEL at hand may be that of a call that hears an announcement. Kamailio has
        answered both then, and runs no failure route."""
        call = HEARING.get(KSR.pv.get("$ci"))
        if call:
            self._end(call)

    def _end(self, call: str) -> None:
        HEARING.drop(KSR.pv.get("$ci"))
        self._media.delete(call)

    def _description(self, call: str, offered: sdp.Description, srtp: str) -> bytes:
        """What the caller is told of the sound."""
        offered = sdp.limited(offered, CODECS)
        relayed = self._media.offer(call, mask.CALLER, offered, Terms(sender=srtp))
        answer = sdp.nobody(relayed)
        terms = Terms(sender=OFF, receiver=srtp)
        described = self._media.answer(call, mask.CALLER, mask.CALLED, answer, terms)
        return sdp.write(described, secrets.randbelow(2**31), int(time.time()))


def can_hear(request: sip.Message, offered: sdp.Description | None) -> bool:
    """Whether a caller says where to send sound before an answer, and insists on nothing that
    we do not do (RFC 3262). Where it would have to be found first (ICE), the beginning is lost."""
    if offered is None or any(stream.tunnelled for stream in offered.active):
        return False
    return "100rel" not in request.first("require").lower()


def progress(request: sip.Message, tag: str, local: str, body: allowed.Body) -> bytes:
    start, headers = _reply(request, tag, 183)
    headers += [("Record-Route", route) for route in request.all("record-route")]
    ours = local if sip.is_secure(local) else f"sip:{local}"
    headers += [("Contact", f"<{ours}>"), ("Content-Type", body.type)]
    return sip.write(start, headers, body.content)


def final(
    request: sip.Message, tag: str, refusal: dict[str, Any]
) -> tuple[str, list[tuple[str, str]]]:
    start, headers = _reply(request, tag, refusal["SipStatus"])
    if refusal.get("RetryAfter"):
        headers.append(("Retry-After", str(refusal["RetryAfter"])))
    return start, headers


def _reply(request: sip.Message, tag: str, status: int) -> tuple[str, list[tuple[str, str]]]:
    headers = [("Via", via) for via in request.all("via")]
    headers += [("From", request.first("from")), ("To", f"{request.first('to')};tag={tag}")]
    headers += [("Call-ID", request.call_id), ("CSeq", request.first("cseq"))]
    return f"SIP/2.0 {status} {allowed.reason(status)}", headers
