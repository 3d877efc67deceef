"""Who changed what, when. An audit record holds no phone number and nothing of the request."""

from typing import Any

from maskline.operations import connector_groups
from maskline.operations.context import Answer, Context, Request
from maskline.operations.pages import page_of
from maskline.store import Row


def record_audit(
    context: Context, action: str, resource: str | None, request_id: str, outcome: str
) -> None:
    """Notes a changing request.

    `action` is as in allow lists, `resource` an ARN, `outcome` `Success` or an exception's name.
    """
    context.tx.run(
        "insert_audit_record",
        account_id=context.account_id,
        access_key_id=context.access_key_id,
        now=context.now,
        action=action,
        resource=resource,
        request_id=request_id,
        outcome=outcome,
    )


def changed_resource(
    context: Context, request: Request, answer: Answer, connector_arn: str | None
) -> str | None:
    """The ARN of what a request has changed; None for phone numbers and the account itself.

    `connector_arn` is that of the connector which the request names. To be asked of a request that
    was carried out: the ids of any other may be any text, a phone number too.
    """
    told = dict(request)
    for part in answer.values():
        told |= part if isinstance(part, dict) else {}
    if "ProxySessionId" in told:
        return f"{connector_arn}/proxy-session/{told['ProxySessionId']}"
    if "AccessKeyId" in told:
        return f"arn:aws:chime:::access-key/{told['AccessKeyId']}"
    if "VoiceConnectorGroupId" in told:
        return connector_groups.arn(context, told["VoiceConnectorGroupId"])
    return connector_arn or told.get("VoiceConnectorArn") or told.get("ResourceARN")


def list_audit_records(context: Context, request: Request) -> Answer:
    page = page_of(context, request, "ListAuditRecords")
    found = context.tx.all(
        "list_audit_records",
        account_id=context.account_id,
        before=page.before,
        limit=page.limit,
    )
    return page.answer("AuditRecords", found, shown)


def shown(row: Row) -> dict[str, Any]:
    return {
        "Timestamp": row["recorded_at"],
        "AccessKeyId": row["access_key_id"],
        "Action": row["action"],
        "Resource": row["resource"],
        "RequestId": row["request_id"],
        "Outcome": row["outcome"],
    }
