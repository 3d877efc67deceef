"""How many texts a sender and a connector may send. Each process counts for itself."""

MINUTE = 60_000
MOST_REMEMBERED = 100_000


class Limits:
    """Counts by moments: each text moves the moment forward at which the next one would be due.

    (The generic cell rate algorithm, ITU-T I.371.) Times are in milliseconds since the epoch.
    """

    def __init__(self, per_sender_minute: int) -> None:
        self._per_sender = per_sender_minute
        self._senders: dict[str, float] = {}
        self._connectors: dict[str, float] = {}

    def sender_may(self, sender: str, now: int) -> bool:
        """Whether one more text of this sender is within a minute's number of them."""
        if not self._per_sender:
            return True
        due = max(self._senders.get(sender, 0.0), now - MINUTE)
        if due + MINUTE / self._per_sender > now:
            return False
        if len(self._senders) >= MOST_REMEMBERED:
            self._senders = {who: at for who, at in self._senders.items() if at > now - MINUTE}
        self._senders[sender] = due + MINUTE / self._per_sender
        return True

    def slot(self, connector: str, per_minute: int, now: int) -> int:
        """When the connector's next text may go out: now, or as soon as its rate allows.

        A tenth of a second's worth may go at once.
        """
        due = max(self._connectors.get(connector, 0.0), now - 100.0)
        self._connectors[connector] = due + MINUTE / per_minute
        return max(now, round(due))
