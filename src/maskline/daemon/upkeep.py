"""What time asks for: done in every process, whatever its role, and safe in all of them at once."""

from collections.abc import Callable

from maskline.daemon.house import House
from maskline.engines.keeper import again
from maskline.operations import (
    Context,
    complete_lost_calls,
    purge_audit_records,
    purge_calls,
    purge_phone_numbers,
    purge_pictures,
    purge_sessions,
    settle_expired_sessions,
)

UPKEEP_SECONDS = 5.0
UPKEEP = (
    settle_expired_sessions,
    complete_lost_calls,
    purge_sessions,
    purge_calls,
    purge_phone_numbers,
    purge_pictures,
    purge_audit_records,
)


async def upkeep(house: House) -> None:
    """Does it in pieces, until cancelled."""

    async def finish(work: Callable[[Context], int]) -> None:
        while await house.store.write(lambda tx: work(house.context(tx))):
            pass

    async def one_round() -> None:
        for work in UPKEEP:
            await finish(work)

    await again(one_round, UPKEEP_SECONDS)
