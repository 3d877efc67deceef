"""What may pass from one leg to the other besides the identity that the mask writes: status
codes, option tags, timers and key presses, each rebuilt from a grammar. Everything else stays."""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import sip

METHODS = ("ACK", "BYE", "CANCEL", "INFO", "INVITE", "OPTIONS", "PRACK", "UPDATE")
ALLOW = ", ".join(METHODS)
MOST_HOPS = 30
OPTION_TAGS = ("100rel", "timer")
TYPES = ("application/sdp", "application/dtmf-relay", "application/dtmf")  # of bodies
NAMES = {
    "via": "Via",
    "from": "From",
    "to": "To",
    "call-id": "Call-ID",
    "cseq": "CSeq",
    "record-route": "Record-Route",
    "route": "Route",
    "max-forwards": "Max-Forwards",
}
REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    410: "Gone",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    433: "Anonymity Disallowed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
}
_HOPS = re.compile(r"\d{1,4}")
_NUMBER = re.compile(r"\d{1,10}")
_RACK = re.compile(r"(\d{1,10})\s+(\d{1,10})\s+INVITE")
_INTERVAL = re.compile(r"(\d{1,6})\s*(?=;|$)")
_REFRESHER = re.compile(r";\s*refresher\s*=\s*(uac|uas)\s*(?=;|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Body:
    """`offers` tells of a description that the reply is to answer it."""

    type: str = ""
    content: bytes = b""
    offers: bool = False


NO_BODY = Body()


def status(code: int) -> int:
    """A status as the other side may see it. Redirects and challenges are between us and the
    party that sent them; codes that nobody registered would tell what software answered."""
    if code in REASONS and code != 401:
        return code
    if code < 200:
        return 183
    if code < 300:
        return 200
    return 480 if code < 500 else 500 if code < 600 else 603


def reason(code: int) -> str:
    return REASONS.get(code, "Status")


def hops(request: sip.Message) -> int:
    """Max-Forwards for the next hop (RFC 3261 16.6 step 3); negative when there is none left.
    It is the same for everybody who is not many hops away: a loop ends, and nobody is counted."""
    given = request.first("max-forwards")
    return min(int(given), MOST_HOPS) - 1 if _HOPS.fullmatch(given) else MOST_HOPS - 1


def unsupported(request: sip.Message) -> list[str]:
    """The required option tags that cannot be met (RFC 3261 8.2.2.3)."""
    return [tag for tag in request.listed("require") if tag.lower() not in OPTION_TAGS]


def rack(prack: sip.Message) -> tuple[str, int] | None:
    """The numbers that a PRACK names: the reply's, and that of its INVITE (RFC 3262 7.2)."""
    found = _RACK.fullmatch(prack.first("rack"))
    return (found[1], int(found[2])) if found else None


def request_headers(request: sip.Message, ahead: int = 0) -> list[tuple[str, str]]:
    """`ahead` is added to the number of the INVITE that a PRACK names. An ACK and a BYE have
    nothing to negotiate."""
    if request.method in ("ACK", "BYE"):
        return []
    headers = _negotiated(request)
    if request.method == "INVITE":
        headers.append(("Allow", _methods(request)))
    if request.method == "PRACK" and (named := rack(request)):
        headers.append(("RAck", f"{named[0]} {named[1] + ahead} INVITE"))
    return headers


def reply_headers(reply: sip.Message) -> list[tuple[str, str]]:
    headers = _negotiated(reply)
    reliable = 100 < reply.status < 200 and _NUMBER.fullmatch(reply.first("rseq"))
    if reply.method in ("INVITE", "OPTIONS") and (reliable or 200 <= reply.status < 300):
        headers.append(("Allow", _methods(reply)))  # when it rings, for UPDATE (RFC 3311 4)
    if reliable:
        headers.append(("RSeq", reply.first("rseq")))
    if reply.status in (480, 486, 500, 503, 600, 603):
        headers += _retry_after(reply)
    if reply.status == 420:
        headers += _tags(reply, "unsupported")  # without which nobody can ask in other words
    return headers + _taken(reply)


def _taken(reply: sip.Message) -> list[tuple[str, str]]:
    """What whoever refuses a method or a body would take (RFC 3261 21.4.6, 21.4.13), as far as it
    could come to them."""
    if reply.status == 405:
        told = reply.listed("allow") or METHODS
        return [("Allow", ", ".join(m for m in METHODS if m in told and m != reply.method))]
    if reply.status == 415:
        types = [one.partition(";")[0].strip().lower() for one in reply.listed("accept")]
        return [("Accept", ", ".join(t for t in TYPES if t in types) or TYPES[0])]
    return []


def own_headers(reply: sip.Message) -> list[tuple[str, str]]:
    """Of a reply of our own: what the script put there on purpose."""
    headers = _retry_after(reply)
    headers += [("WWW-Authenticate", challenge) for challenge in reply.all("www-authenticate")]
    refused = [t for t in reply.listed("unsupported") if re.fullmatch(r"[A-Za-z0-9.-]{1,40}", t)]
    if refused:
        headers.append(("Unsupported", ", ".join(refused)))
    if reply.status == 415:
        headers.append(("Accept", "text/plain" if reply.method == "MESSAGE" else "application/sdp"))
    asked = reply.status == 200 and reply.method == "OPTIONS"
    if reply.status == 405 or asked:
        headers.append(("Allow", ALLOW))
    if asked:  # whether we work, and what we can do (RFC 3261 11.2)
        headers += [("Accept", TYPES[0]), ("Supported", ", ".join(OPTION_TAGS))]
    return headers


def _retry_after(reply: sip.Message) -> list[tuple[str, str]]:
    seconds = _NUMBER.match(reply.first("retry-after"))
    return [("Retry-After", seconds[0])] if seconds else []


def _negotiated(message: sip.Message) -> list[tuple[str, str]]:
    """Reliable provisional replies (RFC 3262) and session timers (RFC 4028)."""
    headers = []
    for name in ("supported", "require"):
        headers += _tags(message, name)
    expires = message.first("session-expires")
    if interval := _INTERVAL.match(expires):
        found = _REFRESHER.search(expires)
        refresher = f";refresher={found[1].lower()}" if found else ""
        headers.append(("Session-Expires", interval[1] + refresher))
    least = _NUMBER.match(message.first("min-se"))
    return [*headers, ("Min-SE", least[0])] if least else headers


def _methods(message: sip.Message) -> str:
    """Ours, but for UPDATE where its sender lists others alone: a session that was refreshed by it
    would end (RFC 3311 4, RFC 4028 7.4)."""
    told = message.listed("allow")
    return ALLOW if "UPDATE" in told or not told else ", ".join(m for m in METHODS if m != "UPDATE")


def _tags(message: sip.Message, name: str) -> list[tuple[str, str]]:
    """Those option tags of a header that may pass."""
    tags = [tag.lower() for tag in message.listed(name)]
    kept = [tag for tag in OPTION_TAGS if tag in tags]
    return [(name.title(), ", ".join(kept))] if kept else []


_LINE = rb"^[ \t]*%s[ \t]*=[ \t]*(%s)[ \t]*\r?$"
_SIGNAL = re.compile(_LINE % (b"Signal", rb"[0-9A-D*#]"), re.IGNORECASE | re.MULTILINE)
_DURATION = re.compile(_LINE % (b"Duration", rb"\d{1,5}"), re.IGNORECASE | re.MULTILINE)
_KEY = re.compile(rb"\s*([0-9A-D*#])\s*", re.IGNORECASE)


def key_press(content_type: str, content: bytes) -> Body:
    """The body of an INFO: a pressed key, for how long if that is told, and nothing more."""
    if content_type == "application/dtmf-relay" and (found := _SIGNAL.search(content)):
        lasts = _DURATION.search(content)
        text = b"Signal=%s\r\n" % found[1].upper()
        text += b"Duration=%s\r\n" % lasts[1] if lasts else b""
        return Body("application/dtmf-relay", text)
    if content_type == "application/dtmf" and (found := _KEY.fullmatch(content)):
        return Body("application/dtmf", found[1].upper())
    return NO_BODY
