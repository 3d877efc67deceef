"""The inventory of phone numbers in the operator's hands: brought in, looked at, taken out."""

import json
from typing import Any

from maskline.domain import e164
from maskline.domain.refusals import BadRequest, Conflict, InvalidPhoneNumber, NotFound
from maskline.operations.batches import each_of, listed, require_few
from maskline.operations.context import Answer, Context, Request
from maskline.operations.expiries import settle_sessions_of
from maskline.operations.numbering import NO_COUNTRY, is_toll_free, place_of, require_dialable
from maskline.operations.pages import page_of
from maskline.operations.phone_numbers import numbers_in, rows_of
from maskline.operations.tenancy import account_for, require_operator
from maskline.store import Row


def import_phone_numbers(context: Context, request: Request) -> Answer:
    """Takes numbers that a carrier delivers into the inventory of an account.

    Only the operator knows what carriers deliver, and names another account by AccountId.
    Importing a number again changes its carrier and whether it is shared, and takes it out of the
    deletion queue if it is there, nothing else. A number that cannot be imported is named in the
    answer and hinders no other. No use that an account makes of a number, as that of a participant
    say, stands in the way: calls to it end as it is imported.
    """
    require_operator(context)
    account_id = account_for(context, request)
    if request["CarrierName"] not in context.policy.carriers:
        raise BadRequest(f"No carrier is named '{request['CarrierName']}' in the settings")
    return take_in(context, request, account_id)


def take_in(context: Context, request: Request, account_id: str) -> Answer:
    texts = request["E164PhoneNumbers"]
    require_few(texts)
    known = rows_of(context, numbers_in(texts, e164.normalise))
    numbers: dict[str, tuple[str, str, int]] = {}

    def one(text: str) -> None:
        number = require_dialable(text)
        if number in known and known[number]["account_id"] != account_id:
            raise Conflict("The phone number belongs to another account")
        numbers[number] = traits(number)

    answer = each_of(texts, one)
    context.tx.run(
        "put_phone_numbers",
        numbers=json.dumps([[number, *found] for number, found in numbers.items()]),
        account_id=account_id,
        carrier=request["CarrierName"],
        shared=bool(request.get("Shared")),
        now=context.now,
    )
    return answer


def traits(number: str) -> tuple[str, str, int]:
    """Country, area code, and whether it is toll-free; raises InvalidPhoneNumber."""
    place = place_of(number)
    if place.country == NO_COUNTRY:
        raise InvalidPhoneNumber(
            f"{e164.redact(number)} is a number of no country, and sessions ask for countries"
        )
    return place.country, place.area_code, int(is_toll_free(number))


def list_imported_phone_numbers(context: Context, request: Request) -> Answer:
    """The inventory of an account, with carriers and with deleted numbers that wait."""
    account_id, carrier = account_for(context, request), request.get("CarrierName") or ""
    page = page_of(context, request, "ListImportedPhoneNumbers", account_id, carrier, start="")
    found = context.tx.all(
        "list_imported_phone_numbers",
        account_id=account_id,
        carrier=carrier,
        after=page.position,
        limit=page.limit,
    )
    return page.answer("ImportedPhoneNumbers", found, shown, "phone_number")


def remove_phone_numbers(context: Context, request: Request) -> Answer:
    """Takes numbers out of an account's inventory for good, unless something depends on them."""
    require_operator(context)
    account_id = account_for(context, request)
    texts = request["E164PhoneNumbers"]
    require_few(texts)
    named = numbers_in(texts, e164.normalise)
    settle_sessions_of(context, named)
    rows = rows_of(context, named)
    removed: list[str] = []

    def one(text: str) -> None:
        row = rows.get(e164.normalise(text))
        if row is None or row["account_id"] != account_id:
            raise NotFound("The phone number is not in the inventory of the account")
        require_removable(row)
        removed.append(row["phone_number"])
        del rows[row["phone_number"]]  # it may be named again

    answer = each_of(texts, one)
    context.tx.run("remove_phone_numbers", numbers=listed(removed))
    return answer


def require_removable(row: Row) -> None:
    if row["status"] == "Assigned":
        raise Conflict("The phone number must be disassociated first")
    if row["open_sessions"]:
        raise Conflict("The phone number is in use by open proxy sessions")


def shown(row: Row) -> dict[str, Any]:
    return {
        "E164PhoneNumber": row["phone_number"],
        "AccountId": row["account_id"],
        "CarrierName": row["carrier"],
        "Shared": bool(row["shared"]),
        "Country": row["country"],
        "AreaCode": row["area_code"] or None,
        "Status": row["status"],
        "VoiceConnectorId": row["voice_connector_id"],
        "VoiceConnectorGroupId": row["voice_connector_group_id"],
        "PhoneNumberOrderId": row["phone_number_order_id"],
        "OpenSessions": row["open_sessions"],
        "CreatedTimestamp": row["created_at"],
    }
