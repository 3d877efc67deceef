"""Phone numbers: how they enter the inventory."""

from maskline.domain import e164
from maskline.domain.refusals import BadRequest, Conflict
from maskline.operations.batches import each_of
from maskline.operations.context import Answer, Context, Request
from maskline.operations.numbering import is_toll_free, place_of
from maskline.operations.tenancy import account_for, require_operator


def import_phone_numbers(context: Context, request: Request) -> Answer:
    """Takes numbers that a carrier delivers into the inventory of an account.

    Only the operator knows what carriers deliver, and names another account by AccountId.
    Importing a number again changes its carrier and whether it is shared, nothing else. A number
    that cannot be imported is named in the answer and hinders no other.
    """
    require_operator(context)
    account_id = account_for(context, request)
    if request["CarrierName"] not in context.settings.carriers:
        raise BadRequest(f"No carrier is named '{request['CarrierName']}' in the settings")
    return each_of(
        request["E164PhoneNumbers"],
        lambda text: import_phone_number(context, request, account_id, text),
    )


def import_phone_number(context: Context, request: Request, account_id: str, text: str) -> None:
    number = e164.require_dialable(text)
    known = context.tx.one("get_phone_number", phone_number=number)
    if known is not None and known["account_id"] != account_id:
        raise Conflict("The phone number belongs to another account")
    if known is None and context.tx.one("has_open_claim", participant=number, now=context.now):
        raise Conflict("The phone number takes part in an open proxy session")
    place = place_of(number)
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
