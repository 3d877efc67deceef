"""First requests: whether we can take them, and which numbers they tell. Pure."""

from __future__ import annotations

import re
from typing import Any

from . import allowed, sip
from .refuse import Refuse
from .settings import Carrier

NUMBER = re.compile(r"\+?\d{3,15}")
ENCRYPTED = ("tls", "wss")


def check(request: sip.Message) -> None:
    """Raises Refuse for a request, within a dialog or not, that we cannot carry out."""
    if allowed.hops(request) < 0:
        raise Refuse(483)
    check_extensions(request)


def check_extensions(request: sip.Message) -> None:
    """The same for one that goes no further, however few hops it has left."""
    missing = allowed.unsupported(request)
    if missing and request.method not in ("ACK", "CANCEL"):
        raise Refuse(420, f"Unsupported: {', '.join(missing)}")


def question(request: sip.Message, carrier: Carrier) -> dict[str, Any]:
    """The numbers of a call's or text's first request. A trusted carrier asserts who calls
    (RFC 3325). Where we registered with it, the request URI may be our own Contact, whose user may
    look like a number: whoever else is named was dialled."""
    asserted = [sip.address(value).uri for value in request.listed("p-asserted-identity")]
    callers = [sip.user(uri) for uri in [*asserted, request.address("from").uri]]
    caller = next((number for number in callers if NUMBER.fullmatch(number)), "")
    dialled = [
        request.uri,
        sip.address(request.first("p-called-party-id")).uri,
        request.address("to").uri,
    ]
    own = carrier.username if carrier.register else None
    users = sorted(map(sip.user, dialled), key=lambda user: user == own)
    called = next((user for user in users if NUMBER.fullmatch(user)), "")
    if not called:
        raise Refuse(404)
    return {"CarrierName": carrier.name, "Caller": caller, "Called": called}


def about_call(
    request: sip.Message, carrier: Carrier, transport: str, *, silent: bool
) -> dict[str, Any]:
    """The same of a call that came by this transport; whether its caller can hear nothing before an
    answer."""
    told = question(request, carrier)
    if silent:
        told["Silent"] = True
    if transport not in ENCRYPTED:
        told["Plain"] = True
    return told
