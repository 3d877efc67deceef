"""Tags of voice connectors and their groups."""

from typing import Any

from maskline.domain.refusals import LimitExceeded, NotFound
from maskline.operations.context import Answer, Context, Request

MOST_TAGS = 50

# What can have tags: where it is found, and its ARN with region, account and id to be filled in.
RESOURCES = {
    "connector_region": "arn:aws:chime:{}:{}:vc/{}",
    "group_region": "arn:aws:chime:{}:{}:vcg/{}",
}


def tag_resource(context: Context, request: Request) -> Answer:
    """Adds tags; one whose key is there already gets the new value."""
    arn = require_resource(context, request["ResourceARN"])
    put_tags(context, arn, request["Tags"])
    return {}


def untag_resource(context: Context, request: Request) -> Answer:
    arn = require_resource(context, request["ResourceARN"])
    for key in request["TagKeys"]:
        context.tx.run("delete_tag", account_id=context.account_id, resource_arn=arn, key=key)
    return {}


def list_tags_for_resource(context: Context, request: Request) -> Answer:
    arn = require_resource(context, request["ResourceARN"])
    return {"Tags": tags_of(context, arn)}


def put_tags(context: Context, arn: str, tags: list[dict[str, str]]) -> None:
    for tag in tags:
        context.tx.run(
            "put_tag",
            account_id=context.account_id,
            resource_arn=arn,
            key=tag["Key"],
            value=tag["Value"],
        )
    if len(tags_of(context, arn)) > MOST_TAGS:
        raise LimitExceeded(f"A resource can have {MOST_TAGS} tags")


def forget_tags(context: Context, arn: str) -> None:
    context.tx.run("delete_tags", account_id=context.account_id, resource_arn=arn)


def tags_of(context: Context, arn: str) -> list[dict[str, Any]]:
    found = context.tx.all("list_tags", account_id=context.account_id, resource_arn=arn)
    return [{"Key": row["key"], "Value": row["value"]} for row in found]


def require_resource(context: Context, arn: str) -> str:
    """The ARN, if it is that of one of the account's connectors or groups; raises NotFound."""
    resource_id = arn.rpartition("/")[2]
    for query, pattern in RESOURCES.items():
        row = context.tx.one(query, resource_id=resource_id, account_id=context.account_id)
        if row and arn == pattern.format(row["region"], context.account_id, resource_id):
            return arn
    raise NotFound(f"Could not find a resource with ARN '{arn}'")
