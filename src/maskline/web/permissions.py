"""What an access key is granted, held against a request. What no list allows is refused."""

from collections.abc import Iterator

from maskline.domain.refusals import AccessDenied
from maskline.operations import AccessKey, Context, connector_groups, phone_number_associations
from maskline.operations.connectors import find_connector_arn
from maskline.operations.context import Request

AT_LARGE = "*"  # the resource of what concerns no voice connector; in a list, every resource
PREFIXES = {"chime-sdk-voice": "chime"}  # a service's actions begin with its name otherwise


def action_of(service: str, operation: str) -> str:
    """The action as allow lists name it: `chime:GetProxySession`, `maskline:ListCalls`."""
    return f"{PREFIXES.get(service, service)}:{operation}"


def require_grant(context: Context, key: AccessKey, action: str, request: Request) -> None:
    """Raises AccessDenied unless the key may do this to all that the request is about, or at large.

    What does not exist is refused like what is not allowed: a key learns nothing about what it may
    not see.
    """
    everywhere = AT_LARGE in key.grant.resources  # spares most requests a look at the connector
    resources = (AT_LARGE,) if everywhere else resources_of(context, request)
    if not all(key.grant.allows(action, resource) for resource in resources):
        raise AccessDenied(f"The access key does not allow {action} on this resource")


def resources_of(context: Context, request: Request) -> Iterator[str]:
    """The ARNs of what a request names, of what it puts into a group, and of what it takes phone
    numbers from."""
    yield resource_of(context, request)
    items = request.get("VoiceConnectorItems") or ()
    for connector_id in {item["VoiceConnectorId"] for item in items}:
        yield connector_arn(context, connector_id) or AT_LARGE
    yield from phone_number_associations.owner_arns(context, request)


def resource_of(context: Context, request: Request) -> str:
    """The ARN of the connector or the group that a request is about."""
    if "VoiceConnectorGroupId" in request:
        return connector_groups.arn(context, request["VoiceConnectorGroupId"])
    arn: str | None = connector_arn(context, request.get("VoiceConnectorId"))
    return arn or request.get("ResourceARN") or AT_LARGE


def connector_arn(context: Context, connector_id: str | None) -> str | None:
    """The ARN of a connector of the account; None when there is none of that id."""
    return find_connector_arn(context, connector_id) if connector_id else None
