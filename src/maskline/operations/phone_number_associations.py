"""Which voice connector, or group of them, a phone number is for."""

from collections.abc import Iterator
from contextlib import suppress

from maskline.domain.refusals import BadRequest, Conflict, NotFound, Refusal
from maskline.operations import connector_groups
from maskline.operations.batches import each_of, require_few
from maskline.operations.connector_groups import require_group
from maskline.operations.connectors import require_connector
from maskline.operations.context import Answer, Context, Request
from maskline.operations.phone_numbers import VOICE_CONNECTOR, require_number


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


def associate(
    context: Context, request: Request, connector_id: str | None, group_id: str | None
) -> Answer:
    """Sessions that use a number already go on, whoever it is associated with."""

    def one(number_id: str) -> None:
        row = require_number(context, number_id)
        owner = (row["voice_connector_id"], row["voice_connector_group_id"])
        if owner == (connector_id, group_id):
            return
        if row["deleted_at"] is not None:
            raise BadRequest("The phone number is deleted; restore it first")
        if row["product_type"] != VOICE_CONNECTOR:
            raise BadRequest(f"The product type of the phone number is not {VOICE_CONNECTOR}")
        if any(owner) and not request.get("ForceAssociate"):
            raise Conflict("The phone number is associated already")
        context.tx.run(
            "associate_number",
            phone_number=row["phone_number"],
            voice_connector_id=connector_id,
            group_id=group_id,
            now=context.now,
        )

    return each_of(request["E164PhoneNumbers"], one)


def owner_arns(context: Context, request: Request) -> Iterator[str]:
    """The ARNs of the connectors and groups that an association by force takes numbers from."""
    if not request.get("ForceAssociate"):
        return
    require_few(request["E164PhoneNumbers"])
    for number_id in request["E164PhoneNumbers"]:
        with suppress(Refusal):  # to be named in the answer
            row = require_number(context, number_id)
            if connector_id := row["voice_connector_id"]:
                yield require_connector(context, connector_id).arn
            if group_id := row["voice_connector_group_id"]:
                yield connector_groups.arn(context, group_id)


def disassociate(context: Context, request: Request, owner: Owner) -> Answer:
    def one(number_id: str) -> None:
        row = require_number(context, number_id)
        if (row["voice_connector_id"], row["voice_connector_group_id"]) != owner:
            raise NotFound("The phone number is not associated with it")
        context.tx.run("disassociate_number", phone_number=row["phone_number"], now=context.now)

    return each_of(request["E164PhoneNumbers"], one)
