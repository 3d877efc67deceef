"""Texts that were judged, written down: sent at once, queued, refused, or heeded."""

from dataclasses import dataclass, field
from typing import Any

from maskline.clock import HOUR, MINUTE
from maskline.domain.connector import TextRules
from maskline.domain.keywords import Keyword
from maskline.domain.message import Kind, State
from maskline.domain.texting import Forward, Heed, Refuse, Treatment, may_be_answered
from maskline.operations import numbering
from maskline.sms.body import Body, outgoing, seal
from maskline.sms.outcomes import ending
from maskline.sms.port import InboundText, Outgoing
from maskline.sms.turn import Turn, rows
from maskline.store import Row

LEASE_MILLISECONDS = 120_000  # of a claim; it is renewed while a link has the text
# A text that waits for an earlier one of its pair is set aside until that is finished, or so long:
# then it is looked at again, whatever became of the other.
ASIDE_MILLISECONDS = 10 * MINUTE
ASIDE = "aside"  # who holds it meanwhile
REPLY_PAUSE = HOUR  # how rarely one person is told something of our own accord

# A text about which nothing is known.
EMPTY: dict[str, Any] = dict.fromkeys(
    (
        "message_id", "account_id", "voice_connector_id", "proxy_session_id", "kind", "direction",
        "carrier",
        "repeat_key", "connection", "source", "dialled", "outbound_carrier", "recipient", "shown",
        "sealed_body", "encoding", "state", "reason", "holder", "due_at", "sent_at", "ended_at",
    )
) | {"segments": 1, "partial": 0, "media": 0, "attempts": 0, "keep_milliseconds": 0}  # fmt: skip


