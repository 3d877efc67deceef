"""What an access key is granted, held against a request. What no list allows is refused."""

from maskline.domain.permissions import matches
from maskline.domain.refusals import AccessDenied, NotFound
from maskline.operations import AccessKey, Context
from maskline.operations.connectors import require_connector

AT_LARGE = "*"  # the resource of what concerns no voice connector; in a list, every resource
PREFIXES = {"chime-sdk-voice": "chime"}  # a service's actions begin with its name otherwise


def action_of(service: str, operation: str) -> str:
    """The action as allow lists name it: `chime:GetProxySession`, `maskline:ListCalls`."""
    return f"{PREFIXES.get(service, service)}:{operation}"


def require_action(key: AccessKey, action: str) -> None:
    """Raises AccessDenied unless the key may do this to some resource at least."""
    if not matches(key.grant.actions, action):
        raise denied(action)


def require_resource(
    context: Context, key: AccessKey, action: str, connector_id: str | None
) -> None:
    """Raises AccessDenied unless the key may do this to that connector, or, with None, at large.

    A connector that does not exist is refused like one that is not allowed: a key learns nothing
    about what it may not see.
    """
    if AT_LARGE in key.grant.resources:
        return
    if not matches(key.grant.resources, resource_of(context, connector_id)):
        raise denied(action)


def resource_of(context: Context, connector_id: str | None) -> str:
    try:
        return require_connector(context, connector_id).arn if connector_id else AT_LARGE
    except NotFound:
        return AT_LARGE


def denied(action: str) -> AccessDenied:
    return AccessDenied(f"The access key does not allow {action} on this resource")
