"""Who changed what, when. An audit record holds no phone number and nothing of the request."""

from contextlib import suppress
from typing import Any

from maskline.domain.refusals import Refusal
from maskline.operations import connector_groups, phone_number_orders, tags
from maskline.operations.access_keys import require_key
from maskline.operations.connectors import find_connector_arn
from maskline.operations.context import Answer, Context, Request
from maskline.operations.pages import page_of
from maskline.operations.tenancy import account_for
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


def named_resource(context: Context, request: Request) -> str | None:
    """The ARN of what a request names, if that is there and the account's, or its to know of.

    The ids of a request that is refused may be any text, a phone number too.
    """
    with suppress(Refusal):
        if "AccessKeyId" in request:
            return key_arn(require_key(context, request["AccessKeyId"])["access_key_id"])
        if "VoiceConnectorGroupId" in request:
            group = connector_groups.require_group(context, request["VoiceConnectorGroupId"])
            return connector_groups.arn(context, group["voice_connector_group_id"])
        if "VoiceConnectorId" in request:
            return find_connector_arn(context, request["VoiceConnectorId"])
        if "ResourceARN" in request:
            return tags.require_resource(context, request["ResourceARN"])
        if "AccountId" in request:
            return account_arn(account_for(context, request))
    return None


def changed_resource(
    context: Context, request: Request, answer: Answer, named: str | None
) -> str | None:
    """The ARN of what a request has changed; None for phone numbers and the account itself.

    `named` is that of what the request names. To be asked of a request that was carried out.
    """
    told = dict(request)
    for part in answer.values():
        told |= part if isinstance(part, dict) else {}
    if "Account" in answer:  # which comes with its first access key
        return account_arn(told["AccountId"])
    if "MessageId" in told:
        return f"arn:aws:chime:::message/{told['MessageId']}"
    if "ProxySessionId" in told:
        return f"{named}/proxy-session/{told['ProxySessionId']}"
    if "AccessKeyId" in told:
        return key_arn(told["AccessKeyId"])
    if "VoiceConnectorGroupId" in told:
        return connector_groups.arn(context, told["VoiceConnectorGroupId"])
    if "PhoneNumberOrderId" in told:
        return phone_number_orders.arn(context, told["PhoneNumberOrderId"])
    return named or told.get("VoiceConnectorArn")


def account_arn(account_id: str) -> str:
    return f"arn:aws:chime:::account/{account_id}"


def key_arn(access_key_id: str) -> str:
    return f"arn:aws:chime:::access-key/{access_key_id}"


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
