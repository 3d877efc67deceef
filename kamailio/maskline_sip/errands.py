"""Requests of our own to a carrier, on behalf of the control plane: OPTIONS, which asks whether it
works, and REGISTER. They hold nothing of any call."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from urllib.parse import quote, unquote

import KSR

from . import allowed, challenges, sip
from .challenges import Answers
from .gate import Gate
from .settings import Carrier, Settings
from .ways import NoWay, Ways, end_of

ERRAND = "$avp(errand)"
# Whether a place works is asked often. A registrar may have others to ask first, and who takes it
# for silent asks again, and gives it up.
REPLY_MILLISECONDS = {"OPTIONS": 2500, "REGISTER": 10_000}
METHODS = tuple(REPLY_MILLISECONDS)
SECONDS = re.compile("[0-9]{1,6}")  # as the control plane reads them
WAIT = re.compile(r"([0-9]{1,6})[ \t]*(?:[;(].*)?")  # and why, or for how long (RFC 3261 20.33)
OK, TOO_BRIEF = 200, 423
OTHER_NAME = "its certificate is for another name"


class Errands:
    def __init__(self, settings: Settings, door: Gate, ways: Ways) -> None:
        self._settings, self._door, self._ways = settings, door, ways

    def send(self, request: sip.Message) -> None:
        """Carries a request of the control plane's to the carrier that it names. Raises NoWay."""
        if KSR.tm.t_newtran() < 1:
            return  # a retransmission
        carrier = self._settings.carriers[unquote(request.first("x-carrier"))]
        kept = {
            "carrier": carrier.name,
            "hop": request.uri,
            "method": request.method,
            "cseq": request.cseq[0],
            "expires": request.first("expires"),
            "call_id": secrets.token_hex(12),
            "tag": secrets.token_hex(6),
            "vias": request.all("via"),
            "from": request.first("from"),
            "to": request.first("to"),
            "asked_call_id": request.call_id,
            "asked_cseq": request.first("cseq"),
        }
        patience = REPLY_MILLISECONDS[request.method]
        KSR.tm.t_set_fr(patience, patience)
        self._relay(kept, carrier)

    def _relay(
        self, kept: dict[str, Any], carrier: Carrier, answers: Answers | None = None
    ) -> None:
        first = kept["method"] == "OPTIONS"  # by which a connection is verified
        hop = kept["hop"]
        local, transport = self._ways.take(hop, hop, carrier.mark, first=first, own=True)
        told = self._settings.told(transport, local)
        kept["contact"] = f"sip:{user(carrier)}@{told}{sip.parameter_of(transport)}"
        payload = written(kept, carrier, told, answers.headers() if answers else [])
        KSR.hdr.append(self._door.header(payload))
        KSR.pv.sets(ERRAND, json.dumps(kept))
        KSR.tm.t_on_reply("back")
        KSR.tm.t_on_failure("failed")
        if KSR.tm.t_relay() < 0:
            raise NoWay("not sent")

    def reply(self, reply: sip.Message, kept: dict[str, Any]) -> None:
        """The carrier's reply, as the control plane is told of it."""
        carrier = self._settings.carriers[kept["carrier"]]
        status, why = reply.status, ""
        if status in challenges.STATUSES:
            challenges.remember(reply)
        if not self._ways.verified(kept["hop"], carrier):
            KSR.err(f"the certificate of carrier {carrier.name} is for another name\n")
            status, why = 503, OTHER_NAME
        elif status >= 300:
            why = refusal(reply, carrier)
        headers = [*(("Via", via) for via in kept["vias"]), ("From", kept["from"])]
        headers += [("To", f"{kept['to']};tag={kept['tag']}"), ("Call-ID", kept["asked_call_id"])]
        headers.append(("CSeq", kept["asked_cseq"]))
        wait = WAIT.fullmatch(reply.first("retry-after"))
        if wait:
            headers.append(("Retry-After", wait[1]))
        if status == TOO_BRIEF:
            KSR.pv.sets(ERRAND, json.dumps(kept | {"least": reply.first("min-expires")}))
        if kept["method"] == "REGISTER":
            if status == OK:
                self._ways.registered(kept["hop"], carrier)
            headers.append(("Expires", granted(reply, kept["contact"]) or kept["expires"]))
            if why:
                headers.append(("X-Told", why))
        start = f"SIP/2.0 {status} {allowed.reason(status)}"
        KSR.hdr.append(self._door.header(sip.write(start, headers)))

    def failed(self, kept: dict[str, Any]) -> None:
        """Answers a challenge; or asks for the least time that a registrar gives. Where nobody
        answers, the next request goes by another connection."""
        carrier = self._settings.carriers[kept["carrier"]]
        if KSR.tm.t_branch_timeout() > 0:
            self._ways.break_off(kept["hop"])
            return
        answers = challenges.authorization(carrier, kept["method"], uri(kept, carrier))
        if answers or lengthened(kept):
            kept["cseq"] += 1
            self._relay(kept, carrier, answers)


