"""Settings of the whole account."""

from maskline.clock import DAY
from maskline.domain.refusals import BadRequest
from maskline.operations.context import Answer, Context, Request
from maskline.operations.tenancy import require_account

RENAMING_DAYS = 7


def get_global_settings(context: Context, request: Request) -> Answer:
    return {
        "VoiceConnector": {"CdrBucket": require_account(context, context.account_id)["cdr_bucket"]}
    }


def update_global_settings(context: Context, request: Request) -> Answer:
    """Keeps the name of the bucket. Call records are read with ListCalls; none are uploaded."""
    settings = request.get("VoiceConnector")
    if settings is not None:
        context.tx.run(
            "set_cdr_bucket",
            account_id=context.account_id,
            cdr_bucket=settings.get("CdrBucket"),
        )
    return {}


def get_phone_number_settings(context: Context, request: Request) -> Answer:
    row = require_account(context, context.account_id)
    return {
        "CallingName": row["calling_name"],
        "CallingNameUpdatedTimestamp": row["calling_name_updated_at"],
    }


def update_phone_number_settings(context: Context, request: Request) -> Answer:
    """Sets the account's calling name, at most once in seven days. The one that it has already is
    no change: requests may come twice."""
    row = require_account(context, context.account_id)
    wanted, changed_at = request["CallingName"] or None, row["calling_name_updated_at"]
    if wanted == row["calling_name"]:
        return {}
    if changed_at is not None and context.now < changed_at + RENAMING_DAYS * DAY:
        raise BadRequest(f"The calling name can be changed once in {RENAMING_DAYS} days")
    context.tx.run(
        "set_calling_name",
        account_id=context.account_id,
        calling_name=wanted,
        now=context.now,
    )
    return {}
