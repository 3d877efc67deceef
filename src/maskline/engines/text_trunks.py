"""Texts on their way out by SIP: to one of a carrier's targets after the other until one takes it,
with the numbers as that carrier writes them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from maskline.domain.trunk import PLAIN, Target, WayOut
from maskline.engines.control import Reply, SipText
from maskline.operations import numbering

# No answer (also by Kamailio's 408) and what speaks for one target alone (RFC 3263 4.3).
OTHERS_MAY_TAKE_IT = (408, 500, 502, 503, 504)
NO_PLACE = Reply(503)


class Line(Protocol):
    async def send_text(self, target: Target, text: SipText) -> Reply | None:
        """The final reply; None when there was none."""


class Places(Protocol):
    """Where carriers are."""

    def order(self, names: Sequence[str]) -> list[tuple[str, Target]]:
        """What to try over these carriers, the best first."""

    def suspect(self, name: str, address: str) -> None:
        """A text could not be carried by this target."""


class TextTrunk:
    """The trunks that carry one carrier's texts: `names` are its own and those that may replace
    it, `ways` how each writes numbers."""

    def __init__(
        self, names: Sequence[str], line: Line, places: Places, ways: Mapping[str, WayOut]
    ) -> None:
        self._names, self._line, self._places, self._ways = names, line, places, ways

    @property
    def usable(self) -> bool:
        """Whether there is anything to try."""
        return bool(self._places.order(self._names))

    async def send(self, shown: str, called: str, call_id: str, content: bytes) -> Reply | None:
        """The final reply of the target that answered for the text, or of the last one tried."""
        reply: Reply | None = NO_PLACE
        for name, target in self._places.order(self._names):
            way = self._ways.get(name, PLAIN)
            ours, theirs = (numbering.written_for(number, way) for number in (shown, called))
            reply = await self._line.send_text(
                target, SipText(name, ours, theirs, call_id, content)
            )
            if reply is not None and reply.status not in OTHERS_MAY_TAKE_IT:
                break
            self._places.suspect(name, target.address)
        return reply


def read(request: Mapping[str, Any], ways: Mapping[str, WayOut]) -> dict[str, Any]:
    """An AcceptMessage request with its numbers in E.164 form, where its carrier writes them as
    its country does."""
    way = ways.get(request["CarrierName"], PLAIN)
    numbers = {name: numbering.read_from(request[name], way) for name in ("Caller", "Called")}
    return {**request, **numbers}
