"""Texts that wait, taken to be sent; and those whose sender did not come back."""

from maskline.domain.message import State
from maskline.sms.body import reference_of, unseal
from maskline.sms.keeping import LEASE_MILLISECONDS
from maskline.sms.outcomes import doubt, ending
from maskline.sms.port import Outgoing
from maskline.sms.turn import Turn, rows
from maskline.store import Row

AT_ONCE = 500


def claim(turn: Turn) -> None:
    """Takes what the links have room for, of the carriers for which texts may wait."""
    for carrier in turn.work.claimable:
        room = turn.room(carrier)
        found = claim_for(turn, carrier, room) if room > 0 else []
        for row in sorted(found, key=lambda row: int(row["sequence"])):
            turn.send(carrier, outgoing(turn, row))
        if len(found) >= room:  # or there was no room
            turn.done.backlog.add(carrier)


def claim_for(turn: Turn, carrier: str, room: int) -> list[Row]:
    now = turn.context.now
    return turn.context.tx.all(
        "claim_messages",
        carrier=carrier,
        now=now,
        until=now + LEASE_MILLISECONDS,
        holder=turn.work.holder,
        limit=room,
    )


def outgoing(turn: Turn, row: Row) -> Outgoing:
    message_id = row["message_id"]
    body = unseal(turn.context.tx.cipher, row["sealed_body"], message_id)
    return Outgoing(
        message_id=message_id,
        reference=reference_of(message_id),
        source=row["shown"],
        destination=row["recipient"],
        text=body.text,
        media=body.media,
        expires_at=row["expires_at"],
    )


def renew(turn: Turn) -> None:
    """Claims anew what links of this process still have: a carrier may take its time to answer."""
    if turn.work.held:
        turn.context.tx.run(
            "renew_claims",
            ids=rows([[message_id] for message_id in turn.work.held]),
            holder=turn.work.holder,
            until=turn.context.now + LEASE_MILLISECONDS,
        )


def take_over(turn: Turn) -> None:
    """Puts in doubt what an earlier life of this process was sending when it ended."""
    work = turn.work
    found = turn.context.tx.all(
        "list_messages_of_earlier_lives", holder=work.holder, node=work.node
    )
    doubt(turn, found)


def abandon(turn: Turn) -> None:
    """Puts in doubt what anybody was sending who is gone, and ends what is no longer valid."""
    tx, now = turn.context.tx, turn.context.now
    doubt(turn, tx.all("list_abandoned_messages", now=now, limit=AT_ONCE))
    ends = []
    for row in tx.all("list_overdue_messages", now=now, limit=AT_ONCE):
        reason = "in-doubt" if row["state"] == State.IN_DOUBT.value else "validity-ended"
        ends.append(ending(turn, row, State.EXPIRED, reason, None))
    if ends:
        tx.run("end_messages", texts=rows(ends))
