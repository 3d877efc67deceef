"""Route sets: a leg's is fixed when the dialog is made (RFC 3261 12.2), but a party that moves
sends a new Contact alone, and what is sealed anew must hold the old routes."""

from __future__ import annotations

from . import mask, sip
from .engines import call_of
from .switch import Switch
from .tables import Table

ROUTES = Table("routes")
# Characters of a route set; a longer one is nothing that a carrier has.
LONGEST = 2000


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

    def completed(self, key: str, leg: mask.Leg) -> mask.Leg:
        """A leg with its routes, when its newest message did not tell them. Raises SwitchDown while
        they cannot be known: what is sealed without them would lose its way for good."""
        if leg.routes:
            return leg
        name = self._name(key, leg)
        known = ROUTES.get(name)
        if known is None:
            recorded = self.recorded(leg)
            if recorded is not None:
                self._keep(key, recorded)
            known = "\n".join(recorded.routes) if recorded else ""
        return leg._replace(routes=tuple(known.split("\n"))) if known else leg

    def recorded(self, leg: mask.Leg) -> mask.Leg | None:
        """A leg as it was when the call was answered; None while it is not. Raises SwitchDown."""
        told = self._switch.ask("GetLegs", {"CallId": call_of(leg.reference)})
        opened = [self._keys.open(sip.user(one["Target"])) for one in told.get("Legs", [])]
        return next((found for _, found in filter(None, opened) if found.side == leg.side), None)

    def _name(self, key: str, leg: mask.Leg) -> str:
        return self._keys.alias(key, "routes", leg.call_id, leg.tag)
