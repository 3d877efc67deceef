"""The rules of one voice connector, where they differ from those of the whole service."""

from typing import Any

from maskline.domain.connector import Rules
from maskline.operations.connectors import require_connector
from maskline.operations.context import Answer, Context, Request

MEMBERS = {
    "NumberAssignment": "number_assignment",
    "UnknownCaller": "unknown_caller",
    "HangUpOnDelete": "hang_up_on_delete",
    "HangUpOnExpiry": "hang_up_on_expiry",
    "MaxRingSeconds": "max_ring_seconds",
    "MaxCallSeconds": "max_call_seconds",
}


def put_voice_connector_rules(context: Context, request: Request) -> Answer:
    """Replaces the connector's own rules; for what is left out, the service's hold again."""
    connector_id = request["VoiceConnectorId"]
    require_connector(context, connector_id)
    context.tx.run(
        "put_connector_rules",
        voice_connector_id=connector_id,
        **{column: request.get(member) for member, column in MEMBERS.items()},
    )
    return get_voice_connector_rules(context, request)


def get_voice_connector_rules(context: Context, request: Request) -> Answer:
    """The rules that hold for the connector, its own or the service's."""
    return {"Rules": shown(require_connector(context, request["VoiceConnectorId"]).rules)}


def shown(rules: Rules) -> dict[str, Any]:
    return {member: getattr(rules, column) for member, column in MEMBERS.items()}
