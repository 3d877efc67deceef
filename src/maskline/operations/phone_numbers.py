"""Phone numbers: how they enter the inventory."""

from typing import Any

from maskline.domain import e164
from maskline.domain.refusals import BadRequest, Conflict, Refusal
from maskline.operations.context import Answer, Context, Request
from maskline.operations.numbering import is_toll_free, place_of


def import_phone_numbers(context: Context, request: Request) -> Answer:
    """Takes numbers that a carrier delivers into the account's inventory.

    Importing a number again changes its carrier and whether it is shared, nothing else. A number
    that cannot be imported is named in the answer and hinders no other.
    """
    if request["CarrierName"] not in context.settings.carriers:
        raise BadRequest(f"No carrier is named '{request['CarrierName']}' in the settings")
    errors = []
    for text in request["E164PhoneNumbers"]:
        try:
            import_phone_number(context, request, text)
        except Refusal as refusal:
            errors.append(number_error(text, refusal))
    return {"PhoneNumberErrors": errors}


def import_phone_number(context: Context, request: Request, text: str) -> None:
    number = e164.require_dialable(text)
    known = context.tx.one("get_phone_number", phone_number=number)
    if known is not None and known["account_id"] != context.account_id:
        raise Conflict("The phone number belongs to another account")
    if known is None and context.tx.one("has_open_claim", participant=number, now=context.now):
        raise Conflict("The phone number takes part in an open proxy session")
    place = place_of(number)
    context.tx.run(
        "put_phone_number",
        phone_number=number,
        account_id=context.account_id,
        carrier=request["CarrierName"],
        shared=bool(request.get("Shared")),
        country=place.country,
        area_code=place.area_code,
        toll_free=is_toll_free(number),
        now=context.now,
    )


def number_error(number: str, refusal: Refusal) -> dict[str, Any]:
    return {
        "PhoneNumberId": number,
        "ErrorCode": refusal.code,
        "ErrorMessage": refusal.message,
    }