def refusal(reply: sip.Message, carrier: Carrier) -> str:
    """How a carrier refuses, in words for whoever runs us; not in its own, which may hold names."""
    reason = allowed.REASONS.get(reply.status, "")
    more = challenges.trouble(carrier) if reply.status in challenges.STATUSES else ""
    return f"refused {reply.status} {reason}".rstrip() + (f": {more}" if more else "")


def lengthened(kept: dict[str, Any]) -> bool:
    """Whether a registration that was too brief is now for longer (RFC 3261 10.2.8); once."""
    least = kept.pop("least", "")
    longer = SECONDS.fullmatch(least) and int(least) > int(kept["expires"]) > 0
    if not longer or kept.get("longer"):
        return False
    kept |= {"expires": least, "longer": True}
    challenges.forget()  # it may be asked who we are again
    return True


def uri(kept: dict[str, Any], carrier: Carrier) -> str:
    """The request URI: of a REGISTER, the domain (RFC 3261 10.2)."""
    if kept["method"] == "REGISTER" and carrier.host:
        return f"sip:{carrier.host}"
    hop: str = kept["hop"]
    return hop


def user(carrier: Carrier) -> str:
    """Our user name as it stands in a URI (RFC 3261 25.1)."""
    return quote(carrier.username or "", "!*'()&=+$,?/", "latin-1")


def written(
    kept: dict[str, Any],
    carrier: Carrier,
    local: str,
    more: list[tuple[str, str]],
) -> bytes:
    host = carrier.host or sip.place_of(kept["hop"])
    registers = kept["method"] == "REGISTER"
    own = f"sip:{user(carrier)}@{host}" if registers else f"sip:maskline@{local}"
    headers = [
        ("Max-Forwards", "70"),
        ("From", f"<{own}>;tag={kept['tag']}"),
        ("To", f"<{own}>" if registers else f"<sip:{host}>"),
        ("Call-ID", kept["call_id"]),
        ("CSeq", f"{kept['cseq']} {kept['method']}"),
    ]
    if registers:
        headers.append(("Contact", f"<{kept['contact']}>"))
        headers.append(("Expires", kept["expires"]))
    return sip.write(f"{kept['method']} {uri(kept, carrier)} SIP/2.0", [*headers, *more])


def granted(reply: sip.Message, contact: str) -> str:
    """For how many seconds a registration of `contact` holds: what the registrar says of that one,
    or of all; empty where it says nothing."""
    told = [*(expires_of(one) for one in bindings(reply, contact)), reply.first("expires")]
    return next((text for text in told if SECONDS.fullmatch(text)), "")


def bindings(reply: sip.Message, contact: str) -> list[str]:
    """What a reply says of `contact`: it tells of all who are registered by the same name (RFC
    3261 10.3). Where there is one alone it is ours, whatever was made of it on the way."""
    listed = reply.listed("contact")
    named = [one for one in listed if same(sip.address(one).uri, contact)]
    return named or (listed if len(listed) == 1 else [])


def same(uri: str, other: str) -> bool:
    """Whether two URIs have the same user, host and port, however they are written."""
    return sip.user(uri) == sip.user(other) and end_of(uri)[1:] == end_of(other)[1:]


def expires_of(contact: str) -> str:
    """The parameter of that name of a Contact, not of the URI in it; empty where it has none."""
    for parameter in contact.rpartition(">")[2].split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "expires":
            return value.strip()
    return ""
