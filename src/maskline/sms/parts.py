"""Long texts come in parts, in any order, twice, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from maskline.domain.message import Encoding
from maskline.sms.body import UNREADABLE, Body, seal, unseal
from maskline.sms.port import InboundText
from maskline.sms.repetition import REPEATED_WITHIN, answered_until
from maskline.sms.text import joined
from maskline.sms.turn import Turn
from maskline.store import Row

AT_ONCE = 200
WHOLE = ("carrier", "source", "destination", "reference", "total")  # what its parts have in common
MOST_OPEN_PARTS = 1_000  # of one sender, that wait for others
PHONE_REPEATS = 120_000  # how long a phone tries a part again, whatever its carrier was answered


@dataclass(frozen=True, kw_only=True)
class Late:
    """A long text that will not be whole any more; how many parts came, and when the first."""

    text: InboundText
    parts: int
    began_at: int
    message_id: str


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What a part made: the whole text, if it was the last one missing; of a text of which some
    was given up before and delivered, the rest. `parts` says of how many it is, `began_at` when the
    first of them came.

    `message_ids` is our id of the text the part belongs to, once there is one. `late` is a text
    that was given up, because its sender uses its reference again.
    """

    text: InboundText | None = None
    parts: int = 0
    began_at: int = 0
    message_ids: tuple[str, ...] = ()
    late: tuple[Late, ...] = ()


def join(turn: Turn, text: InboundText, key: str) -> Joined:
    """Keeps a part, and joins the text if all parts are there now."""
    tx, whole = turn.context.tx, whole_of(text)
    assert text.part is not None
    late: tuple[Late, ...] = ()
    known = tx.all("list_parts", **whole)
    before = [row for row in known if row["number"] == text.part.number]
    if before and not comes_again(turn, text, key, known):  # the reference is used again
        late = give_up(turn, whole)
        tx.run("forget_parts", **whole)
        before = []
    if before and before[0]["message_id"]:
        turn.done.count("repeated")
        return Joined(message_ids=(before[0]["message_id"],))
    if not before:
        insert(turn, text, key, whole)
    parts = tx.all("list_parts", **whole)
    if len(parts) < text.part.total:
        return Joined(late=late)
    message_id = turn.context.new_id()
    tx.run("join_parts", **whole, message_id=message_id)
    fresh = [row for row in parts if row["message_id"] is None]
    words, read = together(turn, fresh)
    began_at = first_came(fresh)
    ids = (message_id,)
    return Joined(text=words, parts=read, began_at=began_at, message_ids=ids, late=late)


def comes_again(turn: Turn, text: InboundText, key: str, parts: Sequence[Row]) -> bool:
    """Whether a part is one of those that are known once more, and not of a later text that says
    the same. One that went into a text comes again soon, or soon after its carrier is back; but of
    a text that came whole, and whose carrier has our answer, only as long as a phone tries."""
    assert text.part is not None
    known = next(row for row in parts if row["number"] == text.part.number)
    if known["repeat_key"] != key:
        return False
    if known["message_id"] is None:
        return True
    tx, now, came = turn.context.tx, turn.context.now, known["received_at"]
    came_whole = len(parts) == text.part.total and len({row["message_id"] for row in parts}) == 1
    then = tx.one("get_connection", connection=known["connection"])
    if came_whole and then is not None and came <= answered_until(then):
        return bool(now - came <= PHONE_REPEATS)
    current = tx.one("get_connection", connection=turn.work.known_as(text.connection))
    return bool(now - max(came, current["opened_at"] if current else 0) <= REPEATED_WITHIN)


def parts_of(turn: Turn, text: InboundText) -> Row:
    """How many parts there are of the text that this is one of (`of_text`), and how many of its
    sender's wait for others (`of_sender`)."""
    row = turn.context.tx.one("count_parts", **whole_of(text))
    assert row is not None
    return row


def insert(turn: Turn, text: InboundText, key: str, whole: dict[str, Any]) -> None:
    assert text.part is not None
    body = Body(text.text, text.media)
    turn.context.tx.run(
        "insert_part",
        **whole,
        number=text.part.number,
        sealed_text=seal(turn.context.tx.cipher, body, purpose(whole)),
        encoding=text.encoding.value,
        repeat_key=key,
        connection=turn.work.known_as(text.connection),
        received_at=text.received_at,
    )


def whole_of(text: InboundText) -> dict[str, Any]:
    """What the parts of one text have in common."""
    assert text.part is not None
    return {
        "carrier": text.carrier,
        "source": text.source,
        "destination": text.destination,
        "reference": text.part.reference,
        "total": text.part.total,
    }


def purpose(whole: dict[str, Any]) -> str:
    return "/".join(["part", *map(str, whole.values())])


def together(turn: Turn, parts: Sequence[Row]) -> tuple[InboundText, int]:
    """The text of parts that are sorted, with a mark where one or more are missing; of how many it
    is. One that cannot be read any more is as good as missing."""
    whole = {name: parts[0][name] for name in WHOLE}
    words: dict[int, str] = {}
    media: list[Any] = []
    for row in parts:
        try:
            body = unseal(turn.context.tx.cipher, row["sealed_text"], purpose(whole))
        except UNREADABLE:
            continue
        words[row["number"]] = body.text
        media += body.media
    text = InboundText(
        carrier=whole["carrier"],
        source=whole["source"],
        destination=whole["destination"],
        text=joined(words, whole["total"]),
        encoding=most_demanding(parts),
        # When it came whole: records stand in the order of that, and lists rely on it.
        received_at=max(row["received_at"] for row in parts),
        media=tuple(media),
    )
    return text, len(words)


def first_came(parts: Sequence[Row]) -> int:
    return min(int(row["received_at"]) for row in parts)


def most_demanding(parts: Sequence[Row]) -> Encoding:
    """The encoding of the whole: parts may differ, and each fits the widest one."""
    order = list(Encoding)
    return max((Encoding(row["encoding"]) for row in parts), key=order.index)


def give_up(turn: Turn, whole: dict[str, Any]) -> tuple[Late, ...]:
    """What there is of a text whose other parts will not come."""
    tx = turn.context.tx
    parts = [row for row in tx.all("list_parts", **whole) if row["message_id"] is None]
    if not parts:
        return ()
    message_id = turn.context.new_id()
    tx.run("join_parts", **whole, message_id=message_id)
    text, read = together(turn, parts)
    text = msgspec.structs.replace(text, received_at=turn.context.now)
    turn.done.count("partial")
    return (Late(text=text, parts=read, began_at=first_came(parts), message_id=message_id),)


def overdue(turn: Turn) -> list[Late]:
    """The texts that have waited for a part for too long."""
    tx = turn.context.tx
    found: list[Late] = []
    before = turn.context.now - turn.context.policy.texts.parts_milliseconds
    stale = tx.all("stale_parts", before=before, limit=AT_ONCE)
    for key in dict.fromkeys(tuple(row[name] for name in WHOLE) for row in stale):
        found += give_up(turn, dict(zip(WHOLE, key, strict=True)))
    return found
