"""Voice connectors and what they say about the proxy sessions made on them."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

# What no rule of any connector, and no setting, may exceed; the model says the same.
LONGEST_RING_SECONDS, LONGEST_CALL_SECONDS = 300, 86_400
LONGEST_REST_MINUTES = 525_600


def longest_rest(days: int) -> int:
    """Minutes of rest, which goes by closed sessions, where these are kept for so many days."""
    return days * 24 * 60


def lower(limit: int, ceiling: int) -> int:
    """The lower one of two limits, of which 0 is any number."""
    return min(limit or ceiling, ceiling or limit)


class Assignment(StrEnum):
    """Whether both participants of a session must get the same proxy number."""

    SHARED = "shared"
    PER_PARTICIPANT = "per_participant"


class UnknownCaller(StrEnum):
    """What becomes of a caller who has no session on the number."""

    REJECT = "reject"
    FALLBACK = "fallback"


@dataclass(frozen=True, kw_only=True)
class TextRules:
    """What an operator decides about the texts of a connector.

    `keep_days` is how long a text can be read after its final state; else it is erased then. The
    replies are what the relay itself tells a sender; empty, nothing. `max_per_minute` of 0 is any
    number.
    """

    keep_days: int = 0
    closed_reply: str = ""
    stop_reply: str = ""
    start_reply: str = ""
    help_reply: str = ""
    keyword_languages: tuple[str, ...] = ()
    max_characters: int = 1530
    max_media: int = 10
    max_per_minute: int = 0


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """What no rules of a connector go beyond; 0 of what is counted is any number. `record_calls` is
    whether any may have calls recorded."""

    max_call_seconds: int = LONGEST_CALL_SECONDS
    max_calls: int = 0
    max_calls_per_second: int = 0
    max_calls_per_caller: int = 0
    max_calls_per_caller_per_second: int = 0
    max_texts_per_minute: int = 0
    record_calls: bool = True


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What an operator decides about the sessions and calls of a connector. The limits of calls,
    at once and a second, also for each caller, are 0 for any number. `encrypted` are connectors
    whose calls may be carried encrypted alone, if the service enforces it. A number rests so many
    minutes between a participant's sessions with different people."""

    number_assignment: Assignment = Assignment.SHARED
    number_rest_minutes: int = 0
    unknown_caller: UnknownCaller = UnknownCaller.REJECT
    hang_up_on_delete: bool = True
    hang_up_on_expiry: bool = False
    max_ring_seconds: int = 60
    max_call_seconds: int = 4 * 3600
    max_calls: int = 0
    max_calls_per_second: int = 0
    max_calls_per_caller: int = 0
    max_calls_per_caller_per_second: int = 0
    encrypted: bool = False
    texts: TextRules = TextRules()
    record_calls: bool = False
    ceilings: Ceilings = Ceilings()

    def bounded(self) -> Self:
        """The rules with each limit at its ceiling that was beyond it."""
        most, texts = self.ceilings, self.texts
        return replace(
            self,
            max_call_seconds=min(self.max_call_seconds, most.max_call_seconds),
            max_calls=lower(self.max_calls, most.max_calls),
            max_calls_per_second=lower(self.max_calls_per_second, most.max_calls_per_second),
            max_calls_per_caller=lower(self.max_calls_per_caller, most.max_calls_per_caller),
            max_calls_per_caller_per_second=lower(
                self.max_calls_per_caller_per_second, most.max_calls_per_caller_per_second
            ),
            record_calls=self.record_calls and most.record_calls,
            texts=replace(
                texts, max_per_minute=lower(texts.max_per_minute, most.max_texts_per_minute)
            ),
        )

    def hang_up(self, *, expired: bool) -> bool:
        """Whether a session's calls end with it: one that expired, or one that was deleted."""
        return self.hang_up_on_expiry if expired else self.hang_up_on_delete


@dataclass(frozen=True, kw_only=True)
class VoiceConnector:
    """The resource that proxy sessions belong to. Times are milliseconds since the epoch."""

    voice_connector_id: str
    account_id: str
    region: str
    name: str
    require_encryption: bool
    integration_type: str | None
    network_type: str
    rules: Rules
    created_at: int
    updated_at: int

    @property
    def arn(self) -> str:
        return connector_arn(self.region, self.account_id, self.voice_connector_id)

    @property
    def outbound_host_name(self) -> str:
        return f"{self.voice_connector_id}.voiceconnector.chime.aws"


def connector_arn(region: str, account_id: str, voice_connector_id: str) -> str:
    return f"arn:aws:chime:{region}:{account_id}:vc/{voice_connector_id}"


@dataclass(frozen=True, kw_only=True)
class ProxyConfiguration:
    """How a connector makes proxy sessions; `countries` are those its numbers may come from."""

    default_expiry_minutes: int
    disabled: bool
    fallback_number: str | None
    countries: tuple[str, ...]
