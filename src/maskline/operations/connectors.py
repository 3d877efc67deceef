"""Voice connectors."""

from typing import Any
from uuid import UUID

from maskline.domain.connector import VoiceConnector, connector_arn
from maskline.domain.refusals import Conflict, GroupsAssociated, NotFound, NumbersAssociated
from maskline.operations.context import Answer, Context, Request
from maskline.operations.pages import page_of
from maskline.operations.quotas import require_room
from maskline.operations.tags import forget_tags, put_tags
from maskline.store import rows

# A region is a label here: every connector is served by this service.
REGIONS = (
    "us-east-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2",
    "ap-northeast-2", "ap-northeast-1", "ap-southeast-1", "ap-southeast-2",
)  # fmt: skip
DEFAULT_REGION = REGIONS[0]
DEFAULT_NETWORK = "IPV4_ONLY"
ID_LENGTH = 22
ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def create_voice_connector(context: Context, request: Request) -> Answer:
    require_room(context, "voice_connectors")
    connector_id = connector_id_from(UUID(context.new_id()))
    context.tx.run(
        "insert_voice_connector",
        voice_connector_id=connector_id,
        account_id=context.account_id,
        region=request.get("AwsRegion") or DEFAULT_REGION,
        name=request["Name"],
        require_encryption=request["RequireEncryption"],
        integration_type=request.get("IntegrationType"),
        network_type=request.get("NetworkType") or DEFAULT_NETWORK,
        now=context.now,
    )
    connector = require_connector(context, connector_id)
    put_tags(context, connector.arn, request.get("Tags") or [])
    return {"VoiceConnector": shown(connector)}


def get_voice_connector(context: Context, request: Request) -> Answer:
    return {"VoiceConnector": shown(require_connector(context, request["VoiceConnectorId"]))}


def list_voice_connectors(context: Context, request: Request) -> Answer:
    page = page_of(context, request, "ListVoiceConnectors")
    found = context.tx.all(
        "list_voice_connectors",
        account_id=context.account_id,
        before=page.before,
        limit=page.limit,
    )
    rules = context.policy.rules
    return page.answer(
        "VoiceConnectors", found, lambda row: shown(rows.voice_connector(row, rules))
    )


def update_voice_connector(context: Context, request: Request) -> Answer:
    connector_id = request["VoiceConnectorId"]
    require_connector(context, connector_id)
    context.tx.run(
        "update_voice_connector",
        voice_connector_id=connector_id,
        name=request["Name"],
        require_encryption=request["RequireEncryption"],
        now=context.now,
    )
    return {"VoiceConnector": shown(require_connector(context, connector_id))}


def delete_voice_connector(context: Context, request: Request) -> Answer:
    """Deletes a connector that nothing depends on any more. What is kept of it goes with the last
    of its sessions."""
    connector = require_connector(context, request["VoiceConnectorId"])
    connector_id = connector.voice_connector_id
    uses = context.tx.one("uses_of_connector", voice_connector_id=connector_id, now=context.now)
    assert uses is not None
    if uses["phone_numbers"]:
        raise NumbersAssociated("Disassociate the phone numbers of the VoiceConnector first")
    if uses["connector_groups"]:
        raise GroupsAssociated("Remove the VoiceConnector from its VoiceConnectorGroups first")
    if uses["proxy_sessions"]:
        raise Conflict("The VoiceConnector has open proxy sessions")
    for what in ("proxy_configuration", "connector_documents", "termination_credentials"):
        context.tx.run(f"delete_{what}", voice_connector_id=connector_id)
    forget_tags(context, connector.arn)
    context.tx.run("delete_voice_connector", voice_connector_id=connector_id, now=context.now)
    context.tx.run("purge_voice_connector", voice_connector_id=connector_id)
    return {}


def list_available_voice_connector_regions(context: Context, request: Request) -> Answer:
    return {"VoiceConnectorRegions": list(REGIONS)}


def require_connector(context: Context, connector_id: str) -> VoiceConnector:
    """The account's connector of that id; raises NotFound."""
    row = context.tx.one(
        "get_voice_connector", voice_connector_id=connector_id, account_id=context.account_id
    )
    if row is None:
        raise no_connector(connector_id)
    return rows.voice_connector(row, context.policy.rules)


def no_connector(connector_id: str) -> NotFound:
    return NotFound(f"Could not find VoiceConnector with Id '{connector_id}'")


def find_connector_arn(context: Context, connector_id: str) -> str | None:
    """The ARN of the account's connector of that id, None when there is none."""
    row = context.tx.one(
        "get_connector_region", voice_connector_id=connector_id, account_id=context.account_id
    )
    return connector_arn(row["region"], context.account_id, connector_id) if row else None


def connector_id_from(uuid: UUID) -> str:
    """A UUID written as AWS writes connector ids: 22 lower-case letters and digits."""
    rest, text = uuid.int, ""
    for _ in range(ID_LENGTH):
        rest, digit = divmod(rest, len(ID_ALPHABET))
        text += ID_ALPHABET[digit]
    return text


def shown(connector: VoiceConnector) -> dict[str, Any]:
    return {
        "VoiceConnectorId": connector.voice_connector_id,
        "AwsRegion": connector.region,
        "Name": connector.name,
        "OutboundHostName": connector.outbound_host_name,
        "RequireEncryption": connector.require_encryption,
        "CreatedTimestamp": connector.created_at,
        "UpdatedTimestamp": connector.updated_at,
        "VoiceConnectorArn": connector.arn,
        "IntegrationType": connector.integration_type,
        "NetworkType": connector.network_type,
    }
