"""What the relay does in its transactions: turns, and what time asks for."""

from maskline.operations import Context
from maskline.sms import claims, intake, parts, repetition
from maskline.sms.outcomes import report, settle
from maskline.sms.port import Accepted, InboundText, Receipt
from maskline.sms.turn import Done, Turn, Work

TAKEN = Accepted(message_ids=())


def take_turn(context: Context, work: Work) -> Done:
    """Does the work of a turn in its transaction; repeating it does no harm."""
    turn = Turn.begin(context, work)
    settle(turn, work.outcomes)
    receipts = [each for each in work.arrivals if isinstance(each, Receipt)]
    report(turn, receipts)
    claims.rouse(turn)
    claims.claim(turn)
    texts = [(n, each) for n, each in enumerate(work.arrivals) if isinstance(each, InboundText)]
    verdicts = intake.take_in(turn, texts)
    turn.done.verdicts = [verdicts.get(n, TAKEN) for n in range(len(work.arrivals))]
    return ended(turn)


def tend(context: Context, work: Work) -> Done:
    """What time asks for."""
    turn = Turn.begin(context, work)
    for name in work.connections:
        repetition.see(turn, name)
    claims.renew(turn)
    claims.abandon(turn)
    intake.take_late(turn, parts.overdue(turn))
    return ended(turn)


def give_up(context: Context, work: Work) -> Done:
    """Keeps that there were texts which cannot be kept."""
    turn = Turn.begin(context, work)
    intake.take_unusable(turn, [each for each in work.arrivals if isinstance(each, InboundText)])
    return ended(turn)


def take_over(context: Context, work: Work) -> Done:
    """What an earlier life of this process was sending."""
    turn = Turn.begin(context, work)
    claims.take_over(turn)
    return ended(turn)


def ended(turn: Turn) -> Done:
    """What the turn has done, with all that follows from it."""
    claims.rouse(turn)
    turn.write_events()
    return turn.done
