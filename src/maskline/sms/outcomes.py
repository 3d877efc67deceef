"""What became of the texts that were given to carriers: by their answers, and by their receipts."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from maskline.clock import HOUR, MINUTE
from maskline.domain.message import DEAD, Reported, State, after_report, retry_pause
from maskline.sms.body import UNREADABLE, reference_of, unseal
from maskline.sms.port import Accepted, Outcome, Receipt, Refused, TryLater, Unknown
from maskline.sms.text.pieces import room_of
from maskline.sms.turn import Turn, rows
from maskline.store import Row

# What fits one segment in every alphabet: one receipt tells about all of it.
SURELY_ONE_SEGMENT = 70
LONGEST_DOUBT = HOUR  # before a text in doubt is sent again
CLOCKS_DIFFER = MINUTE  # at most, those of our processes


def settle(turn: Turn, outcomes: Sequence[tuple[str, Outcome]]) -> None:
    """Notes the outcomes of texts that were under way."""
    if not outcomes:
        return
    ids = rows([[message_id] for message_id, _ in outcomes])
    known = {row["message_id"]: row for row in turn.context.tx.all("texts_under_way", ids=ids)}
    settling = Settling(turn)
    for message_id, outcome in outcomes:
        row = known.pop(message_id, None)
        if row is None:  # it was settled by a receipt, or by another life of this text
            turn.done.count("unexpected outcome")
            continue
        settling.take(row, outcome)
    settling.write()


@dataclass
class Settling:
    """Outcomes gathered, to be written in one go."""

    turn: Turn
    accepted: list[tuple[str, str | None, int, int]] = field(default_factory=list)
    served: list[tuple[str, int]] = field(default_factory=list)
    segments: list[dict[str, Any]] = field(default_factory=list)
    came_at: dict[tuple[str, str], int] = field(default_factory=dict)  # the text of each segment
    postponed: list[list[Any]] = field(default_factory=list)
    ended: list[list[Any]] = field(default_factory=list)
    doubtful: list[Row] = field(default_factory=list)

    def take(self, row: Row, outcome: Outcome) -> None:
        match outcome:
            case Accepted():
                self.accept(row, outcome)
            case TryLater():
                self.postpone(row, outcome)
            case Refused():
                self.fail(row, outcome)
            case Unknown():
                self.doubtful.append(row)

    def accept(self, row: Row, outcome: Accepted) -> None:
        self.turn.done.queued[row["outbound_carrier"]] -= 1
        message_id = row["message_id"]
        encoding = outcome.encoding.value if outcome.encoding else None
        # One id may stand for several segments, be it that the carrier cut the text itself.
        ids = list(dict.fromkeys(filter(None, outcome.message_ids)))
        self.accepted.append((message_id, encoding, outcome.segments, len(ids)))
        if not ids:  # nothing more will be heard of it: what it says has served its turn
            self.served.append((message_id, erasure(self.turn, row["keep_milliseconds"])))
        self.segments += [
            {
                "carrier": row["outbound_carrier"],
                "sent_id": sent_id,
                "message_id": message_id,
                "sent_at": self.turn.context.now,
            }
            for sent_id in ids
        ]
        self.came_at |= {(row["outbound_carrier"], each): row["received_at"] for each in ids}
        self.turn.happened(row["account_id"], State.ACCEPTED, message_id)
        self.turn.finished.append(message_id)

    def postpone(self, row: Row, outcome: TryLater) -> None:
        pause = retry_pause(row["attempts"], random.random())
        if outcome.after:  # "after no time at all" names none: it may say so each time
            pause = int(outcome.after * 1000 * (1 + random.random() / 4))
        due_at = self.turn.context.now + pause
        self.postponed.append([row["message_id"], State.QUEUED, outcome.reason, due_at])
        self.turn.done.count("try later")

    def fail(self, row: Row, outcome: Refused) -> None:
        self.turn.done.queued[row["outbound_carrier"]] -= 1
        end = ending(self.turn, row, State.FAILED, outcome.reason, outcome.error)
        self.ended.append(end)

    def write(self) -> None:
        tx, now = self.turn.context.tx, self.turn.context.now
        if self.accepted:
            tx.run("accept_messages", texts=rows(self.accepted), now=now)
            tx.run_each("insert_segment", self.segments)
        if self.served:
            tx.run("schedule_erasure", texts=rows(self.served))
        if self.postponed:
            tx.run("postpone_messages", texts=rows(self.postponed))
        if self.ended:
            tx.run("end_messages", texts=rows(self.ended))
        if self.came_at:
            early = tx.all("take_early_receipts", ids=rows(list(self.came_at)))
            report(self.turn, [early_receipt(row) for row in early if self.is_about_us(row)])
        doubt(self.turn, self.doubtful)

    def is_about_us(self, early: Row) -> bool:
        """Whether a receipt was kept since its text came: a carrier that begins to count anew, or
        is another program's too, has told of others under the same id before."""
        came_at = self.came_at[early["carrier"], early["sent_id"]]
        return bool(early["kept_at"] > came_at - CLOCKS_DIFFER)


