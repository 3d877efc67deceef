"""One function for each operation: it opens nothing, commits nothing, and says no by a Refusal.

Requests come checked against the service model, with its member names; answers go out with them.
Times in answers are milliseconds since the epoch.
"""

from maskline.operations import (
    calls,
    connectors,
    phone_numbers,
    proxy_configurations,
    proxy_sessions,
    routes,
)
from maskline.operations.accounts import (
    AccessKey,
    Credentials,
    bootstrap_account,
    find_access_key,
)
from maskline.operations.calls import (
    complete_call,
    complete_lost_calls,
    live_calls,
    take_calls_to_hang_up,
)
from maskline.operations.context import Context, Handler, Operation, Policy
from maskline.operations.upkeep import purge_calls, purge_sessions, settle_expired_sessions

__all__ = [
    "TABLE",
    "AccessKey",
    "Context",
    "Credentials",
    "Handler",
    "Operation",
    "Policy",
    "bootstrap_account",
    "complete_call",
    "complete_lost_calls",
    "find_access_key",
    "live_calls",
    "purge_calls",
    "purge_sessions",
    "settle_expired_sessions",
    "take_calls_to_hang_up",
]

READS: dict[str, dict[str, Operation]] = {
    "chime-sdk-voice": {
        "GetProxySession": proxy_sessions.get_proxy_session,
        "GetVoiceConnector": connectors.get_voice_connector,
        "GetVoiceConnectorProxy": proxy_configurations.get_voice_connector_proxy,
        "ListProxySessions": proxy_sessions.list_proxy_sessions,
        "ListVoiceConnectors": connectors.list_voice_connectors,
    },
    "maskline": {
        "EvaluateRoute": routes.evaluate_route,
        "GetCall": calls.get_call,
        "ListCalls": calls.list_calls,
    },
}

WRITES: dict[str, dict[str, Operation]] = {
    "chime-sdk-voice": {
        "CreateProxySession": proxy_sessions.create_proxy_session,
        "CreateVoiceConnector": connectors.create_voice_connector,
        "DeleteProxySession": proxy_sessions.delete_proxy_session,
        "DeleteVoiceConnectorProxy": proxy_configurations.delete_voice_connector_proxy,
        "PutVoiceConnectorProxy": proxy_configurations.put_voice_connector_proxy,
        "UpdateProxySession": proxy_sessions.update_proxy_session,
    },
    "maskline": {"ImportPhoneNumbers": phone_numbers.import_phone_numbers},
    "switch": {"ReportCall": calls.report_call, "RouteCall": calls.route_call},
}

# Every operation by the service it belongs to and its name.
TABLE: dict[tuple[str, str], Handler] = {
    (service, name): Handler(function, mutates)
    for mutates, services in ((False, READS), (True, WRITES))
    for service, operations in services.items()
    for name, function in operations.items()
}
