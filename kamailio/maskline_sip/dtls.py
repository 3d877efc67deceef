"""What a browser's stream tells of its keys and its ways, by allow list: DTLS-SRTP (RFC 5763, RFC
8122), ICE (RFC 8839), and by which name it is bundled (RFC 9143). Each value is read by a grammar.

Where a browser is, it need not say: its checks show it, and only whoever was told the engine's
password can make one. So its candidates, which name addresses of a home network, serve nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

PROFILES = {"UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"}
MOST_CANDIDATES = 8
_OCTETS = "[0-9A-F]{2}(?::[0-9A-F]{2}){%d}"
_DIGESTS = "|".join(f"SHA-{8 * n} {_OCTETS % (n - 1)}" for n in (32, 48, 64))
_ATTRIBUTES = {
    "fingerprint": re.compile(f"fingerprint:({_DIGESTS})", re.IGNORECASE),
    "setup": re.compile("setup:(actpass|active|passive)"),
    "ufrag": re.compile("ice-ufrag:([A-Za-z0-9+/]{4,256})"),
    "pwd": re.compile("ice-pwd:([A-Za-z0-9+/]{22,256})"),
    "mid": re.compile("mid:([A-Za-z0-9_.-]{1,32})"),
}
# Of the engine's: its own addresses for RTP and RTCP at one port, none that another host told it.
_CANDIDATE = re.compile(
    r"candidate:([A-Za-z0-9+/]{1,32}) 1 UDP (\d{1,10}) ([0-9A-Fa-f.:]{2,45}) (\d{1,5}) typ host"
)
_GROUP = re.compile("group:BUNDLE((?: [A-Za-z0-9_.-]{1,32}){1,8})")


@dataclass(frozen=True)
class Dtls:
    """The attributes of one stream, or of the whole description. `candidates` are foundation,
    priority, address and port."""

    fingerprint: str = ""
    setup: str = ""
    ufrag: str = ""
    pwd: str = ""
    mid: str = ""
    candidates: tuple[tuple[str, str, str, str], ...] = ()

    def knowing(self, attribute: str) -> Dtls:
        """With what an attribute says, if it is one of the list and says it first."""
        for name, grammar in _ATTRIBUTES.items():
            if found := grammar.fullmatch(attribute):
                told: dict[str, Any] = {name: getattr(self, name) or found[1]}
                return replace(self, **told)
        if len(self.candidates) < MOST_CANDIDATES and (found := _CANDIDATE.fullmatch(attribute)):
            one = found[1], found[2], found[3], found[4]
            return replace(self, candidates=(*self.candidates, one))
        return self

    def within(self, whole: Dtls) -> Dtls:
        """With what holds for the whole description where the stream tells nothing else."""
        return replace(
            self,
            fingerprint=self.fingerprint or whole.fingerprint,
            setup=self.setup or whole.setup,
            ufrag=self.ufrag or whole.ufrag,
            pwd=self.pwd or whole.pwd,
        )

    @property
    def is_complete(self) -> bool:
        return all((self.fingerprint, self.setup, self.ufrag, self.pwd))

    @property
    def secrets(self) -> set[str]:
        """What no other party may be told."""
        return {one for one in (self.fingerprint.upper(), self.ufrag, self.pwd) if one}

    @property
    def addresses(self) -> set[str]:
        return {address for _, _, address, _ in self.candidates}

    def lines(self) -> list[str]:
        algorithm, _, digest = self.fingerprint.partition(" ")
        lines = [f"a=mid:{self.mid}"] if self.mid else []
        lines += [f"a=ice-ufrag:{self.ufrag}", f"a=ice-pwd:{self.pwd}"]
        lines += [f"a=fingerprint:{algorithm.lower()} {digest.upper()}", f"a=setup:{self.setup}"]
        if not self.candidates:  # or the engine would take the address of nowhere for a hold
            return [*lines, "a=ice-options:trickle"]
        return lines + [
            f"a=candidate:{foundation} 1 UDP {priority} {address} {port} typ host"
            for foundation, priority, address, port in self.candidates
        ]


NONE = Dtls()


def bundled(attribute: str) -> set[str]:
    """The streams that an attribute of a description puts into one bundle."""
    found = _GROUP.fullmatch(attribute)
    return set(found[1].split()) if found else set()