def ending(turn: Turn, row: Row, state: State, reason: str | None, error: str | None) -> list[Any]:
    """The end of a text as `end_messages` takes it. What failed can be sent again for a while."""
    turn.happened(row["account_id"], state, row["message_id"])
    turn.finished.append(row["message_id"])
    keep = row["keep_milliseconds"]
    if state in DEAD:
        keep = max(keep, turn.context.policy.texts.dead_letter_milliseconds)
    erase_at = erasure(turn, keep)
    return [row["message_id"], state, reason, error, turn.context.now, erase_at]


def erasure(turn: Turn, keep: int) -> int:
    """When to erase what a text says that is kept for so many milliseconds; 0: at once."""
    return turn.context.now + keep if keep else 0


def doubt(turn: Turn, texts: Sequence[Row]) -> None:
    """Texts that a carrier may have or not. They wait for a receipt, then they are sent again."""
    if not texts:
        return
    tx = turn.context.tx
    postponed = [
        [row["message_id"], State.IN_DOUBT, "no-answer", due_after_doubt(turn, row)]
        for row in texts
    ]
    tx.run("postpone_messages", texts=rows(postponed))
    for row in texts:
        turn.happened(row["account_id"], State.IN_DOUBT, row["message_id"])
        for early in tx.all(
            "early_receipts_of_pair", carrier=row["outbound_carrier"], **pair_of(row)
        ):
            resolve_doubt(turn, early_receipt(early), early["kept_at"])


def due_after_doubt(turn: Turn, row: Row) -> int:
    """When a text is sent again: after as long again as it has been in doubt. So a carrier that
    takes it each time, and never says so in a way that we understand, takes it a few times."""
    now = turn.context.now
    noted = turn.context.tx.one(
        "note_unanswered_submit", **pair_of(row), message_id=row["message_id"], now=now
    )
    assert noted is not None
    doubted: int = now - noted["doubted_at"]
    pause = max(turn.context.policy.texts.doubt_milliseconds, min(doubted, LONGEST_DOUBT))
    return now + pause


def pair_of(row: Row) -> dict[str, str]:
    return {"shown": row["shown"], "recipient": row["recipient"]}


def early_receipt(row: Row) -> Receipt:
    return Receipt(
        carrier=row["carrier"],
        message_id=row["sent_id"],
        state=Reported(row["reported"]),
        error=row["error"],
        at=row["reported_at"],
        source=row["source"],
        destination=row["destination"],
        reference=row["reference"],
        whole_up_to=row["whole"],
    )


def report(turn: Turn, receipts: Sequence[Receipt]) -> None:
    """Notes what carriers say about texts they took."""
    if not receipts:
        return
    ids = rows([[place, each.carrier, each.message_id] for place, each in enumerate(receipts)])
    known = {row["place"]: row for row in turn.context.tx.all("reported_segments", ids=ids)}
    reporting = Reporting(turn)
    for place, receipt in enumerate(receipts):
        row = known.get(place)
        if row is not None:
            reporting.take(row, receipt)
            continue
        if receipt.message_id:  # without an id it can be of no other use than the next
            keep_early(turn, receipt)
        resolve_doubt(turn, receipt, turn.context.now)
    reporting.write()


