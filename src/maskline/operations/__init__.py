"""One function for each operation: it opens nothing, commits nothing, and says no by a Refusal.

Requests come checked against the service model, with its member names; answers go out with them.
Times in answers are milliseconds since the epoch.
"""

from maskline.operations.access_keys import (
    AccessKey,
    Credentials,
    find_access_key,
    is_access_key_id,
)
from maskline.operations.accounts import bootstrap_account
from maskline.operations.audit import changed_resource, named_resource, record_audit
from maskline.operations.calls import (
    complete_call,
    complete_lost_calls,
    live_calls,
    take_calls_to_hang_up,
)
from maskline.operations.carriers import purge_carrier_reports, put_carrier_reports
from maskline.operations.context import Announcement, Context, Handler, Operation, Policy
from maskline.operations.legs_left import LegLeft, dismiss_leg, give_up_legs, take_legs
from maskline.operations.messages import erase_messages, purge_messages
from maskline.operations.recordings import purge_recordings
from maskline.operations.table import TABLE
from maskline.operations.upkeep import (
    purge_audit_records,
    purge_calls,
    purge_phone_number_orders,
    purge_phone_numbers,
    purge_pictures,
    purge_sessions,
    settle_expired_sessions,
)

__all__ = [
    "TABLE",
    "AccessKey",
    "Announcement",
    "Context",
    "Credentials",
    "Handler",
    "LegLeft",
    "Operation",
    "Policy",
    "bootstrap_account",
    "changed_resource",
    "complete_call",
    "complete_lost_calls",
    "dismiss_leg",
    "erase_messages",
    "find_access_key",
    "give_up_legs",
    "is_access_key_id",
    "live_calls",
    "named_resource",
    "purge_audit_records",
    "purge_calls",
    "purge_carrier_reports",
    "purge_messages",
    "purge_phone_number_orders",
    "purge_phone_numbers",
    "purge_pictures",
    "purge_recordings",
    "purge_sessions",
    "put_carrier_reports",
    "record_audit",
    "settle_expired_sessions",
    "take_calls_to_hang_up",
    "take_legs",
]
