"""Route sets: a leg's is fixed when the dialog is made (RFC 3261 12.2), but a party that moves
sends a new Contact alone, and what is sealed anew must hold the old routes."""

from __future__ import annotations

import KSR

from . import mask

TABLE = "routes"


class RouteSets:
    """Kept in Kamailio's memory; most legs have none, and are not in it."""

    def __init__(self, keys: mask.Keyring) -> None:
        self._keys = keys

    def remember(self, key: str, leg: mask.Leg) -> None:
        if leg.routes:
            KSR.htable.sht_sets(TABLE, self._name(key, leg), "\n".join(leg.routes))

    def completed(self, key: str, leg: mask.Leg) -> mask.Leg:
        """A leg with its routes, when its newest message did not tell them."""
        known = None if leg.routes else KSR.htable.sht_get(TABLE, self._name(key, leg))
        return leg._replace(routes=tuple(known.split("\n"))) if known else leg

    def _name(self, key: str, leg: mask.Leg) -> str:
        return self._keys.alias(key, "routes", leg.call_id, leg.tag)
