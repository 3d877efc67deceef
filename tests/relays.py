"""A relay for tests of links: keeps what arrives, remembers what became of what went out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from maskline.sms.port import (
    Accepted,
    Arrival,
    InboundText,
    Link,
    Outcome,
    Outgoing,
    Receipt,
    Verdict,
)


class Relay:
    """Takes everything, unless `judge` says otherwise; each `take` waits for `gate`."""

    def __init__(self) -> None:
        self.batches: list[list[Arrival]] = []
        self.outcomes: dict[str, list[Outcome]] = {}
        self.readies = 0
        self.judge: Callable[[Arrival], Verdict] = lambda arrival: Accepted(message_ids=("ours",))
        self.gate: Callable[[], Awaitable[None]] | None = None
        self._news = asyncio.Event()
        self._number = 0

    @property
    def texts(self) -> list[InboundText]:
        return [one for batch in self.batches for one in batch if isinstance(one, InboundText)]

    @property
    def receipts(self) -> list[Receipt]:
        return [one for batch in self.batches for one in batch if isinstance(one, Receipt)]

    async def take(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        if self.gate is not None:
            await self.gate()
        self.batches.append(list(arrivals))
        self._news.set()
        return [self.judge(arrival) for arrival in arrivals]

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> None:
        for message_id, outcome in outcomes:
            self.outcomes.setdefault(message_id, []).append(outcome)
        self._news.set()

    def ready(self) -> None:
        self.readies += 1
        self._news.set()

    def outgoing(self, text: str = "hello", **changes: object) -> Outgoing:
        self._number += 1
        return Outgoing(
            **{
                "message_id": f"m{self._number}",
                "reference": self._number,
                "source": "+19135550199",
                "destination": "+12065550100",
                "text": text,
                "expires_at": time.time_ns() // 1_000_000 + 3_600_000,
                **changes,
            }  # type: ignore[arg-type]
        )

    async def until(self, true: Callable[[], object], seconds: float = 30.0) -> None:
        """Returns when something is so; it is looked at after each piece of news, and often."""
        async with asyncio.timeout(seconds):
            while not true():
                self._news.clear()
                try:
                    async with asyncio.timeout(0.02):
                        await self._news.wait()
                except TimeoutError:
                    continue

    async def outcome(self, link: Link, text: Outgoing) -> Outcome:
        """What becomes of a text, once the link has room for it."""
        await self.until(lambda: link.room)
        link.submit([text])
        await self.until(lambda: text.message_id in self.outcomes)
        [outcome] = self.outcomes[text.message_id]
        return outcome
