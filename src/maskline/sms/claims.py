"""Texts that wait, taken to be sent; and those whose sender did not come back."""

from maskline.domain.message import State
from maskline.operations.messages import obstacle_of
from maskline.sms.body import UNREADABLE, outgoing, unseal
from maskline.sms.keeping import ASIDE_MILLISECONDS, LEASE_MILLISECONDS
from maskline.sms.outcomes import doubt, ending
from maskline.sms.port import Outgoing
from maskline.sms.turn import Turn, rows
from maskline.store import Row

AT_ONCE = 500


def claim(turn: Turn) -> None:
    """Takes what the links have room for, of the carriers for which texts may wait."""
    for carrier in {*turn.work.claimable, *turn.done.blocked}:
        room = turn.room(carrier)
        if room <= 0 or claim_for(turn, carrier, room):
            turn.done.backlog.add(carrier)


def claim_for(turn: Turn, carrier: str, room: int) -> bool:
    """Takes so many; whether there may be more."""
    due = due_for(turn, carrier, room)
    claimed, ends = [], []
    for row in due:
        if row["blocked"]:
            continue
        text, obstacle = read(turn, row), obstacle_of(row)
        if text is None:
            ends.append(ending(turn, row, State.FAILED, "unreadable", None))
        elif obstacle is not None:
            ends.append(ending(turn, row, State.REFUSED, obstacle, None))
        else:
            claimed.append([text.message_id])
            turn.send(carrier, text)
    tx, now = turn.context.tx, turn.context.now
    if claimed:
        until, holder = now + LEASE_MILLISECONDS, turn.work.holder
        tx.run("claim_messages", ids=rows(claimed), now=now, until=until, holder=holder)
    if ends:
        tx.run("end_messages", texts=rows(ends))
    return len(due) >= room or bool(ends)


def due_for(turn: Turn, carrier: str, room: int) -> list[Row]:
    """The first so many that are due. Those of them that wait for others of their pair are set
    aside, a number at a time: somebody may send a great many to a phone that is switched off."""
    tx, now = turn.context.tx, turn.context.now
    due = tx.all("due_messages", carrier=carrier, now=now, limit=room)
    if not any(row["blocked"] for row in due):
        return due
    turn.done.blocked.add(carrier)
    until = now + ASIDE_MILLISECONDS
    tx.run("set_aside", carrier=carrier, now=now, until=until, limit=max(room, AT_ONCE))
    return tx.all("due_messages", carrier=carrier, now=now, limit=room)


def rouse(turn: Turn) -> None:
    """Has the next text of each pair looked at of which one is finished."""
    if turn.finished:
        ids = rows([[message_id] for message_id in turn.finished])
        found = turn.context.tx.all("rouse", ids=ids, now=turn.context.now)
        turn.done.blocked |= {row["outbound_carrier"] for row in found} & turn.work.room.keys()
        turn.finished.clear()


def read(turn: Turn, row: Row) -> Outgoing | None:
    """The text for the link; None where what it says cannot be read any more."""
    try:
        body = unseal(turn.context.tx.cipher, row["sealed_body"], row["message_id"])
    except UNREADABLE:
        return None
    return outgoing(row, body, row["session_ends_at"], turn.context.now)


def renew(turn: Turn) -> None:
    """Claims anew what links of this process still have: a carrier may take its time to answer. Of
    what must not be sent any more nothing else is."""
    if not turn.work.held:
        return
    tx, now = turn.context.tx, turn.context.now
    ids = rows([[message_id] for message_id in turn.work.held])
    tx.run("renew_claims", ids=ids, holder=turn.work.holder, until=now + LEASE_MILLISECONDS)
    found = tx.all("obstacles_of_messages", ids=ids, now=now)
    turn.done.recalled += [row["message_id"] for row in found if obstacle_of(row)]


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
