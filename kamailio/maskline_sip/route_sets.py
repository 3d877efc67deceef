"""Route sets: a leg's is fixed when the dialog is made (RFC 3261 12.2), but a party that moves
sends a new Contact alone, and what is sealed anew must hold the old routes."""

from __future__ import annotations

from typing import NamedTuple

from . import mask, sip
from .engines import call_of
from .switch import Switch, SwitchDown
from .tables import Table

RINGING, ENDED = "Ringing", "Ended"
ROUTES = Table("routes")
# Characters of a route set; a longer one is nothing that a carrier has.
LONGEST = 2000


class Known(NamedTuple):
    """How far a call is, empty if nothing is known of it, and its legs by side since it was
    answered."""

    state: str
    legs: dict[str, mask.Leg]


class RouteSets:
    """Kept in Kamailio's memory; most legs have none, and are not in it until they are asked for.
    What another node knows, or an earlier start of this one, the call's record knows, too."""

    def __init__(self, keys: mask.Keyring, switch: Switch) -> None:
        self._keys, self._switch = keys, switch

    def remember(self, key: str, leg: mask.Leg) -> None:
        """Raises Refused for a route set that is none."""
        if sum(map(len, leg.routes)) > LONGEST:
            raise mask.Refused("a route set of this length")
        if leg.routes:
            self._keep(key, leg)

    def _keep(self, key: str, leg: mask.Leg) -> None:
        ROUTES.put(self._name(key, leg), "\n".join(leg.routes))

    def completed(self, key: str, leg: mask.Leg, call: Known | None) -> mask.Leg:
        """A leg with its routes, when its newest message did not tell them. `call` is what
        `known_of` it gave. Raises SwitchDown while the routes cannot be known: what is sealed
        without them would lose its way for good."""
        if leg.routes:
            return leg
        name = self._name(key, leg)
        known = ROUTES.get(name)
        if known is None:
            if call is None:
                raise SwitchDown("no routes")
            recorded = call.legs.get(leg.side)
            if recorded is not None:
                self._keep(key, recorded)
            known = "\n".join(recorded.routes) if recorded else ""
        return leg._replace(routes=tuple(known.split("\n"))) if known else leg

    def known_of(self, reference: str) -> Known | None:
        """What the control plane knows of a call; None where that cannot be had."""
        try:
            told = self._switch.ask("GetLegs", {"CallId": call_of(reference)})
        except SwitchDown:
            return None
        opened = [self._keys.open(sip.user(one["Target"])) for one in told.get("Legs", [])]
        legs = {leg.side: leg for _, leg in filter(None, opened)}
        return Known(told.get("State", ""), legs)

    def _name(self, key: str, leg: mask.Leg) -> str:
        return self._keys.alias(key, "routes", leg.call_id, leg.tag)
