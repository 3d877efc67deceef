"""The link of a carrier that is sent to by HTTP: a request for each text, several at once."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from maskline import clock
from maskline.courier import Courier, NotSent, Unanswered
from maskline.domain.bucket import Bucket
from maskline.sms.http.answers import BAD_KEYS, BAD_KEYS_SECONDS
from maskline.sms.http.provider import Provider
from maskline.sms.patience import patiently
from maskline.sms.port import (
    Accepted,
    Inbox,
    LinkHealth,
    Outcome,
    Outgoing,
    TryLater,
    Unknown,
)
from maskline.sms.trouble import Trouble
from maskline.sms.window import Window

PAUSE_SECONDS = 1.0  # after a "try later" that says no time
UNREACHABLE_SECONDS = 5.0
LONGEST_PAUSE = 60.0
FAILURES = 3  # in a row, after which a carrier is left alone


class HttpLink:
    """Sends at most `most_at_once` texts at a time and `per_second` in a second.

    A carrier that says "try later" is left alone for as long as it says.
    """

    def __init__(
        self, provider: Provider, courier: Courier, *, most_at_once: int, per_second: float
    ) -> None:
        self._provider = provider
        self._courier = courier
        self._window = Window(provider.carrier, most_at_once, self._outcome, self._ended)
        self._rate = Bucket(per_second, per_second, time.monotonic)
        self._paused_until = 0.0
        self._waking: asyncio.TimerHandle | None = None
        self._trouble = Trouble(provider.carrier)
        self._failures = 0
        self._served_at = -BAD_KEYS_SECONDS  # when a text was last taken, or refused for good

    @property
    def carrier(self) -> str:
        return self._provider.carrier

    @property
    def room(self) -> int:
        if time.monotonic() < self._paused_until:
            return 0
        return min(self._window.room, max(0, self._rate.room))

    @property
    def health(self) -> LinkHealth:
        return LinkHealth(up=not self._trouble.why, detail=self._trouble.why)

    @property
    def connections(self) -> Mapping[str, int]:
        return {}  # providers give their texts ids

    async def run(self, inbox: Inbox) -> None:
        async with self._courier, self._window.open(inbox):
            inbox.ready()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                if self._waking is not None:
                    self._waking.cancel()
                    self._waking = None

    def submit(self, texts: Sequence[Outgoing]) -> None:
        self._rate.take(len(texts))
        self._window.submit(texts)

    def recall(self, message_ids: Collection[str]) -> None:
        self._window.recall(message_ids)

    async def drain(self) -> None:
        await self._window.drain()

    async def _outcome(self, text: Outgoing) -> Outcome:
        ids: tuple[str, ...] = ()
        segments = 0
        is_wanted = partial(self._window.wants, text.message_id)
        for place, piece in enumerate(self._provider.pieces(text)):
            send = partial(self._sent, piece)
            if place:
                self._rate.take(1)
            outcome = await (patiently(send, is_wanted) if place else send())
            if not isinstance(outcome, Accepted):
                return outcome
            ids, segments = ids + outcome.message_ids, segments + outcome.segments
        return Accepted(message_ids=ids, segments=segments)

    async def _sent(self, text: Outgoing) -> Outcome:
        request = self._provider.request(text, clock.now())
        try:
            outcome = self._provider.outcome(await self._courier.send(request))
        except NotSent as error:
            self._pause(UNREACHABLE_SECONDS, f"not reached: {error}")
            return TryLater(after=UNREACHABLE_SECONDS, reason="not-reached")
        except Unanswered as error:
            self._failed(f"no answer: {error}")
            return Unknown(reason="no-answer")
        if isinstance(outcome, TryLater):
            self._put_off(outcome)
        elif isinstance(outcome, Unknown):
            self._failed(outcome.reason)
        else:
            self._trouble.over()
            self._failures = 0
            self._served_at = time.monotonic()
        return outcome

    def _put_off(self, outcome: TryLater) -> None:
        """Leaves the carrier alone. But keys that were good a moment ago are no worse now: what is
        refused by 401, 403 or 404 then is one text."""
        if outcome.reason != BAD_KEYS or time.monotonic() - self._served_at > BAD_KEYS_SECONDS:
            self._pause(outcome.after or PAUSE_SECONDS, outcome.reason)

    def _failed(self, why: str) -> None:
        """One failure is about one text; several in a row are about the carrier."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._pause(PAUSE_SECONDS * 2 ** min(self._failures - FAILURES, 6), why)

    def _pause(self, seconds: float, why: str) -> None:
        self._trouble.seen(why)
        until = time.monotonic() + min(seconds, LONGEST_PAUSE)
        self._paused_until = max(self._paused_until, until)

    def _ended(self) -> None:
        """A text is done with: there is room for the next one, now or after a while."""
        if self.room:
            self._window.ready()
        elif self._waking is None:
            wait = max(self._paused_until - time.monotonic(), self._rate.seconds_to_one, 0.001)
            self._waking = asyncio.get_running_loop().call_later(wait, self._wake)

    def _wake(self) -> None:
        self._waking = None
        self._window.ready()
