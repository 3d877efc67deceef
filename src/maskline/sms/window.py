"""The texts that a link is sending: each in a task of its own, so many at once and no more."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager

import structlog

from maskline.logs import whereabouts
from maskline.sms.port import Inbox, Outcome, Outgoing, Unknown

log = structlog.get_logger()


class Window:
    """Gives exactly one outcome for each text, whatever befalls it. `send` says what became of a
    text; `ended` is called after each, while the link goes on.
    """

    def __init__(
        self,
        carrier: str,
        most_at_once: int,
        send: Callable[[Outgoing], Awaitable[Outcome]],
        ended: Callable[[], None],
    ) -> None:
        self._carrier = carrier
        self._most_at_once = most_at_once
        self._send = send
        self._ended = ended
        self._inbox: Inbox | None = None
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._recalled: set[str] = set()
        self._outcomes: list[tuple[str, Outcome]] = []
        self._telling = False  # whether what is gathered will be told this turn of the loop
        self._draining = False

    @property
    def room(self) -> int:
        if self._inbox is None or self._draining:
            return 0
        return max(0, self._most_at_once - len(self._tasks))

    @asynccontextmanager
    async def open(self, inbox: Inbox) -> AsyncIterator[None]:
        """Has room inside the block; when it is left, nothing is under way."""
        self._inbox = inbox
        self._tell(inbox)  # what ended while it was closed
        try:
            yield
        finally:
            self._inbox = None
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tell(inbox)

    def ready(self) -> None:
        """Tells the inbox that there may be room."""
        if self._inbox is not None:
            self._inbox.ready()

    def submit(self, texts: Sequence[Outgoing]) -> None:
        for text in texts:
            task = asyncio.create_task(self._carry(text))
            self._tasks[task] = text.message_id
            task.add_done_callback(self._done)

    def recall(self, message_ids: Collection[str]) -> None:
        self._recalled.update(set(message_ids).intersection(self._tasks.values()))

    def wants(self, message_id: str) -> bool:
        """Whether what is left of a text is still to be sent."""
        return message_id not in self._recalled

    async def drain(self) -> None:
        """Takes nothing in any more, and returns when nothing is under way."""
        self._draining = True
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def _carry(self, text: Outgoing) -> None:
        try:
            outcome = await self._send(text)
        except Exception as error:
            told = {"carrier": self._carrier, "message_id": text.message_id}
            log.error("text not sent", **told, **whereabouts(error))
            outcome = Unknown(reason="failure")
        self._settle(text.message_id, outcome)

    def _done(self, task: asyncio.Task[None]) -> None:
        message_id = self._tasks.pop(task)
        self._recalled.discard(message_id)
        if task.cancelled():
            self._settle(message_id, Unknown(reason="stopped"))
        elif self._inbox is not None and not self._draining:
            self._ended()

    def _settle(self, message_id: str, outcome: Outcome) -> None:
        """Gathers what one turn of the loop brings, so that it is settled in one go."""
        self._outcomes.append((message_id, outcome))
        if not self._telling and self._inbox is not None:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell, self._inbox)

    def _tell(self, inbox: Inbox) -> None:
        self._telling = False
        outcomes, self._outcomes = self._outcomes, []
        if outcomes:
            inbox.settle(outcomes)
