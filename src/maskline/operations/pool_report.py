"""How well an account's numbers carry its sessions."""

from typing import Any

from maskline.domain.connector import Assignment
from maskline.operations.context import Answer, Context, Request

BUSIEST_SHOWN = 10


def get_pool_report(context: Context, request: Request) -> Answer:
    """Size and use of the pools by place, the busiest participants, and what that asks for.

    Somebody in D open sessions at once needs D numbers. Where both participants of a session get
    the same number, 2D-1 are always enough; where each may get their own, D are.
    """
    places = context.tx.all("pool_places", account_id=context.account_id)
    busiest = context.tx.all(
        "busiest_participants",
        account_id=context.account_id,
        now=context.now,
        limit=BUSIEST_SHOWN,
    )
    size = sum(place["numbers"] for place in places)
    most = busiest[0]["sessions"] if busiest else 0
    enough = enough_numbers(most, context.settings.rules.number_assignment)
    return {
        "PoolReport": {
            "Numbers": size,
            "NumbersInUse": sum(place["in_use"] for place in places),
            "MostSessionsOfOneParticipant": most,
            "MoreSessionsForBusiest": max(0, size - most),
            "NumbersAlwaysEnough": enough,
            "NumbersToBuy": max(0, enough - size),
            "Places": [shown_place(place) for place in places],
            "BusiestParticipants": [
                {"PhoneNumber": row["participant"], "OpenSessions": row["sessions"]}
                for row in busiest
            ],
        }
    }


def enough_numbers(most: int, assignment: Assignment) -> int:
    """With how many numbers nobody can be refused, given the most sessions anybody is in."""
    return most if assignment is Assignment.PER_PARTICIPANT else max(0, 2 * most - 1)


def shown_place(place: Any) -> dict[str, Any]:
    return {
        "Country": place["country"],
        "AreaCode": place["area_code"],
        "Numbers": place["numbers"],
        "NumbersInUse": place["in_use"],
        "OpenSessions": place["open_sessions"],
    }
