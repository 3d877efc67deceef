"""How a call ends that nobody answers: who is behind a refusal, and what it says of the cause.
Pure."""

from __future__ import annotations

import re

# They ask for a password: we have none, or a wrong one.
OURS = (401, 407)
# What a person, or their telephone, answers (RFC 3261 21); 607: RFC 8197.
OF_THE_CALLED = (408, 480, 486, 487, 488, 600, 603, 606, 607)
LONGEST = 300  # characters of a Reason that are looked at
_OTHER = r';\s*[\w-]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+)\s*)?'  # parameters before it
_Q850 = re.compile(rf"Q\.850\s*(?:{_OTHER})*?;\s*cause\s*=\s*(\d{{1,3}})", re.IGNORECASE)


def refused_by(status: int) -> str:
    """Who is behind a final status of the side that was called. What is wrong with a number, with
    what is allowed or with a request its carrier says; and where else a call may go."""
    if status in OURS:
        return "us"
    return "called" if status in OF_THE_CALLED else "carrier"


def cause_told(reason: str) -> int | None:
    """The Q.850 cause in a Reason header, of a BYE (RFC 3326) or of a refusal (RFC 6432)."""
    found = _Q850.search(reason[:LONGEST])
    return int(found[1]) if found and int(found[1]) < 128 else None
