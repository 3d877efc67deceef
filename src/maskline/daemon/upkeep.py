"""What time asks for: done in every process, whatever its role, and safe in all of them at once."""

from collections.abc import Callable

import structlog

from maskline import logs
from maskline.daemon.house import House
from maskline.engines.keeper import again
from maskline.operations import (
    Context,
    complete_lost_calls,
    erase_messages,
    give_up_legs,
    purge_audit_records,
    purge_calls,
    purge_carrier_reports,
    purge_messages,
    purge_phone_number_orders,
    purge_phone_numbers,
    purge_pictures,
    purge_recordings,
    purge_sessions,
    settle_expired_sessions,
)
from maskline.store import Transaction

log = structlog.get_logger()

UPKEEP_SECONDS = 5.0
UPKEEP = (
    settle_expired_sessions,
    complete_lost_calls,
    give_up_legs,
    purge_sessions,
    purge_calls,
    erase_messages,
    purge_messages,
    purge_carrier_reports,
    purge_phone_number_orders,
    purge_phone_numbers,
    purge_pictures,
    purge_recordings,
    purge_audit_records,
)


async def upkeep(house: House) -> None:
    """Does it in pieces, until cancelled."""

    def piece(work: Callable[[Context], int], tx: Transaction) -> int:
        """A piece of the work, unless another process is at one. What is over is so by the clock of
        the database's machine, too: one that is ahead ends nothing early."""
        if not tx.lock_free(work.__name__):
            return 0
        context = house.context(tx)
        return work(context._replace(now=min(context.now, tx.time()), clock=None))

    async def attempt(work: Callable[[Context], int]) -> int | None:
        """How much was done; None where it failed: none may keep the others from being done."""
        try:
            return await house.store.write(lambda tx: piece(work, tx), beside=True)
        except Exception as error:
            log.error("upkeep failed", work=work.__name__, **logs.whereabouts(error))
            return None

    async def one_round() -> None:
        """Until nothing is left: a piece of each in turn, for the end of a session, which may hang
        up, is not to wait for a million old records."""
        works, left = [*UPKEEP], True
        while left:
            sizes = [await attempt(work) for work in works]
            works = [work for work, size in zip(works, sizes, strict=True) if size is not None]
            left = any(sizes)

    await again(one_round, UPKEEP_SECONDS)
