"""What an access key may do: its allow lists of actions and of resources, held against a request.

Actions are `chime:GetProxySession` or `maskline:ImportPhoneNumbers`, resources the ARNs of voice
connectors. In both, * stands for any text. What no list allows is refused.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from maskline.domain.refusals import AccessDenied, NotFound
from maskline.operations import AccessKey, Context
from maskline.operations.connectors import require_connector

ANYTHING = "*"
PREFIXES = {"chime-sdk-voice": "chime"}  # a service's actions begin with its name otherwise


def action_of(service: str, operation: str) -> str:
    return f"{PREFIXES.get(service, service)}:{operation}"


def require_action(key: AccessKey, action: str) -> None:
    """Raises AccessDenied unless the key may do this to some resource at least."""
    if not allows(key.actions, action):
        raise denied(action)


def require_resource(
    context: Context, key: AccessKey, action: str, connector_id: str | None
) -> None:
    """Raises AccessDenied unless the key may do this to that connector, or, with None, at large.

    A connector that does not exist is refused like one that is not allowed: a key learns nothing
    about what it may not see.
    """
    if ANYTHING in key.resources:
        return
    try:
        arn = connector_id and require_connector(context, connector_id).arn
    except NotFound:
        arn = None
    if not (arn and allows(key.resources, arn)):
        raise denied(action)


def allows(patterns: Iterable[str], wanted: str) -> bool:
    return any(
        pattern == ANYTHING or compiled(pattern).fullmatch(wanted) is not None
        for pattern in patterns
    )


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)


def denied(action: str) -> AccessDenied:
    return AccessDenied(f"The access key does not allow {action} on this resource")
