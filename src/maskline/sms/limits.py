"""How many texts a sender and a connector may send. Each process counts for itself."""

from collections import ChainMap
from collections.abc import MutableMapping

from maskline.clock import MINUTE

MOST_REMEMBERED = 100_000

Moments = MutableMapping[str, float]


class Limits:
    """Counts by moments: each text moves the moment forward at which the next one would be due.

    (The generic cell rate algorithm, ITU-T I.371.) Times are in milliseconds since the epoch.
    """

    def __init__(self, per_sender_minute: int) -> None:
        self._per_sender = per_sender_minute
        self._senders: Moments = {}
        self._connectors: Moments = {}
        self._origin: Limits | None = None

    def draft(self) -> "Limits":
        """Counts on from here by itself, until `keep`: a turn may fail, and be done again."""
        draft = Limits(self._per_sender)
        draft._origin = self
        draft._senders = ChainMap({}, self._senders)
        draft._connectors = ChainMap({}, self._connectors)
        return draft

    def keep(self, now: int) -> None:
        """Makes what a draft has counted hold."""
        if self._origin is None:
            return
        for own, kept in (
            (self._senders, self._origin._senders),
            (self._connectors, self._origin._connectors),
        ):
            assert isinstance(own, ChainMap)
            kept.update(own.maps[0])
            if len(kept) > MOST_REMEMBERED:
                for name in [name for name, at in kept.items() if at <= now - MINUTE]:
                    del kept[name]

    def sender_may(self, sender: str, now: int) -> bool:
        """Whether one more text of this sender is within a minute's number of them."""
        if not self._per_sender:
            return True
        due = self._senders.get(sender, 0.0)
        if not now - MINUTE < due < now + MINUTE:  # long ago, or the clock was set back since
            due = now - MINUTE
        if due + MINUTE / self._per_sender > now:
            return False
        self._senders[sender] = due + MINUTE / self._per_sender
        return True

    def slot(self, connector: str, per_minute: int, now: int) -> int:
        """When the connector's next text may go out: now, or as soon as its rate allows.

        A tenth of a second's worth may go at once.
        """
        due = max(self._connectors.get(connector, 0.0), now - 100.0)
        self._connectors[connector] = due + MINUTE / per_minute
        return max(now, round(due))
