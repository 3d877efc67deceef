"""The rules of one voice connector, where they differ from those of the whole service."""

from typing import Any

from maskline.domain.connector import Rules, longest_rest
from maskline.domain.refusals import BadRequest
from maskline.operations.connectors import require_connector
from maskline.operations.context import Answer, Context, Request

MEMBERS = {
    "NumberAssignment": "number_assignment",
    "NumberRestMinutes": "number_rest_minutes",
    "UnknownCaller": "unknown_caller",
    "HangUpOnDelete": "hang_up_on_delete",
    "HangUpOnExpiry": "hang_up_on_expiry",
    "MaxRingSeconds": "max_ring_seconds",
    "MaxCallSeconds": "max_call_seconds",
    "RecordCalls": "record_calls",
    "MaxCalls": "max_calls",
    "MaxCallsPerSecond": "max_calls_per_second",
    "MaxCallsPerCaller": "max_calls_per_caller",
    "MaxCallsPerCallerPerSecond": "max_calls_per_caller_per_second",
}
TEXT_MEMBERS = {
    "KeepTextDays": ("keep_text_days", "keep_days"),
    "ClosedReply": ("closed_reply", "closed_reply"),
    "StopReply": ("stop_reply", "stop_reply"),
    "StartReply": ("start_reply", "start_reply"),
    "HelpReply": ("help_reply", "help_reply"),
    "KeywordLanguages": ("keyword_languages", "keyword_languages"),
    "MaxTextsPerMinute": ("max_texts_per_minute", "max_per_minute"),
}


def put_voice_connector_rules(context: Context, request: Request) -> Answer:
    """Replaces the connector's own rules; for what is left out, the service's hold again."""
    connector_id = request["VoiceConnectorId"]
    require_connector(context, connector_id)
    require_rest(context, request.get("NumberRestMinutes") or 0)
    require_within_ceilings(context, request)
    context.tx.run(
        "put_connector_rules",
        voice_connector_id=connector_id,
        **{column: request.get(member) for member, column in MEMBERS.items()},
        **{column: written(request.get(member)) for member, (column, _) in TEXT_MEMBERS.items()},
    )
    return get_voice_connector_rules(context, request)


def require_rest(context: Context, minutes: int) -> None:
    """Raises BadRequest for a rest longer than what is known of closed sessions."""
    longest = longest_rest(context.policy.closed_session_retention_days)
    if minutes > longest:
        raise BadRequest(
            f"NumberRestMinutes can be at most {longest}: so long are closed sessions kept"
        )


def require_within_ceilings(context: Context, request: Request) -> None:
    """Raises BadRequest for what the operator allows no connector."""
    columns = MEMBERS | {member: column for member, (column, _) in TEXT_MEMBERS.items()}
    ceilings = dict(vars(context.policy.rules.ceilings))
    recorded = ceilings.pop("record_calls")
    if request.get("RecordCalls") and not recorded:
        raise BadRequest("RecordCalls cannot be true by the settings of the service")
    for member, column in columns.items():
        ceiling, wanted = ceilings.get(column), request.get(member)
        if ceiling and wanted is not None and not 0 < wanted <= ceiling:
            raise BadRequest(f"{member} can be from 1 to {ceiling} by the settings of the service")


def get_voice_connector_rules(context: Context, request: Request) -> Answer:
    """The rules that hold for the connector, its own or the service's."""
    return {"Rules": shown(require_connector(context, request["VoiceConnectorId"]).rules)}


def written(value: Any) -> Any:
    """A rule as its column holds it."""
    return ",".join(value) if isinstance(value, list) else value


def shown(rules: Rules) -> dict[str, Any]:
    texts = {member: getattr(rules.texts, name) for member, (_, name) in TEXT_MEMBERS.items()}
    replies = {member: texts[member] or None for member in texts if member.endswith("Reply")}
    own = {member: getattr(rules, column) for member, column in MEMBERS.items()}
    return own | texts | replies | {"KeywordLanguages": list(rules.texts.keyword_languages)}
