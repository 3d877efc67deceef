"""The audit record of a request that changes something, or tried to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from maskline.operations import Context, changed_resource, record_audit
from maskline.web.permissions import connector_arn

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
        arn = self.connector_arn(context)  # the change may be the connector's end
        done = change(context)
        resource = changed_resource(context, self.request, done, arn)
        record_audit(context, self.action, resource, self.request_id, SUCCESS)
        return done

    def write(self, context: Context, outcome: str) -> None:
        """Notes what came of a request that was refused."""
        arn = self.connector_arn(context)
        record_audit(context, self.action, arn, self.request_id, outcome)

    def connector_arn(self, context: Context) -> str | None:
        return connector_arn(context, self.request.get("VoiceConnectorId"))
