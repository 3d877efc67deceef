"""What a provider of texts over HTTP is to the link that sends and to the door that listens.

A provider does no I/O: requests, answers and callbacks are values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from maskline.courier import HttpReply, HttpRequest
from maskline.sms.port import Arrival, Outcome, Outgoing
from maskline.sms.text.pieces import pieces

MESSAGES, STATUS = "messages", "status"


class NotGenuine(Exception):
    """A callback that does not bear the provider's signature."""


class Unreadable(Exception):
    """A callback that cannot be understood. The text says what is wrong, and holds no number."""


@dataclass(frozen=True)
class Callback:
    """A request that came in at a provider's path.

    `kind` is MESSAGES or STATUS, `url` what the provider called, as it wrote it, with the query.
    Header names are in lower case. `received_at` is in milliseconds since the epoch.
    """

    kind: str
    method: str
    url: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    received_at: int


@dataclass(frozen=True)
class Thanks:
    """What a provider wants to hear when all was taken."""

    status: int = 200
    content_type: str = "text/plain"
    body: bytes = b""


@dataclass(frozen=True)
class Reading:
    """What a callback holds, and the answer that it gets once that is kept.

    `fault` says what of it could not be understood, if anything: then it is not thanked for, though
    the rest is kept. It holds no number.
    """

    arrivals: Sequence[Arrival]
    thanks: Thanks = field(default_factory=Thanks)
    fault: str = ""


class Provider(Protocol):
    """One carrier's API for texts."""

    @property
    def carrier(self) -> str: ...

    def pieces(self, text: Outgoing) -> Sequence[Outgoing]:
        """The text as it fits the carrier's requests: nearly always one."""

    def request(self, text: Outgoing, now: int) -> HttpRequest:
        """What to ask for such a piece to be sent; `now` is in milliseconds since the epoch."""

    def outcome(self, reply: HttpReply) -> Outcome:
        """What the answer says about the text."""

    @property
    def challenge(self) -> str:
        """What has a provider send its proof that comes without one first (WWW-Authenticate, RFC
        9110 11.6.1); empty for one that sends it at once."""

    def bears_proof(self, headers: Mapping[str, str]) -> bool:
        """Whether a callback with these headers may be genuine: without a proof none is read."""

    def read(self, callback: Callback) -> Reading:
        """What a callback says; raises NotGenuine, Unreadable."""

    def media_headers(self, url: str) -> Mapping[str, str]:
        """The headers to fetch media at this URL with: a provider's own may ask for our key."""


def in_pieces(text: Outgoing, most: int, pictures: int) -> list[Outgoing]:
    """The text as several of at most that size (see `room_of`), the last with its first so many
    pictures; links to the others stand in the words. Each has an id of its own."""
    *first, last = pieces(text.words_beside(pictures), most)
    if not first:
        return [text]
    parts = [(words, ()) for words in first]
    return [
        msgspec.structs.replace(
            text,
            message_id=f"{text.message_id}-{place}" if place else text.message_id,
            text=words,
            media=media,
        )
        for place, (words, media) in enumerate([*parts, (last, text.media[:pictures])])
    ]
