"""What a transaction keeps of its request for the replies. Kamailio holds it as text: lines, and
within a line what repeats, parted by a carriage return. No header value holds either."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import mask, sip

# The lines where the parts begin, behind the key; and those that hold any number of values.
NEAR, FAR = 1, 1 + len(mask.Leg._fields)
ASKED = FAR + len(mask.Leg._fields)
REST = ASKED + len(mask.Asked._fields)
VIAS, RECORD_ROUTES = map(mask.Asked._fields.index, ("vias", "record_routes"))
LISTS = (NEAR + mask.ROUTES, FAR + mask.ROUTES, ASKED + VIAS, ASKED + RECORD_ROUTES)


class Kept(NamedTuple):
    """`near_token` is the near leg, sealed, as the far party was given it. `far_known` and
    `far_token` are the far leg as an earlier reply told it, and its seal. `answered` is the tag of
    whoever answered a call first."""

    passage: mask.Passage
    asked: mask.Asked
    method: str
    offered: bool
    reported: str = ""
    near_token: str = ""
    far_known: str = ""
    far_token: str = ""
    answered: str = ""

    @property
    def first(self) -> bool:
        """Whether the request makes a call, and is not part of one."""
        return self.method == "INVITE" and not self.passage.far.tag

    def seal(self, keys: mask.Keyring, far: mask.Leg) -> str:
        """The token for the far leg: the one that was given before, if the leg is the same."""
        known = _varying(far)
        return self.far_token if known == self.far_known else keys.seal(self.passage.key, far)

    def knowing(self, far: mask.Leg, token: str) -> Kept:
        return self._replace(far_known=_varying(far), far_token=token)

    def text(self) -> str:
        (key, near, far), asked, method, offered, *rest = self
        lines: list[Any] = [key, *near, *far, *asked, method, "1" if offered else "", *rest]
        for place in LISTS:
            lines[place] = "\r".join(lines[place])
        return "\n".join(lines)


def read(text: str) -> Kept:
    """What `Kept.text` wrote."""
    lines: list[Any] = text.split("\n")
    for place in LISTS:
        lines[place] = tuple(lines[place].split("\r")) if lines[place] else ()
    near, far = mask.Leg(*lines[NEAR:FAR]), mask.Leg(*lines[FAR:ASKED])
    asked, (method, offered, *rest) = mask.Asked(*lines[ASKED:REST]), lines[REST:]
    return Kept(mask.Passage(lines[0], near, far), asked, method, bool(offered), *rest)


def of(passage: mask.Passage, request: sip.Message, local: str) -> Kept:
    """`local` is our address where the request came in, as it stands in a Contact."""
    record_routes = () if passage.far.tag else tuple(request.all("record-route"))
    asked = mask.Asked(
        tuple(request.all("via")), request.first("from"), request.first("to"), record_routes,
        local, request.first("cseq"),
    )  # fmt: skip
    return Kept(passage, asked, request.method, offered=False)


def _varying(leg: mask.Leg) -> str:
    return "\r".join((leg.tag, leg.target, leg.flow, *leg.routes))
