"""A carrier for texts in memory: a relay's turns by hand, at a time of the test's choosing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from desk import ANN, Desk

from maskline.domain.message import Encoding, Reported
from maskline.operations import Context
from maskline.sms.limits import Limits
from maskline.sms.port import (
    Accepted,
    Arrival,
    InboundText,
    Outcome,
    Outgoing,
    Part,
    Receipt,
    Verdict,
)
from maskline.sms.turn import Done, Work
from maskline.sms.works import take_over, take_turn, tend


@dataclass
class Carrier:
    """The carrier `acme` and our process that has a link to it."""

    desk: Desk
    room: int = 100
    life: str = "node.1"
    sent: list[Outgoing] = field(default_factory=list)
    backlog: frozenset[str] = frozenset({"acme"})
    connections: tuple[str, ...] = ("c1",)
    has_answers_until: int = 0  # of all of them
    full: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    crowded: tuple[str, ...] = ()
    limits: Limits | None = None

    def turn(
        self,
        *arrivals: Arrival,
        outcomes: Sequence[tuple[str, Outcome]] = (),
        what: Callable[[Context, Work], Done] = take_turn,
    ) -> Done:
        work = Work(
            holder=self.life,
            node=f"{self.life.partition('.')[0]}.",
            arrivals=arrivals,
            outcomes=outcomes,
            room={"acme": self.room} if what is take_turn else {},
            claimable=self.backlog,
            connections=dict.fromkeys(self.connections, self.has_answers_until),
            full=self.full,
            held=self.held,
            limits=self.limits,
            crowded=self.crowded,
        )
        self.desk.ground.begin()
        done = what(self.desk.context(""), work)
        self.desk.ground.keep()
        if done.limits is not None:
            done.limits.keep(self.desk.now)
        for texts in done.outgoing.values():
            self.sent += texts
        return done

    def text(self, words: str, to: str, source: str = ANN, **more: Any) -> InboundText:
        return InboundText(
            **{
                "carrier": "acme",
                "source": source,
                "destination": to,
                "text": words,
                "encoding": Encoding.GSM,
                "received_at": self.desk.now,
                "connection": "c1",
                **more,
            }
        )

    def bring(self, words: str, to: str, source: str = ANN, **more: Any) -> Verdict:
        """One text arrives."""
        (verdict,) = self.turn(self.text(words, to, source, **more)).verdicts
        return verdict

    def bring_part(self, words: str, to: str, number: int, total: int, **more: Any) -> Verdict:
        part = Part(more.pop("reference", 7), number, total)
        return self.bring(words, to, part=part, **more)

    def answer(self, outcome: Outcome, text: Outgoing | None = None) -> Done:
        """The carrier's answer to a text, the latest one unless named."""
        text = text or self.sent[-1]
        return self.turn(outcomes=[(text.message_id, outcome)])

    def accept(self, sent_id: str = "id-1", text: Outgoing | None = None) -> Done:
        return self.answer(Accepted(message_ids=(sent_id,), encoding=Encoding.GSM), text)

    def report(
        self, sent_id: str = "id-1", state: Reported = Reported.DELIVERED, **more: Any
    ) -> Done:
        receipt = Receipt(carrier="acme", message_id=sent_id, state=state, at=self.desk.now, **more)
        return self.turn(receipt)

    def wait(self, milliseconds: int) -> Done:
        """Time passes, and what it asks for is done; texts that wait are sent."""
        self.desk.now += milliseconds
        self.turn(what=tend)
        return self.turn()

    def restart(self) -> Done:
        """The process is killed and comes back."""
        number = int(self.life.split(".")[1]) + 1
        self.life, self.connections = f"node.{number}", (f"c{number}",)
        return self.turn(what=take_over)

    def messages(self, **filters: Any) -> list[dict[str, Any]]:
        """The records, oldest first."""
        found: list[dict[str, Any]] = self.desk.maskline("ListMessages", **filters)["Messages"]
        return found[::-1]

    def states(self) -> list[str]:
        return [message["State"] for message in self.messages()]

    def set_texts(self, **policy: Any) -> None:
        texts = replace(self.desk.policy.texts, **policy)
        self.desk.policy = replace(self.desk.policy, texts=texts)
