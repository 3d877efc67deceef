"""The relay's place, taken by a test."""

from collections.abc import Sequence

from maskline.sms.port import Accepted, Arrival, Outcome, Verdict


class Inbox:
    """Takes what comes, with the verdict of the test's choosing."""

    def __init__(self) -> None:
        self.taken: list[Arrival] = []
        self.verdict: Verdict | Exception = Accepted(message_ids=("ours",))
        self.outcomes: dict[str, Outcome] = {}
        self.batches: list[int] = []
        self.readies = 0

    async def take(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        if isinstance(self.verdict, Exception):
            raise self.verdict
        self.taken += arrivals
        return [self.verdict for _ in arrivals]

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> None:
        assert not self.outcomes.keys() & dict(outcomes).keys(), "two outcomes for one text"
        self.outcomes |= dict(outcomes)
        self.batches.append(len(outcomes))

    def ready(self) -> None:
        self.readies += 1
