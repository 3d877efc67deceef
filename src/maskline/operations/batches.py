"""Requests that name many things at once."""

import json
from collections.abc import Callable, Collection, Iterable

from maskline.domain.refusals import BadRequest, Refusal
from maskline.operations.context import Answer

# A change holds up all others, and with them calls that are coming in, for as long as it takes. So
# what is many is read by one query and changed by another, whatever becomes of each.
MOST_AT_ONCE = 1000


def require_few(items: Collection[object]) -> None:
    if len(items) > MOST_AT_ONCE:
        raise BadRequest(f"One request can name at most {MOST_AT_ONCE}, not {len(items)}")


def each_of(numbers: Collection[str], work: Callable[[str], object]) -> Answer:
    """Does the work for each phone number; those it refuses are named in the answer."""
    require_few(numbers)
    errors = []
    for number in numbers:
        try:
            work(number)
        except Refusal as refusal:
            errors.append(
                {
                    "PhoneNumberId": number,
                    "ErrorCode": refusal.code,
                    "ErrorMessage": refusal.message,
                }
            )
    return {"PhoneNumberErrors": errors}


def listed(ids: Iterable[str | None]) -> str:
    """Ids as queries want them that are given many: [[id], …]."""
    return json.dumps([[each] for each in ids])
