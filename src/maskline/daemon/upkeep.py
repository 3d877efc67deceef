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
        """A piece of the work, unless another process is at one."""
        return work(house.context(tx)) if tx.lock_free(work.__name__) else 0

    async def finish(work: Callable[[Context], int]) -> None:
        while await house.store.write(lambda tx: piece(work, tx), beside=True):
            pass

    async def one_round() -> None:
        for work in UPKEEP:
            try:
                await finish(work)
            except Exception as error:  # none may keep the others from being done
                log.error("upkeep failed", work=work.__name__, **logs.whereabouts(error))

    await again(one_round, UPKEEP_SECONDS)
