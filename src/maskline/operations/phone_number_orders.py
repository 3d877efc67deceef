"""Orders: an account takes numbers that the operator has imported and nobody uses.

What can be had are the numbers imported for the account itself, and those of the operator's own.
"""

import json
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from maskline.domain.refusals import BadRequest, NotFound
from maskline.operations import cities
from maskline.operations.batches import listed, require_few
from maskline.operations.cities import Span
from maskline.operations.context import Answer, Context, Request
from maskline.operations.expiries import settle_sessions_of
from maskline.operations.pages import Page, page_of
from maskline.operations.phone_numbers import VOICE_CONNECTOR, number_of, rows_of
from maskline.operations.quotas import require_room
from maskline.operations.tenancy import is_operator, operator_account
from maskline.store import Row

MOST_FOUND = 500
PAST_ALL = ":"  # comes after the digits and +
PROCESSING, ACQUIRED, FAILED = "Processing", "Acquired", "Failed"


def search_available_phone_numbers(context: Context, request: Request) -> Answer:
    kind = request.get("PhoneNumberType")
    prefix = request.get("TollFreePrefix")
    state, city = request.get("State") or "", request.get("City") or ""
    require_place(state, city)
    criteria = {
        "country": request.get("Country") or "",
        "area_code": request.get("AreaCode") or prefix or "",
        "toll_free": True if prefix else None if kind is None else kind == "TollFree",
    }
    listing = ("SearchAvailablePhoneNumbers", *map(str, criteria.values()), state, city)
    page = page_of(context, {"MaxResults": MOST_FOUND, **request}, *listing, start="")
    search = partial(
        context.tx.all,
        "search_phone_numbers",
        account_id=context.account_id,
        stock=operator_account(context),
        now=context.now,
        **criteria,
    )
    if state:
        found = search_within(cities.spans_of(state, city), search, page)
    else:
        found = search(after=page.position, end=PAST_ALL, limit=page.limit)
    return page.answer("E164PhoneNumbers", found, lambda row: row["phone_number"], "phone_number")


def require_place(state: str, city: str) -> None:
    if city and not state:
        raise BadRequest("A search by City needs the State too")
    if state and not cities.is_state(state):
        raise BadRequest("State must be two letters, of a US state or a Canadian province")


def search_within(
    spans: Sequence[Span], search: Callable[..., Sequence[Row]], page: Page
) -> list[Row]:
    """The page's rows within ascending spans; where one is empty, the next number tells which is
    not."""
    found: list[Row] = []
    upcoming = page.position  # no number comes before it
    for span in spans:
        if upcoming >= span.end:
            continue
        after = max(page.position, span.first)
        rows = search(after=after, end=span.end, limit=page.limit - len(found))
        found += rows
        if len(found) == page.limit:
            break
        if not rows:
            following = search(after=span.end, end=spans[-1].end, limit=1)
            if not following:
                break
            upcoming = following[0]["phone_number"]
    return found


def list_supported_phone_number_countries(context: Context, request: Request) -> Answer:
    """The countries of which the account has numbers or can order some."""
    if request["ProductType"] != VOICE_CONNECTOR:
        return {"PhoneNumberCountries": []}
    stock = operator_account(context)
    found = context.tx.all("list_countries", account_id=context.account_id, stock=stock)
    return {
        "PhoneNumberCountries": [
            {
                "CountryCode": row["country"],
                "SupportedPhoneNumberTypes": [
                    *([] if row["only_toll_free"] else ["Local"]),
                    *(["TollFree"] if row["toll_free"] else []),
                ],
            }
            for row in found
        ]
    }


def create_phone_number_order(context: Context, request: Request) -> Answer:
    """Takes what can be had at once. The answer says `Processing`, as clients expect of it.

    An order with which the account would have too many takes nothing: raises LimitExceeded.
    """
    if request["ProductType"] != VOICE_CONNECTOR:
        raise BadRequest(f"Phone numbers can be ordered for the product {VOICE_CONNECTOR} only")
    require_few(request["E164PhoneNumbers"])
    order_id = context.new_id()
    numbers = dict.fromkeys(number_of(text) for text in request["E164PhoneNumbers"])
    if not numbers:
        raise BadRequest("An order needs at least one phone number")
    name = request.get("Name") or None
    outcome = acquire(context, numbers, order_id, name)
    if not is_operator(context):  # whose stock all others order from
        require_room(context, "phone_numbers", beyond=1)  # what was ordered counts already
    context.tx.run(
        "insert_phone_number_order",
        order_id=order_id,
        account_id=context.account_id,
        product_type=request["ProductType"],
        numbers=json.dumps(outcome),
        now=context.now,
    )
    order = shown(require_order(context, order_id))
    waiting = [{**number, "Status": PROCESSING} for number in order["OrderedPhoneNumbers"]]
    return {"PhoneNumberOrder": {**order, "Status": PROCESSING, "OrderedPhoneNumbers": waiting}}


def acquire(
    context: Context, numbers: Collection[str], order_id: str, name: str | None
) -> dict[str, str]:
    """The status of each ordered number: acquired, if it is there to be had."""
    settle_sessions_of(context, numbers)
    owners = (context.account_id, operator_account(context))
    acquired = {
        number
        for number, row in rows_of(context, numbers).items()
        # Sessions may go on using a number that is associated with nothing any more.
        if row["account_id"] in owners and row["orderable"] and not row["open_sessions"]
    }
    context.tx.run(
        "order_numbers",
        numbers=listed(acquired),
        account_id=context.account_id,
        order_id=order_id,
        name=name,
        now=context.now,
    )
    return {number: ACQUIRED if number in acquired else FAILED for number in numbers}


def get_phone_number_order(context: Context, request: Request) -> Answer:
    return {"PhoneNumberOrder": shown(require_order(context, request["PhoneNumberOrderId"]))}


def list_phone_number_orders(context: Context, request: Request) -> Answer:
    page = page_of(context, request, "ListPhoneNumberOrders")
    found = context.tx.all(
        "list_phone_number_orders",
        account_id=context.account_id,
        before=page.before,
        limit=page.limit,
    )
    return page.bounded(found, "numbers").answer("PhoneNumberOrders", found, shown)


def require_order(context: Context, order_id: str) -> Row:
    row = context.tx.one("get_phone_number_order", order_id=order_id, account_id=context.account_id)
    if row is None:
        raise NotFound(f"Could not find PhoneNumberOrder with Id '{order_id}'")
    return row


def arn(context: Context, order_id: str) -> str:
    return f"arn:aws:chime:us-east-1:{context.account_id}:phone-number-order/{order_id}"


def shown(row: Row) -> dict[str, Any]:
    numbers: dict[str, str] = json.loads(row["numbers"])
    return {
        "PhoneNumberOrderId": row["phone_number_order_id"],
        "ProductType": row["product_type"],
        "Status": status(set(numbers.values())),
        "OrderType": "New",
        "OrderedPhoneNumbers": [
            {"E164PhoneNumber": number, "Status": outcome} for number, outcome in numbers.items()
        ],
        "CreatedTimestamp": row["created_at"],
        "UpdatedTimestamp": row["created_at"],
    }


def status(outcomes: set[str]) -> str:
    if outcomes == {ACQUIRED}:
        return "Successful"
    return FAILED if outcomes == {FAILED} else "Partial"
