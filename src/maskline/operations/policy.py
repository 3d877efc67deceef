"""What the settings decide for operations."""

from maskline.domain.connector import Assignment, Rules, UnknownCaller
from maskline.operations.context import Policy
from maskline.settings import Settings


def policy_of(chosen: Settings) -> Policy:
    """The settings as far as they concern operations."""
    return Policy(
        max_session_minutes=chosen.max_session_minutes,
        closed_session_retention_days=chosen.closed_session_retention_days,
        call_retention_days=chosen.call_retention_days,
        audit_retention_days=chosen.audit_retention_days,
        carriers=tuple(carrier.name for carrier in chosen.carriers),
        carriers_down={one.name for one in chosen.carriers if one.sip is None},
        rules=Rules(
            number_assignment=Assignment(chosen.number_assignment),
            unknown_caller=UnknownCaller(chosen.unknown_caller),
            hang_up_on_delete=chosen.hang_up_on_delete,
            hang_up_on_expiry=chosen.hang_up_on_expiry,
            max_ring_seconds=chosen.max_ring_seconds,
            max_call_seconds=chosen.max_call_minutes * 60,
        ),
    )
