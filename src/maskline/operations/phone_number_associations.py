"""Which voice connector, or group of them, a phone number is for."""

from collections.abc import Iterator
from contextlib import suppress

from maskline.domain.refusals import BadRequest, Conflict, NotFound, Refusal
from maskline.operations import connector_groups
from maskline.operations.batches import each_of, listed
from maskline.operations.connector_groups import require_group
from maskline.operations.connectors import require_connector
from maskline.operations.context import Answer, Context, Request
from maskline.operations.phone_numbers import VOICE_CONNECTOR, finder
from maskline.store import Row


def associate_phone_numbers_with_voice_connector(context: Context, request: Request) -> Answer:
    connector = require_connector(context, request["VoiceConnectorId"])
    return associate(context, request, connector.voice_connector_id, None)


def associate_phone_numbers_with_voice_connector_group(
    context: Context, request: Request
) -> Answer:
    group = require_group(context, request["VoiceConnectorGroupId"])
    return associate(context, request, None, group["voice_connector_group_id"])


def disassociate_phone_numbers_from_voice_connector(context: Context, request: Request) -> Answer:
    connector = require_connector(context, request["VoiceConnectorId"])
    return disassociate(context, request, (connector.voice_connector_id, None))


def disassociate_phone_numbers_from_voice_connector_group(
    context: Context, request: Request
) -> Answer:
    group = require_group(context, request["VoiceConnectorGroupId"])
    return disassociate(context, request, (None, group["voice_connector_group_id"]))


Owner = tuple[str | None, str | None]


def owner_of(row: Row) -> Owner:
    return row["voice_connector_id"], row["voice_connector_group_id"]


def associate(
    context: Context, request: Request, connector_id: str | None, group_id: str | None
) -> Answer:
    """Sessions that use a number already go on, whoever it is associated with."""
    numbers = request["E164PhoneNumbers"]
    find = finder(context, numbers)
    chosen: list[str] = []

    def one(number_id: str) -> None:
        row = find(number_id)
        owner = owner_of(row)
        if owner == (connector_id, group_id):
            return
        require_usable(row)
        if any(owner) and not request.get("ForceAssociate"):
            raise Conflict("The phone number is associated already")
        chosen.append(row["phone_number"])

    answer = each_of(numbers, one)
    context.tx.run(
        "associate_numbers",
        numbers=listed(chosen),
        voice_connector_id=connector_id,
        group_id=group_id,
        now=context.now,
    )
    return answer


def require_usable(row: Row) -> None:
    if row["deleted_at"] is not None:
        raise BadRequest("The phone number is deleted; restore it first")
    if row["product_type"] != VOICE_CONNECTOR:
        raise BadRequest(f"The product type of the phone number is not {VOICE_CONNECTOR}")


def owner_arns(context: Context, request: Request) -> Iterator[str]:
    """The ARNs of the connectors and groups that an association by force takes numbers from."""
    if not request.get("ForceAssociate"):
        return
    find = finder(context, request["E164PhoneNumbers"])
    owners: set[Owner] = set()
    for number_id in request["E164PhoneNumbers"]:
        with suppress(Refusal):  # to be named in the answer
            owners.add(owner_of(find(number_id)))
    for connector_id, group_id in owners:
        if connector_id:
            yield require_connector(context, connector_id).arn
        if group_id:
            yield connector_groups.arn(context, group_id)


def disassociate(context: Context, request: Request, owner: Owner) -> Answer:
    numbers = request["E164PhoneNumbers"]
    find = finder(context, numbers)
    leaving: set[str] = set()

    def one(number_id: str) -> None:
        row = find(number_id)
        if owner_of(row) != owner or row["phone_number"] in leaving:  # which was named before
            raise NotFound("The phone number is not associated with it")
        leaving.add(row["phone_number"])

    answer = each_of(numbers, one)
    context.tx.run("disassociate_numbers", numbers=listed(leaving), now=context.now)
    return answer