@dataclass
class Reporting:
    """Reports about known texts gathered, to be written in one go."""

    turn: Turn
    states: dict[str, State] = field(default_factory=dict)
    delivered: dict[str, int] = field(default_factory=dict)
    segments: dict[tuple[str, str], Reported] = field(default_factory=dict)
    ended: dict[str, list[Any]] = field(default_factory=dict)

    def take(self, row: Row, receipt: Receipt) -> None:
        self.turn.done.count("receipts")
        if row["stale"]:  # about an attempt before the text was sent again
            return
        segment = receipt.carrier, receipt.message_id
        before = self.segments.get(segment, row["reported"])
        if not receipt.state.final or before in (receipt.state, Reported.DELIVERED):
            return
        message_id = row["message_id"]
        ids = row["outbound_ids"] or 1
        whole = True
        if ids > 1:
            self.segments[segment] = receipt.state
            count = self.delivered.get(message_id, row["delivered_segments"])
            count += receipt.state is Reported.DELIVERED
            self.delivered[message_id] = count
            whole = count >= ids
        state = self.states.get(message_id, State(row["state"]))
        follows = after_report(state, receipt.state, whole)
        if follows is not None:
            self.states[message_id] = follows
            self.ended[message_id] = reported_ending(self.turn, row, follows, receipt)

    def write(self) -> None:
        tx = self.turn.context.tx
        if self.segments:
            noted = [[*segment, state] for segment, state in self.segments.items()]
            tx.run("note_reported_segments", ids=rows(noted))
            tx.run("count_delivered_segments", texts=rows(list(self.delivered.items())))
        if self.ended:
            tx.run("end_messages", texts=rows(list(self.ended.values())))


def reported_ending(turn: Turn, row: Row, state: State, receipt: Receipt) -> list[Any]:
    reason = None if state is State.DELIVERED else f"reported-{receipt.state.lower()}"
    error = None if state is State.DELIVERED else receipt.error
    return ending(turn, row, state, reason, error)


def resolve_doubt(turn: Turn, receipt: Receipt, came_at: int) -> None:
    """Settles the text whose answer was lost, if the receipt, kept before, tells which one it is.

    Of a pair only one text is under way at a time. Still a receipt may be about one that was sent
    twice long ago: so it must carry our reference, or no other answer of the pair is missing. A
    text of several segments is left alone, unless the receipt speaks for all: only some may have
    been taken.
    """
    if receipt.source is None or receipt.destination is None:
        return
    tx, pair = turn.context.tx, {"shown": receipt.source, "recipient": receipt.destination}
    row = tx.one("text_in_doubt", carrier=receipt.carrier, **pair)
    if row is None or came_at < row["sent_at"] or row["sealed_body"] is None:
        return
    message_id = row["message_id"]
    told = receipt.reference is not None
    if receipt.reference != reference_of(message_id) if told else row["ambiguous"]:
        return
    try:
        body = unseal(tx.cipher, row["sealed_body"], message_id)
    except UNREADABLE:
        return
    words = "\n".join((body.text, *(each.url for each in body.media)))
    if room_of(words) > max(receipt.whole_up_to, SURELY_ONE_SEGMENT):
        return
    tx.run("forget_unanswered_submit", **pair, message_id=message_id)
    settle(turn, [(message_id, Accepted(message_ids=(receipt.message_id,)))])
    turn.done.count("doubts resolved")


def keep_early(turn: Turn, receipt: Receipt) -> None:
    """Keeps a receipt of a text that nobody knows yet: the answer to the submit may be coming."""
    turn.done.count("early receipts")
    turn.context.tx.run(
        "keep_early_receipt",
        carrier=receipt.carrier,
        sent_id=receipt.message_id,
        reported=receipt.state.value,
        error=receipt.error,
        source=receipt.source,
        destination=receipt.destination,
        reference=receipt.reference,
        whole=receipt.whole_up_to,
        reported_at=receipt.at,
        kept_at=turn.context.now,
    )
