"""The audit record of a request that changes something, or tried to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from maskline.operations import Context, changed_resource, named_resource, record_audit

SUCCESS = "Success"


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be noted of a request, whatever becomes of it."""

    action: str
    request: dict[str, Any]
    request_id: str

    def successful(
        self, context: Context, change: Callable[[Context], dict[str, Any]]
    ) -> dict[str, Any]:
        """Carries out a change and notes it in the same transaction: none is ever without."""
        named = named_resource(context, self.request)  # the change may be its end
        done = change(context)
        resource = changed_resource(context, self.request, done, named)
        record_audit(context, self.action, resource, self.request_id, SUCCESS)
        return done

    def write(self, context: Context, outcome: str) -> None:
        """Notes what came of a request that was refused."""
        named = named_resource(context, self.request)
        record_audit(context, self.action, named, self.request_id, outcome)
