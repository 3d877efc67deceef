"""What engines say, as far as it may be told.

An engine quotes what it cannot read, and what it cannot read is somebody's message: a number, a
name, or words that were put there to be found in a log. So of a line that has the engine's own
beginning all is cut from the first quotation or address on, and a line without it, which goes on
with another, is not told. Of its configuration an engine that starts may tell all: that is the
operator's own. Of other things it may not: at a restart people are speaking already.
"""

import re
from typing import NamedTuple

# ` 3(1234) ERROR: <core> [core/parser/parse_uri.c:12]: parse_uri(): …` of Kamailio;
# `ERR: [0123-call]: [core] …` of rtpengine, after a time. What a message holds looks like less.
_LEVEL = r"(EMERG|ALERT|BUG|CRIT(?:ICAL)?|ERR(?:OR)?|WARN(?:ING)?|NOTICE|INFO|DEBUG): "
_BEGINNING = re.compile(
    rf"\s*\d+\(\d+\) {_LEVEL}<?\w+>? \[[\w./:-]{{1,100}}:\d+\]: (?:\w+\(\): )?"
    rf"|(?:\[\d+\.\d+\] )?{_LEVEL}(?:\[[\w./: +~-]{{1,100}}\]:? )?\[[a-z]{{3,12}}\] "
)
_CONFIGURATION = re.compile(
    r"\[(?:core/(?:cfg\.(?:y|lex)|modparam\.c|sr_module\.c)|main\.c|tls_(?:config|domain)\.c):"
    r"|: (?:udp|tcp)_init\(\): |CRIT: \[core\] Fatal error: "
)
_RUNNER = "setpriv: "  # what starts an engine says why it cannot
_GRAVE = ("EMERG", "ALERT", "BUG", "CRIT", "CRITICAL", "ERR", "ERROR", "WARN", "WARNING")
# What rtpengine says of a telephone that speaks before its browser has agreed on keys.
_EXPECTED = "SRTP output wanted, but no crypto suite was negotiated"
_SPENT = re.compile(r"\b(?:out of|private memory from) pkg\b")
_FOREIGN = re.compile(r"""[<\["'`{(].*|\b(?:sips?|tel|urn):.*""", re.IGNORECASE | re.DOTALL)


class Said(NamedTuple):
    """A line of an engine's, and whether it complains."""

    text: str
    grave: bool

    @property
    def spent(self) -> bool:
        """Whether a process of Kamailio's has used up the memory of its own, which no other has
        part in and nobody gives back."""
        return self.grave and bool(_SPENT.search(self.text))


def heard(line: str, *, starting: bool = False) -> Said | None:
    """What may be told of a line; None for nothing."""
    if starting and line.startswith(_RUNNER):
        return Said(_FOREIGN.sub("…", line).strip(), grave=True)
    found = _BEGINNING.match(line)
    if found is None:
        return None
    rest = line[found.end() :].strip()
    own = starting and _CONFIGURATION.search(line, 0, found.end() + len("Fatal error: "))
    told = rest if own else _FOREIGN.sub("…", rest)
    grave = (found[1] or found[2]) in _GRAVE and rest != _EXPECTED
    return Said(f"{found[0].strip()} {told}".strip(), grave)
