"""A proxy session: two participants, the proxy number of each, and a window of time."""

from dataclasses import dataclass
from enum import StrEnum

MINUTE = 60_000


class Capability(StrEnum):
    SMS = "SMS"
    VOICE = "Voice"


class Status(StrEnum):
    OPEN = "Open"
    IN_PROGRESS = "InProgress"
    CLOSED = "Closed"


@dataclass(frozen=True, kw_only=True, order=True)
class Participant:
    """A person's number, and the number that this person dials and sees."""

    phone_number: str
    proxy_number: str


@dataclass(frozen=True, kw_only=True)
class ProxySession:
    """A session, as far as decisions need it. Times are milliseconds since the epoch.

    `expires_at` is the end of its window; `ended_at` is set when it was ended before, or when the
    end of the window has been noted. What holds now is asked of `ended`.
    """

    proxy_session_id: str
    voice_connector_id: str
    name: str | None
    expiry_minutes: int
    capabilities: frozenset[Capability]
    participants: tuple[Participant, Participant]
    created_at: int
    expires_at: int
    ended_at: int | None

    def ended(self, now: int) -> int | None:
        """When the session ended, if it has by `now`."""
        return end_of(self.expires_at, self.ended_at, now)

    def allows(self, capability: Capability) -> bool:
        return capability in self.capabilities

    def sides(self, phone_number: str) -> tuple[Participant, Participant]:
        """The participant with that number, then the other one."""
        first, second = self.participants
        return (first, second) if first.phone_number == phone_number else (second, first)


def end_of(expires_at: int, ended_at: int | None, now: int) -> int | None:
    """When a session ended, if it has by `now`: it needs nobody to notice its expiry."""
    if ended_at is not None:
        return ended_at
    return expires_at if now >= expires_at else None


def status_of(end: int | None, live_call: bool) -> Status:
    """What a session is that has ended then or, with None, not yet."""
    if end is not None:
        return Status.CLOSED
    return Status.IN_PROGRESS if live_call else Status.OPEN


def expiry(now: int, minutes: int) -> int:
    """The end of a window of that many minutes which starts now."""
    return now + minutes * MINUTE
