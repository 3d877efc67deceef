"""What a transaction keeps of its request for the replies. Kamailio holds it as text: lines, and
within a line what repeats, parted by a carriage return. No header value holds either."""

from __future__ import annotations

from typing import NamedTuple

from . import mask, sip

LEG_LINES = len(mask.Leg._fields)


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
        key, near, far = self.passage
        asked = self.asked
        lines = (
            key, *_lines(near), *_lines(far),
            "\r".join(asked.vias), asked.sender, asked.receiver, "\r".join(asked.record_routes),
            asked.local, asked.cseq, self.method, "1" if self.offered else "", self.reported,
            self.near_token, self.far_known, self.far_token, self.answered,
        )  # fmt: skip
        return "\n".join(lines)


def read(text: str) -> Kept:
    """What `Kept.text` wrote."""
    lines = text.split("\n")
    near = _leg(lines[1 : 1 + LEG_LINES])
    far = _leg(lines[1 + LEG_LINES : 1 + 2 * LEG_LINES])
    vias, sender, receiver, routes, local, cseq, method, offered, *rest = lines[1 + 2 * LEG_LINES :]
    asked = mask.Asked(_listed(vias), sender, receiver, _listed(routes), local, cseq)
    return Kept(mask.Passage(lines[0], near, far), asked, method, bool(offered), *rest)


def of(passage: mask.Passage, request: sip.Message, local: str) -> Kept:
    """`local` is our address where the request came in, as it stands in a Contact."""
    record_routes = () if passage.far.tag else tuple(request.all("record-route"))
    asked = mask.Asked(
        tuple(request.all("via")), request.first("from"), request.first("to"), record_routes,
        local, request.first("cseq"),
    )  # fmt: skip
    return Kept(passage, asked, request.method, offered=False)


def _lines(leg: mask.Leg) -> list[str]:
    before, after = mask.around_routes(leg)
    return [*before, "\r".join(leg.routes), *after]


def _leg(lines: list[str]) -> mask.Leg:
    routes = _listed(lines[mask.ROUTES])
    return mask.Leg._make([*lines[: mask.ROUTES], routes, *lines[mask.ROUTES + 1 :]])


def _listed(line: str) -> tuple[str, ...]:
    return tuple(line.split("\r")) if line else ()


def _varying(leg: mask.Leg) -> str:
    return "\r".join((leg.tag, leg.target, leg.flow, *leg.routes))
