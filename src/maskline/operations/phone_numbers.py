"""Phone numbers of the inventory: read, named, deleted and restored."""

import json
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from maskline.clock import DAY
from maskline.domain import e164
from maskline.domain.refusals import BadRequest, InvalidPhoneNumber, NotFound
from maskline.domain.session import Capability
from maskline.model import load
from maskline.operations.batches import each_of, listed, require_few
from maskline.operations.context import Answer, Context, Policy, Request
from maskline.operations.expiries import settle_sessions_of
from maskline.operations.pages import page_of
from maskline.store import Row

VOICE_CONNECTOR = "VoiceConnector"
DELETION_DAYS = 7  # how long a deleted number can be restored
STATUSES = load("chime-sdk-voice").shapes["PhoneNumberStatus"].enum
CHANGEABLE = ("ProductType", "CallingName", "Name")
Change = tuple[str, str, str | None, str | None]  # number, product type, calling name, name
LISTS = {
    None: "list_phone_numbers",
    "VoiceConnectorId": "list_phone_numbers_of_connector",
    "VoiceConnectorGroupId": "list_phone_numbers_of_group",
}


def get_phone_number(context: Context, request: Request) -> Answer:
    return {"PhoneNumber": shown(context, require_number(context, request["PhoneNumberId"]))}


def list_phone_numbers(context: Context, request: Request) -> Answer:
    name, value = request.get("FilterName"), request.get("FilterValue")
    if (name is None) != (value is None):
        raise BadRequest("FilterName and FilterValue go together")
    if name not in LISTS:
        raise BadRequest(f"Phone numbers cannot be listed by {name}")
    status, product_type = request.get("Status"), request.get("ProductType")
    if status and status not in STATUSES:
        raise BadRequest(f"A phone number's Status is one of {', '.join(STATUSES)}")
    listing = ("ListPhoneNumbers", name, value, status, product_type)
    page = page_of(context, request, *listing, start="")
    found = context.tx.all(
        LISTS[name],
        account_id=context.account_id,
        filter=value,
        released=context.now - DELETION_DAYS * DAY,
        status=status or "",
        product_type=product_type or "",
        after=page.position,
        limit=page.limit,
    )
    return page.answer("PhoneNumbers", found, lambda row: shown(context, row), "phone_number")


def update_phone_number(context: Context, request: Request) -> Answer:
    """Changes one of product type, calling name and name."""
    row = require_number(context, request["PhoneNumberId"])
    change(context, [changed(row, request)])
    return get_phone_number(context, request)


def changed(row: Row, request: Request) -> Change:
    """What becomes of a number by a request, which may be one of a batch."""
    given = [member for member in CHANGEABLE if request.get(member) is not None]
    if len(given) != 1:
        raise BadRequest(f"Exactly one of {', '.join(CHANGEABLE)} can be changed at a time")
    product_type = request.get("ProductType") or row["product_type"]
    if product_type != row["product_type"] and row["status"] != "Unassigned":
        raise BadRequest("The product type of a phone number in use cannot be changed")
    if request.get("CallingName") and row["toll_free"]:
        raise BadRequest("A toll-free number has no calling name")
    calling_name = request.get("CallingName", row["calling_name"]) or None
    return row["phone_number"], product_type, calling_name, request.get("Name", row["name"]) or None


def change(context: Context, changes: list[Change]) -> None:
    context.tx.run("update_phone_numbers", numbers=json.dumps(changes), now=context.now)


def batch_update_phone_number(context: Context, request: Request) -> Answer:
    items = request["UpdatePhoneNumberRequestItems"]
    require_few(items)
    by_id = {item["PhoneNumberId"]: item for item in items}
    if len({*map(number_or_text, by_id)}) < len(items):
        raise BadRequest("A phone number is named twice")
    find = finder(context, by_id)
    changes: list[Change] = []
    answer = each_of(by_id, lambda each: changes.append(changed(find(each), by_id[each])))
    change(context, changes)
    return answer


def delete_phone_number(context: Context, request: Request) -> Answer:
    """Puts a number that nothing uses into the deletion queue, where it can be restored from."""
    number_ids = [request["PhoneNumberId"]]
    settle_sessions_of(context, numbers_in(number_ids))
    row = require_deletable(require_number(context, *number_ids))
    set_deleted_at(context, [row], context.now)
    return {}


def require_deletable(row: Row) -> Row:
    if row["status"] == "Assigned":
        raise BadRequest("The phone number must be disassociated first")
    if row["open_sessions"]:
        raise BadRequest("The phone number is in use by open proxy sessions")
    return row


