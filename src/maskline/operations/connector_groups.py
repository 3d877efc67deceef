"""Voice connector groups: connectors that stand in for each other."""

from typing import Any

from maskline.domain.refusals import BadRequest, Conflict, LimitExceeded, NotFound
from maskline.operations.connectors import require_connector
from maskline.operations.context import Answer, Context, Request
from maskline.operations.pages import page_of
from maskline.operations.quotas import require_room
from maskline.operations.tags import forget_tags
from maskline.store import Row

DEFAULT_DISTRIBUTION = "PriorityWeightedDistribution"
DEFAULT_PRIORITY = 1
MOST_CONNECTORS = 20  # of a group; Amazon's quota is 3, and more on request


def create_voice_connector_group(context: Context, request: Request) -> Answer:
    require_room(context, "voice_connector_groups")
    group_id = context.new_id()
    context.tx.run(
        "insert_voice_connector_group",
        group_id=group_id,
        account_id=context.account_id,
        name=request["Name"],
        call_distribution_type=request.get("CallDistributionType") or DEFAULT_DISTRIBUTION,
        now=context.now,
    )
    put_items(context, group_id, request.get("VoiceConnectorItems") or [])
    return answer_with(context, group_id)


def get_voice_connector_group(context: Context, request: Request) -> Answer:
    return answer_with(context, request["VoiceConnectorGroupId"])


def list_voice_connector_groups(context: Context, request: Request) -> Answer:
    page = page_of(context, request, "ListVoiceConnectorGroups")
    found = context.tx.all(
        "list_voice_connector_groups",
        account_id=context.account_id,
        before=page.before,
        limit=page.limit,
    )
    return page.answer("VoiceConnectorGroups", found, lambda row: shown(context, row))


def update_voice_connector_group(context: Context, request: Request) -> Answer:
    """Replaces name and connectors; the distribution stays unless it is given."""
    group = require_group(context, request["VoiceConnectorGroupId"])
    group_id = group["voice_connector_group_id"]
    distribution = request.get("CallDistributionType") or group["call_distribution_type"]
    context.tx.run(
        "update_voice_connector_group",
        group_id=group_id,
        name=request["Name"],
        call_distribution_type=distribution,
        now=context.now,
    )
    context.tx.run("delete_group_items", group_id=group_id)
    put_items(context, group_id, request["VoiceConnectorItems"])
    return answer_with(context, group_id)


def delete_voice_connector_group(context: Context, request: Request) -> Answer:
    group = require_group(context, request["VoiceConnectorGroupId"])
    group_id = group["voice_connector_group_id"]
    if context.tx.all("list_group_items", group_id=group_id):
        raise Conflict("Remove the VoiceConnectorItems of the VoiceConnectorGroup first")
    if context.tx.one("group_has_numbers", group_id=group_id):
        raise Conflict("Disassociate the phone numbers of the VoiceConnectorGroup first")
    forget_tags(context, arn(context, group_id))
    context.tx.run("delete_voice_connector_group", group_id=group_id)
    return {}


def require_group(context: Context, group_id: str) -> Row:
    row = context.tx.one(
        "get_voice_connector_group", group_id=group_id, account_id=context.account_id
    )
    if row is None:
        raise NotFound(f"Could not find VoiceConnectorGroup with Id '{group_id}'")
    return row


def put_items(context: Context, group_id: str, items: list[dict[str, Any]]) -> None:
    if len(items) > MOST_CONNECTORS:
        raise LimitExceeded(f"A VoiceConnectorGroup can have {MOST_CONNECTORS} VoiceConnectors")
    if len({item["VoiceConnectorId"] for item in items}) < len(items):
        raise BadRequest("A VoiceConnector is named twice")
    for place, item in enumerate(items):
        connector = require_connector(context, item["VoiceConnectorId"])
        context.tx.run(
            "insert_group_item",
            group_id=group_id,
            place=place,
            voice_connector_id=connector.voice_connector_id,
            priority=item.get("Priority") or DEFAULT_PRIORITY,
        )


def answer_with(context: Context, group_id: str) -> Answer:
    return {"VoiceConnectorGroup": shown(context, require_group(context, group_id))}


def shown(context: Context, row: Row) -> dict[str, Any]:
    group_id = row["voice_connector_group_id"]
    return {
        "VoiceConnectorGroupId": group_id,
        "Name": row["name"],
        "VoiceConnectorItems": [
            {"VoiceConnectorId": item["voice_connector_id"], "Priority": item["priority"]}
            for item in context.tx.all("list_group_items", group_id=group_id)
        ],
        "CreatedTimestamp": row["created_at"],
        "UpdatedTimestamp": row["updated_at"],
        "VoiceConnectorGroupArn": arn(context, group_id),
        "CallDistributionType": row["call_distribution_type"],
    }


def arn(context: Context, group_id: str) -> str:
    return f"arn:aws:chime:us-east-1:{context.account_id}:vcg/{group_id}"
