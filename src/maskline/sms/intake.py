"""Texts that arrive: known again, joined, judged, and kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from maskline.clock import DAY, MINUTE
from maskline.domain import e164
from maskline.domain.connector import TextRules
from maskline.domain.message import Direction, Kind, State
from maskline.domain.refusals import InvalidPhoneNumber
from maskline.domain.routing import Facts
from maskline.domain.session import Participant, ProxySession
from maskline.domain.texting import Forward, Refuse, TextFacts, Treatment, sip_status, treat
from maskline.operations.routes import facts_of_text, rules_of
from maskline.operations.tenancy import operator_account
from maskline.sms import keeping
from maskline.sms.parts import MOST_OPEN_PARTS, Late, join, parts_of
from maskline.sms.port import Accepted, InboundText, Refused, TryLater, Verdict
from maskline.sms.repetition import Repetitions
from maskline.sms.turn import Turn, rows
from maskline.store import Row
from maskline.store import rows as values

Numbered = tuple[int, InboundText]

CLOCKS_DIFFER = MINUTE  # at most, those of carriers and ours
MOST_WAITING = 1_000  # to one reader from one number; all that one carrier keeps is bounded, too
LONGEST_BEFORE = 7 * DAY  # what would have been sent before that has a time that is none


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A whole text. `place` is that of what made it whole among the arrivals; None: time did.

    `began_at` is when the first part of a long text came, or when one was sent that comes late.
    """

    text: InboundText
    place: int | None = None
    repeat_key: str | None = None
    segments: int = 1
    partial: bool = False
    began_at: int | None = None
    message_id: str | None = None
    refused: str | None = None  # for what reason, whatever it says

    @cached_property
    def source(self) -> str | None:
        """In E.164 form, None where it is nothing of the kind."""
        return number_of(self.text.source)

    @cached_property
    def dialled(self) -> str | None:
        """The same of the number that it was sent to."""
        return number_of(self.text.destination)


def take_in(turn: Turn, arrivals: Sequence[Numbered]) -> dict[int, Verdict]:
    """Keeps texts; a verdict for each, by its place."""
    if not arrivals:
        return {}
    repetitions = Repetitions(turn, arrivals)
    intake = Intake(turn, repetitions.verdicts())
    turn.done.count("repeated", len(intake.verdicts))
    intake.put_off_parts(arrivals)
    wholes: list[Whole] = []
    for place, text in arrivals:
        if place not in intake.verdicts:
            wholes += intake.complete(place, text, repetitions.keys[place])
    intake.decide(wholes)
    repetitions.settle_twins(intake.verdicts)
    return intake.verdicts


def take_late(turn: Turn, texts: Sequence[Late]) -> None:
    """Keeps long texts of which a part is missing for good."""
    Intake(turn, {}).decide([late(each) for each in texts])


def take_unusable(turn: Turn, texts: Sequence[InboundText]) -> None:
    """Keeps a bare record of texts that nothing else can be done with: not what they say, and as
    little of what it rests on as may be, for that may be at fault."""
    account_id, now = operator_account(turn.context), turn.context.now
    for text in texts:
        record = keeping.EMPTY | {
            "message_id": turn.context.new_id(),
            "account_id": account_id,
            "kind": Kind.RELAYED.value,
            "carrier": text.carrier,
            "source": text.source,
            "dialled": text.destination,
            "encoding": text.encoding.value,
            "state": State.REFUSED.value,
            "reason": "unusable",
            **dict.fromkeys(("received_at", "expires_at"), text.received_at),
            **dict.fromkeys(("ended_at", "erase_at"), now),
        }
        turn.happened(account_id, State.REFUSED, record["message_id"])
        turn.context.tx.run("insert_messages", **record)


def late(text: Late) -> Whole:
    return Whole(
        text=text.text,
        segments=text.parts,
        partial=True,
        began_at=text.began_at,
        message_id=text.message_id,
    )


def number_of(text: str) -> str | None:
    """The number, if it is one in E.164 form with its +; a short code or a name is none."""
    if not text.startswith("+"):
        return None
    try:
        return e164.normalise(text)
    except InvalidPhoneNumber:
        return None