@dataclass
class Keeper:
    """Gathers the rows of a turn's texts, and writes them in one go."""

    turn: Turn
    records: list[dict[str, Any]] = field(default_factory=list)
    sendable: list[tuple[dict[str, Any], Outgoing]] = field(default_factory=list)
    paced: set[tuple[str, str]] = field(default_factory=set)
    stopped: dict[tuple[str, str], bool] = field(default_factory=dict)

    def has_stopped(self, participant: str | None, proxy_number: str, known: bool) -> bool:
        """Whether somebody has said STOP to a number, be it a moment ago."""
        return self.stopped.get((participant or "", proxy_number), known)

    def keep(
        self,
        record: dict[str, Any],
        text: InboundText,
        row: Row,
        rules: TextRules,
        treatment: Treatment,
    ) -> None:
        self.records.append(record)
        stopped = self.has_stopped(record["source"], record["dialled"], bool(row["stopped"]))
        match treatment:
            case Forward():
                body = Body(text.told, text.media)
                self.forward(record, body, treatment, rules, row["expires_at"])
            case Heed():
                self.end(record, text, State.HANDLED, treatment.keyword.value)
                changed = self.heed(record, treatment.keyword, stopped=stopped)
                self.reply(record, row, rules, treatment.reply, owed=changed)
            case Refuse():
                self.end(record, text, State.REFUSED, treatment.reason)
                if not stopped:
                    self.reply(record, row, rules, treatment.reply)

    def forward(
        self,
        record: dict[str, Any],
        body: Body,
        to: Forward,
        rules: TextRules,
        session_ends_at: int | None = None,
    ) -> None:
        now, message_id = self.turn.context.now, record["message_id"]
        limits = self.turn.done.limits
        due_at = now
        if limits and rules.max_per_minute:
            due_at = limits.slot(record["voice_connector_id"], rules.max_per_minute, now)
        record |= {
            "outbound_carrier": to.carrier,
            "recipient": to.recipient,
            "shown": to.shown,
            "sealed_body": seal(self.turn.context.tx.cipher, body, message_id),
            "due_at": due_at,
        }
        self.turn.happened(record["account_id"], State.QUEUED, message_id)
        self.turn.done.queued[to.carrier] += 1
        if due_at <= now:
            self.sendable.append((record, outgoing(record, body, session_ends_at, now)))
        else:
            self.paced.add((to.shown, to.recipient))
            self.turn.done.backlog.add(to.carrier)

    def end(self, record: dict[str, Any], text: InboundText, state: State, reason: str) -> None:
        """A text that goes no further; its words are kept only where the connector keeps them."""
        now, keep = self.turn.context.now, record["keep_milliseconds"]
        record |= {"state": state.value, "reason": reason, "ended_at": now, "erase_at": now + keep}
        if keep:
            body = Body(text.text, text.media)
            record["sealed_body"] = seal(self.turn.context.tx.cipher, body, record["message_id"])
        self.turn.happened(record["account_id"], state, record["message_id"])

    def heed(self, record: dict[str, Any], keyword: Keyword, *, stopped: bool) -> bool:
        """Does what somebody said who had said STOP before or not; whether it changed anything."""
        tx, now = self.turn.context.tx, self.turn.context.now
        pair = {"participant": record["source"], "proxy_number": record["dialled"]}
        if keyword is Keyword.STOP:
            self.stopped[record["source"], record["dialled"]] = True
            tx.run("put_opt_out", **pair, account_id=record["account_id"], now=now)
            self.withhold(record["dialled"], record["source"])
        if keyword is Keyword.START:
            self.stopped[record["source"], record["dialled"]] = False
            tx.run("delete_opt_out", **pair)
        return stopped != self.has_stopped(record["source"], record["dialled"], stopped)

    def withhold(self, shown: str, recipient: str) -> None:
        """Refuses what waits to be sent to somebody who has just said STOP."""
        tx = self.turn.context.tx
        waiting = tx.all("list_unwanted_messages", shown=shown, recipient=recipient)
        ends = [ending(self.turn, row, State.REFUSED, "opted-out", None) for row in waiting]
        if ends:
            tx.run("end_messages", texts=rows(ends))
        for record in self.records:
            if (record["shown"], record["recipient"]) == (shown, recipient) and record["due_at"]:
                now, keep = self.turn.context.now, record["keep_milliseconds"]
                record |= {"state": State.REFUSED.value, "reason": "opted-out", "due_at": None}
                record |= {"ended_at": now, "erase_at": now + keep}
                record["sealed_body"] = record["sealed_body"] if keep else None
                self.turn.happened(record["account_id"], State.REFUSED, record["message_id"])
        self.sendable = [each for each in self.sendable if each[0]["due_at"] is not None]

    def reply(
        self,
        record: dict[str, Any],
        row: Row,
        rules: TextRules,
        words: str,
        *,
        owed: bool = False,
    ) -> None:
        """Tells the sender something, from the number that they texted: what they are `owed`, and
        once in a while something else."""
        context, sender, number = self.turn.context, record["source"], record["dialled"]
        carrier = row["number_carrier"]
        if not words or carrier not in context.policy.text_carriers:
            return
        barred = context.policy.barred_prefixes
        if not may_be_answered(sender, numbering.is_refused, barred):
            return
        pair = {"participant": sender, "proxy_number": number}
        before = context.now - REPLY_PAUSE
        first = context.tx.run("note_reply", **pair, now=context.now, before=before)
        # Somebody may say STOP and START in turn without end, also in another's name.
        if not first and not (owed and self.turn.sender_may(sender)):
            return
        reply = EMPTY | {
            name: record[name]
            for name in ("account_id", "voice_connector_id", "proxy_session_id", "expires_at")
        }
        reply |= {
            "message_id": context.new_id(),
            "kind": Kind.REPLY.value,
            "received_at": context.now,
            "erase_at": record["expires_at"],
            "state": State.QUEUED.value,
        }
        self.records.append(reply)
        self.forward(reply, Body(words), Forward(sender, number, carrier), rules)

    def write(self) -> None:
        """Hands out what can be sent at once, and writes all."""
        self.send_at_once()
        self.turn.context.tx.run_each("insert_messages", self.records)

    def send_at_once(self) -> None:
        """Claims texts as they are written, where there is room and nothing of their pair waits."""
        sendable = [each for each in self.sendable if self.is_next(each[0]["outbound_carrier"])]
        earlier = self.pending_pairs(sendable)
        now, work = self.turn.context.now, self.turn.work
        for record, text in sendable:
            carrier, pair = record["outbound_carrier"], (record["shown"], record["recipient"])
            if pair in earlier:
                self.turn.done.blocked.add(carrier)
                record |= {"holder": ASIDE, "due_at": now + ASIDE_MILLISECONDS}
            elif pair in self.paced:
                self.turn.done.blocked.add(carrier)
            elif self.turn.room(carrier) <= 0:
                self.turn.done.backlog.add(carrier)
            else:
                record |= {"state": State.SENDING.value, "attempts": 1, "holder": work.holder}
                record |= {"due_at": now + LEASE_MILLISECONDS, "sent_at": now}
                self.turn.send(carrier, text)
            earlier.add(pair)

    def is_next(self, carrier: str) -> bool:
        """Whether texts for the carrier can go at once: those that wait go first."""
        if carrier not in self.turn.work.backlog and self.turn.room(carrier) > 0:
            return True
        self.turn.done.backlog.add(carrier)
        return False

    def pending_pairs(
        self, sendable: list[tuple[dict[str, Any], Outgoing]]
    ) -> set[tuple[str, str]]:
        if not sendable:
            return set()
        pairs = {(record["shown"], record["recipient"]) for record, _ in sendable}
        found = self.turn.context.tx.all("pending_pairs", pairs=rows(list(pairs)))
        return {(row["shown"], row["recipient"]) for row in found}
