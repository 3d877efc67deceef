"""The audit record of a request that changes something, or tried to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from maskline.operations import Context, record_audit
from maskline.web.permissions import connector_arn

T = TypeVar("T")

SUCCESS = "Success"


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be noted of a request, whatever becomes of it."""

    action: str
    connector_id: str | None
    request_id: str

    def successful(self, context: Context, change: Callable[[Context], T]) -> T:
        """Carries out a change and notes it in the same transaction: none is ever without."""
        arn = connector_arn(context, self.connector_id)  # the change may be the connector's end
        done = change(context)
        record_audit(context, self.action, arn, self.request_id, SUCCESS)
        return done

    def write(self, context: Context, outcome: str) -> None:
        arn = connector_arn(context, self.connector_id)
        record_audit(context, self.action, arn, self.request_id, outcome)
