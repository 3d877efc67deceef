"""What engines say, as far as it may be told.

An engine quotes what it cannot read, and what it cannot read is somebody's message: a number, a
name, or words that were put there to be found in a log. So of a line that has the engine's own
beginning all is cut from the first quotation or address on, and a line without it, which goes on
with another, is told only while the engine starts: nobody has sent it anything yet.
"""

import re
from typing import NamedTuple

# ` 3(1234) ERROR: <core> [core/parser/parse_uri.c:12]: parse_uri(): …` of Kamailio;
# `ERR: [0123-call]: [core] …` of rtpengine.
_BEGINNING = re.compile(
    r"\s*(?:\d+\(\d+\) )?"
    r"(?P<level>EMERG|ALERT|BUG|CRIT(?:ICAL)?|ERR(?:OR)?|WARN(?:ING)?|NOTICE|INFO|DEBUG): "
    r"(?:<?\w+>?:? )?(?:\[[\w./: +~-]{1,100}\]:? )*(?:\w+\(\): )?"
)
_GRAVE = ("EMERG", "ALERT", "BUG", "CRIT", "CRITICAL", "ERR", "ERROR", "WARN", "WARNING")
_FOREIGN = re.compile(r"""[<\["'`{(].*|\b(?:sips?|tel|urn):.*""", re.IGNORECASE | re.DOTALL)


class Said(NamedTuple):
    """A line of an engine's, and whether it complains."""

    text: str
    grave: bool


def heard(line: str, *, starting: bool = False) -> Said | None:
    """What may be told of a line; None for nothing."""
    found = _BEGINNING.match(line)
    if found is None:
        return Said(line.strip(), grave=False) if starting and line.strip() else None
    rest = line[found.end() :].strip()
    own = rest if starting else _FOREIGN.sub("…", rest)
    return Said(f"{found[0].strip()} {own}".strip(), found["level"] in _GRAVE)
