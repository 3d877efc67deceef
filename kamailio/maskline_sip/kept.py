"""What a transaction keeps of its request for the replies: Kamailio holds it as text."""

from __future__ import annotations

import dataclasses
from typing import Any

from . import allowed, mask, sip


def context(
    passage: mask.Passage, request: sip.Message, body: allowed.Body, local: str
) -> dict[str, Any]:
    """`local` is our address where the request came in, as it stands in a Contact."""
    asked = {
        "vias": request.all("via"),
        "sender": request.first("from"),
        "receiver": request.first("to"),
        "record_routes": request.all("record-route") if not passage.far.tag else [],
        "local": local,
    }
    return {
        "key": passage.key,
        "near": dataclasses.astuple(passage.near),
        "far": dataclasses.astuple(passage.far),
        "asked": asked,
        "method": request.method,
        "offered": bool(body.content),
        "reported": [],
    }


def passage_of(kept: dict[str, Any]) -> mask.Passage:
    def leg(fields: list[Any]) -> mask.Leg:
        texts: list[Any] = [tuple(f) if isinstance(f, list) else f for f in fields]
        return mask.Leg(*texts)

    return mask.Passage(kept["key"], leg(kept["near"]), leg(kept["far"]))
