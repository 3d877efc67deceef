"""Answers of our own to the request at hand, without a transaction."""

from __future__ import annotations

from typing import Any

import KSR

from . import allowed

RETRY = "Retry-After: 5"


def answer(status: int, *headers: str) -> None:
    for header in headers:
        KSR.hdr.append_to_reply(header + "\r\n")
    KSR.sl.send_reply(status, allowed.reason(status))


def later(verdict: dict[str, Any]) -> list[str]:
    """The header that tells when to try again, if the control plane says so."""
    seconds = verdict.get("RetryAfter")
    return [f"Retry-After: {seconds}"] if seconds else []