def batch_delete_phone_number(context: Context, request: Request) -> Answer:
    number_ids = request["PhoneNumberIds"]
    if not all(number_id.strip() for number_id in number_ids):
        raise BadRequest("An id of a phone number is empty")  # it could not be named in the answer
    require_few(number_ids)
    settle_sessions_of(context, numbers_in(number_ids))
    find = finder(context, number_ids)
    deleted: list[Row] = []
    answer = each_of(number_ids, lambda each: deleted.append(require_deletable(find(each))))
    set_deleted_at(context, deleted, context.now)
    return answer


def restore_phone_number(context: Context, request: Request) -> Answer:
    row = require_number(context, request["PhoneNumberId"])
    if row["deleted_at"] is None:
        raise BadRequest("The phone number is not deleted")
    set_deleted_at(context, [row], None)
    return get_phone_number(context, request)


def set_deleted_at(context: Context, rows: list[Row], deleted_at: int | None) -> None:
    """Numbers that are deleted already stay as they are when they are deleted again."""
    changing = [row["phone_number"] for row in rows if row["deleted_at"] is None or not deleted_at]
    context.tx.run(
        "set_deleted_at", numbers=listed(changing), deleted_at=deleted_at, now=context.now
    )


def number_of(number_id: str) -> str:
    """The number of an id, which clients send as `+1…`, `%2B1…` or, encoded twice, `%252B1…`."""
    return e164.normalise(unquote(unquote(number_id)))


def numbers_in(texts: Iterable[str], read: Callable[[str], str] = number_of) -> list[str]:
    """The numbers of those texts that are read as one: of ids, unless something else is said."""
    numbers = []
    for text in texts:
        with suppress(InvalidPhoneNumber):
            numbers.append(read(text))
    return numbers


def number_or_text(number_id: str) -> str:
    """The number of an id or, where that is none, what it says."""
    try:
        return number_of(number_id)
    except InvalidPhoneNumber:
        return number_id


def require_number(context: Context, number_id: str) -> Row:
    """The row of a number of the account; raises NotFound."""
    number = number_of(number_id)
    return require_own(context, number, context.tx.one("get_phone_number", phone_number=number))


def finder(context: Context, number_ids: Collection[str]) -> Callable[[str], Row]:
    """`require_number` for each of many, which are read at once."""
    require_few(number_ids)
    rows = rows_of(context, numbers_in(number_ids))

    def find(number_id: str) -> Row:
        number = number_of(number_id)
        return require_own(context, number, rows.get(number))

    return find


def rows_of(context: Context, numbers: Iterable[str]) -> dict[str, Row]:
    """Those of the numbers that are in the inventory, of any account."""
    found = context.tx.all("get_phone_numbers", numbers=listed(numbers))
    return {row["phone_number"]: row for row in found}


def require_own(context: Context, number: str, row: Row | None) -> Row:
    if row is None or row["account_id"] != context.account_id or is_released(context, row):
        raise NotFound(f"Could not find PhoneNumber {e164.redact(number)}")
    return row


def is_released(context: Context, row: Row) -> bool:
    """Whether a deleted number can no more be restored, noticed by the upkeep or not."""
    deleted_at = row["deleted_at"]
    return deleted_at is not None and context.now >= deleted_at + DELETION_DAYS * DAY


def shown(context: Context, row: Row) -> dict[str, Any]:
    number = row["phone_number"]
    return {
        "PhoneNumberId": number.replace("+", "%2B"),
        "E164PhoneNumber": number,
        "PhoneNumberArn": f"arn:aws:chime:us-east-1:{row['account_id']}:phone-number/{number}",
        "Country": row["country"],
        "Type": "TollFree" if row["toll_free"] else "Local",
        "ProductType": row["product_type"],
        "Status": row["status"],
        "Capabilities": capabilities(context.policy, row["carrier"]),
        "Associations": associations(row),
        "CallingName": row["calling_name"],
        "CallingNameStatus": "UpdateSucceeded" if row["calling_name"] else "Unassigned",
        "CreatedTimestamp": row["created_at"],
        "UpdatedTimestamp": row["updated_at"],
        "DeletionTimestamp": row["deleted_at"],
        "OrderId": row["phone_number_order_id"],
        "Name": row["name"],
    }


def capabilities(settings: Policy, carrier: str) -> dict[str, bool]:
    """What a number can be used for: what its carrier carries. Pictures may come along with texts
    from some, but no number is promised them."""
    can = settings.carried_by(carrier)
    calls, texts = Capability.VOICE in can, Capability.SMS in can
    return {
        "InboundCall": calls,
        "OutboundCall": calls,
        "InboundSMS": texts,
        "OutboundSMS": texts,
        "InboundMMS": False,
        "OutboundMMS": False,
    }


def associations(row: Row) -> list[dict[str, Any]]:
    owners = {
        "VoiceConnectorId": row["voice_connector_id"],
        "VoiceConnectorGroupId": row["voice_connector_group_id"],
    }
    return [
        {"Value": value, "Name": name, "AssociatedTimestamp": row["associated_at"]}
        for name, value in owners.items()
        if value is not None
    ]
