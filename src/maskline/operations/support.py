"""What this server does with the operations of AWS's Chime services, told to whoever asks."""

from typing import Any

from maskline.domain.refusals import NotFound
from maskline.model.support import Support, support
from maskline.operations.context import Answer, Context, Request


def describe_support(context: Context, request: Request) -> Answer:
    degree, name = request.get("Degree"), request.get("OperationName")
    if name is not None and name not in support():
        raise NotFound(f"Neither chime-sdk-voice nor chime has an operation '{name}'")
    return {
        "Operations": [
            shown(one)
            for one in support().values()
            if degree in (None, one.degree) and name in (None, one.operation)
        ]
    }


def shown(one: Support) -> dict[str, Any]:
    return {
        "OperationName": one.operation,
        "ServiceNames": list(one.services),
        "Degree": one.degree.value,
        "Reason": one.reason or None,
        "DocumentationPage": one.page,
    }
