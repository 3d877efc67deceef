"""First requests: whether we can take them, and which numbers they tell. Pure."""

from __future__ import annotations

import re
from typing import Any

from . import allowed, sip
from .refuse import Refuse

NUMBER = re.compile(r"\+?\d{3,15}")
ENCRYPTED = ("tls", "wss")


def check(request: sip.Message) -> None:
    """Raises Refuse for a request, within a dialog or not, that we cannot carry out."""
    if allowed.hops(request) < 0:
        raise Refuse(483)
    missing = allowed.unsupported(request)
    if missing and request.method not in ("ACK", "CANCEL"):
        raise Refuse(420, f"Unsupported: {', '.join(missing)}")


def question(request: sip.Message, origin: str) -> dict[str, Any]:
    """The numbers of a call's or text's first request. A trusted carrier asserts who calls
    (RFC 3325)."""
    asserted = [sip.address(value).uri for value in request.listed("p-asserted-identity")]
    callers = [sip.user(uri) for uri in [*asserted, request.address("from").uri]]
    caller = next((number for number in callers if NUMBER.fullmatch(number)), "")
    dialled = [
        request.uri,
        sip.address(request.first("p-called-party-id")).uri,
        request.address("to").uri,
    ]
    called = next((u for u in map(sip.user, dialled) if NUMBER.fullmatch(u)), "")
    if not called:
        raise Refuse(404)
    return {"CarrierName": origin, "Caller": caller, "Called": called}


def about_call(
    request: sip.Message, origin: str, transport: str, *, silent: bool
) -> dict[str, Any]:
    """The same of a call that came by this transport; whether its caller can hear nothing before an
    answer."""
    told = question(request, origin)
    if silent:
        told["Silent"] = True
    if transport not in ENCRYPTED:
        told["Plain"] = True
    return told
