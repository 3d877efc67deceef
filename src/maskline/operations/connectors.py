"""Voice connectors."""

from typing import Any
from uuid import UUID

from maskline.domain.connector import VoiceConnector
from maskline.domain.refusals import NotFound
from maskline.operations.context import Answer, Context, Request
from maskline.operations.pages import page_of
from maskline.store import rows

DEFAULT_REGION = "us-east-1"
DEFAULT_NETWORK = "IPV4_ONLY"
ID_LENGTH = 22
ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def create_voice_connector(context: Context, request: Request) -> Answer:
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
    return {"VoiceConnector": shown(require_connector(context, connector_id))}


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
    rules = context.settings.rules
    return page.answer(
        "VoiceConnectors", found, lambda row: shown(rows.voice_connector(row, rules))
    )


def require_connector(context: Context, connector_id: str) -> VoiceConnector:
    """The account's connector of that id; raises NotFound."""
    row = context.tx.one(
        "get_voice_connector", voice_connector_id=connector_id, account_id=context.account_id
    )
    if row is None:
        raise NotFound(f"Could not find VoiceConnector with Id '{connector_id}'")
    return rows.voice_connector(row, context.settings.rules)


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