def began_at(text: InboundText) -> int | None:
    """Since when a session must have been open for the text to be meant for it; None: since now."""
    if text.sent_at is None or text.received_at - text.sent_at > LONGEST_BEFORE:
        return None
    since = text.sent_at + CLOCKS_DIFFER
    return since if since < text.received_at else None


def direction(row: Row, source: str | None) -> str | None:
    """Which way a text goes between the participants of the session that is for it."""
    if row["proxy_session_id"] is None:
        return None
    first = source == row["first_number"]
    return (Direction.FIRST_TO_SECOND if first else Direction.SECOND_TO_FIRST).value


@dataclass
class Intake:
    """The texts of a turn on their way into the store."""

    turn: Turn
    verdicts: dict[int, Verdict]
    rules: dict[str | None, TextRules] = field(default_factory=dict)

    def complete(self, place: int, text: InboundText, key: str | None) -> list[Whole]:
        """The text if it is whole, or the whole text that this part completes."""
        part = text.part
        alone = Whole(text=text, place=place, repeat_key=key)
        if part is None or part.total == 1 or not 1 <= part.number <= part.total <= 255:
            return [replace(alone, began_at=began_at(text))]
        if self.has_too_many_parts(text):
            return [replace(alone, partial=True, refused="too-many-parts")]
        joined = join(self.turn, text, key or "")
        given_up = [late(each) for each in joined.late]
        if joined.text is None:
            self.verdicts[place] = Accepted(message_ids=joined.message_ids)
            return given_up
        whole = Whole(
            text=joined.text,
            place=place,
            segments=joined.parts,
            partial=joined.parts < part.total,
            began_at=joined.began_at,
            message_id=joined.message_ids[0],
        )
        return [*given_up, whole]

    def put_off_parts(self, arrivals: Sequence[Numbered]) -> None:
        """Leaves texts with their carrier that would be begun here and could not go on. What is
        begun is taken to its end."""
        work = self.turn.work
        parts = [(place, text) for place, text in arrivals if text.part is not None]
        if not parts or not (work.full or work.crowded):
            return
        wholes = [Whole(text=text) for _, text in parts]
        keeper = keeping.Keeper(self.turn)
        for row in self.facts_about(wholes):
            place, text = parts[row["place"]]
            treatment = self.treatment(keeper, wholes[row["place"]], row, self.rules_for(row))
            full = isinstance(treatment, Forward) and treatment.carrier in work.full
            if (full or text.carrier in work.crowded) and not parts_of(self.turn, text)["of_text"]:
                self.verdicts.setdefault(place, self.queue_full())

    def queue_full(self) -> Verdict:
        self.turn.done.count("queue full")
        return TryLater(reason="queue-full")

    def has_too_many_parts(self, text: InboundText) -> bool:
        """Whether a long text would be begun whose sender has begun too many already."""
        known = parts_of(self.turn, text)
        return not known["of_text"] and bool(known["of_sender"] >= MOST_OPEN_PARTS)

    def facts_about(self, wholes: Sequence[Whole]) -> list[Row]:
        asked = rows(
            [[n, each.source, each.dialled, each.began_at] for n, each in enumerate(wholes)]
        )
        return self.turn.context.tx.all("text_facts", texts=asked, most=MOST_WAITING)

    def decide(self, wholes: Sequence[Whole]) -> None:
        """Judges each text and keeps all."""
        if not wholes:
            return
        keeper = keeping.Keeper(self.turn)
        for row in sorted(self.facts_about(wholes), key=lambda row: int(row["place"])):
            self.judge(keeper, wholes[row["place"]], row)
        keeper.write()

    def judge(self, keeper: keeping.Keeper, whole: Whole, row: Row) -> None:
        rules = self.rules_for(row)
        treatment = self.treatment(keeper, whole, row, rules)
        verdict: Verdict
        if isinstance(treatment, Forward) and self.is_full(whole, treatment.carrier):
            verdict = self.queue_full()
        else:
            if isinstance(treatment, Forward):
                treatment = self.within_bounds(whole, row, treatment)
            record = self.record(whole, row, rules)
            keeper.keep(record, whole.text, row, rules, treatment)
            verdict = Accepted(message_ids=(record["message_id"],))
            if isinstance(treatment, Refuse):
                reason = treatment.reason
                verdict = Refused(reason=reason, sip_status=sip_status(reason))
        if whole.place is not None:
            self.verdicts[whole.place] = verdict

    def is_full(self, whole: Whole, carrier: str) -> bool:
        """Whether the text is better left with its carrier. Joined ones are ours already."""
        return carrier in self.turn.work.full and whole.message_id is None

    def rules_for(self, row: Row) -> TextRules:
        connector_id = row["voice_connector_id"] or row["number_connector_id"]
        if connector_id not in self.rules:
            self.rules[connector_id] = rules_of(self.turn.context, connector_id).texts
        return self.rules[connector_id]

    def treatment(
        self, keeper: keeping.Keeper, whole: Whole, row: Row, rules: TextRules
    ) -> Treatment:
        if whole.refused is not None:
            return Refuse(whole.refused)
        return treat(self.facts(keeper, whole, row, rules), self.turn.context.now)

    def within_bounds(self, whole: Whole, row: Row, treatment: Forward) -> Treatment:
        """That nobody sends so much that there is no room or time for others. Only what is kept to
        be sent is counted: not what its carrier will bring again, nor what is for us."""
        if row["crowded"]:
            return Refuse("too-many-waiting")
        return treatment if self.turn.sender_may(whole.source) else Refuse("rate-limited")

    def facts(self, keeper: keeping.Keeper, whole: Whole, row: Row, rules: TextRules) -> TextFacts:
        source, dialled = whole.source, whole.dialled or ""
        session = values.proxy_session(row) if row["proxy_session_id"] else None
        other = session.sides(source)[1] if session is not None and source is not None else None
        return TextFacts(
            route=self.route(whole, row, session, other),
            text=whole.text.text,
            encoding=whole.text.encoding,
            media=len(whole.text.media),
            is_empty=not (whole.text.told or whole.text.media),
            from_proxy_number=bool(row["from_proxy_number"]),
            from_own_number=bool(row["from_own_number"]),
            stopped=keeper.has_stopped(source, dialled, bool(row["stopped"])),
            unwanted=other is not None
            and keeper.has_stopped(other.phone_number, other.proxy_number, bool(row["unwanted"])),
            to_group=whole.text.to_group,
            rules=rules,
        )

    def route(
        self, whole: Whole, row: Row, session: ProxySession | None, other: Participant | None
    ) -> Facts:
        dialled = whole.dialled or ""
        numbers = {dialled: row["number_carrier"]} if row["number_carrier"] else {}
        if other is not None and row["shown_carrier"]:
            numbers[other.proxy_number] = row["shown_carrier"]
        policy = self.turn.context.policy
        return facts_of_text(policy, whole.source, dialled, numbers, session)

    def record(self, whole: Whole, row: Row, rules: TextRules) -> dict[str, Any]:
        """What is known of a text whatever becomes of it."""
        policy, text = self.turn.context.policy.texts, whole.text
        keep = rules.keep_days * DAY
        expires_at = text.received_at + policy.validity_milliseconds
        return keeping.EMPTY | {
            "message_id": whole.message_id or self.turn.context.new_id(),
            # What came to a number of nobody's is for the operator to see.
            "account_id": row["number_account_id"] or operator_account(self.turn.context),
            "voice_connector_id": row["voice_connector_id"] or row["number_connector_id"],
            "proxy_session_id": row["proxy_session_id"],
            "kind": Kind.RELAYED.value,
            "direction": direction(row, whole.source),
            "carrier": text.carrier,
            "repeat_key": whole.repeat_key,
            "connection": self.turn.work.known_as(text.connection),
            "source": whole.source or text.source,
            "dialled": whole.dialled or text.destination,
            "encoding": text.encoding.value,
            "segments": whole.segments,
            "partial": int(whole.partial),
            "media": len(text.media),
            "keep_milliseconds": keep,
            "erase_at": expires_at + max(keep, policy.dead_letter_milliseconds),
            "expires_at": expires_at,
            "received_at": text.received_at,
            "state": State.QUEUED.value,
        }
