"""The inventory of phone numbers in the operator's hands: brought in, looked at, taken out."""

from typing import Any

from maskline.domain import e164
from maskline.domain.refusals import BadRequest, Conflict, InvalidPhoneNumber, NotFound
from maskline.operations.batches import each_of
from maskline.operations.context import Answer, Context, Request
from maskline.operations.expiries import open_sessions
from maskline.operations.numbering import NO_COUNTRY, is_toll_free, place_of, require_dialable
from maskline.operations.pages import page_of
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
    return each_of(
        request["E164PhoneNumbers"],
        lambda text: import_phone_number(context, request, account_id, text),
    )


def import_phone_number(context: Context, request: Request, account_id: str, text: str) -> None:
    number = require_dialable(text)
    known = context.tx.one("get_phone_number", phone_number=number)
    if known is not None and known["account_id"] != account_id:
        raise Conflict("The phone number belongs to another account")
    place = place_of(number)
    if place.country == NO_COUNTRY:
        raise InvalidPhoneNumber(
            f"{e164.redact(number)} is a number of no country, and sessions ask for countries"
        )
    context.tx.run(
        "put_phone_number",
        phone_number=number,
        account_id=account_id,
        carrier=request["CarrierName"],
        shared=bool(request.get("Shared")),
        country=place.country,
        area_code=place.area_code,
        toll_free=is_toll_free(number),
        now=context.now,
    )


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
    return each_of(
        request["E164PhoneNumbers"], lambda text: remove_phone_number(context, account_id, text)
    )


def remove_phone_number(context: Context, account_id: str, text: str) -> None:
    number = e164.normalise(text)
    row = context.tx.one("get_phone_number", phone_number=number)
    if row is None or row["account_id"] != account_id:
        raise NotFound("The phone number is not in the inventory of the account")
    if row["status"] == "Assigned":
        raise Conflict("The phone number must be disassociated first")
    if open_sessions(context, row):
        raise Conflict("The phone number is in use by open proxy sessions")
    context.tx.run("remove_phone_number", phone_number=number)


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
