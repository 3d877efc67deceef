"""Every operation by the service it belongs to and its name."""

from maskline.operations import (
    access_keys,
    account_settings,
    accounts,
    audit,
    call_records,
    calls,
    carriers,
    connector_documents,
    connector_groups,
    connector_rules,
    connectors,
    messages,
    opt_outs,
    phone_number_associations,
    phone_number_imports,
    phone_number_orders,
    phone_numbers,
    pool_report,
    proxy_configurations,
    proxy_sessions,
    routes,
    support,
    tags,
)
from maskline.operations.context import Handler, Operation

Operations = dict[str, Operation]

VOICE_READS: Operations = {
    **connector_documents.GETS,
    "GetGlobalSettings": account_settings.get_global_settings,
    "GetPhoneNumber": phone_numbers.get_phone_number,
    "GetPhoneNumberOrder": phone_number_orders.get_phone_number_order,
    "GetPhoneNumberSettings": account_settings.get_phone_number_settings,
    "GetProxySession": proxy_sessions.get_proxy_session,
    "GetVoiceConnector": connectors.get_voice_connector,
    "GetVoiceConnectorGroup": connector_groups.get_voice_connector_group,
    "GetVoiceConnectorProxy": proxy_configurations.get_voice_connector_proxy,
    "GetVoiceConnectorTerminationHealth": (
        connector_documents.get_voice_connector_termination_health
    ),
    "ListAvailableVoiceConnectorRegions": connectors.list_available_voice_connector_regions,
    "ListPhoneNumberOrders": phone_number_orders.list_phone_number_orders,
    "ListPhoneNumbers": phone_numbers.list_phone_numbers,
    "ListProxySessions": proxy_sessions.list_proxy_sessions,
    "ListSupportedPhoneNumberCountries": (
        phone_number_orders.list_supported_phone_number_countries
    ),
    "ListTagsForResource": tags.list_tags_for_resource,
    "ListVoiceConnectorGroups": connector_groups.list_voice_connector_groups,
    "ListVoiceConnectorTerminationCredentials": (
        connector_documents.list_voice_connector_termination_credentials
    ),
    "ListVoiceConnectors": connectors.list_voice_connectors,
    "SearchAvailablePhoneNumbers": phone_number_orders.search_available_phone_numbers,
}

VOICE_WRITES: Operations = {
    **connector_documents.PUTS,
    **connector_documents.DELETES,
    "AssociatePhoneNumbersWithVoiceConnector": (
        phone_number_associations.associate_phone_numbers_with_voice_connector
    ),
    "AssociatePhoneNumbersWithVoiceConnectorGroup": (
        phone_number_associations.associate_phone_numbers_with_voice_connector_group
    ),
    "BatchDeletePhoneNumber": phone_numbers.batch_delete_phone_number,
    "BatchUpdatePhoneNumber": phone_numbers.batch_update_phone_number,
    "CreatePhoneNumberOrder": phone_number_orders.create_phone_number_order,
    "CreateProxySession": proxy_sessions.create_proxy_session,
    "CreateVoiceConnector": connectors.create_voice_connector,
    "CreateVoiceConnectorGroup": connector_groups.create_voice_connector_group,
    "DeletePhoneNumber": phone_numbers.delete_phone_number,
    "DeleteProxySession": proxy_sessions.delete_proxy_session,
    "DeleteVoiceConnector": connectors.delete_voice_connector,
    "DeleteVoiceConnectorGroup": connector_groups.delete_voice_connector_group,
    "DeleteVoiceConnectorProxy": proxy_configurations.delete_voice_connector_proxy,
    "DeleteVoiceConnectorTerminationCredentials": (
        connector_documents.delete_voice_connector_termination_credentials
    ),
    "DisassociatePhoneNumbersFromVoiceConnector": (
        phone_number_associations.disassociate_phone_numbers_from_voice_connector
    ),
    "DisassociatePhoneNumbersFromVoiceConnectorGroup": (
        phone_number_associations.disassociate_phone_numbers_from_voice_connector_group
    ),
    "PutVoiceConnectorExternalSystemsConfiguration": (
        connector_documents.put_voice_connector_external_systems_configuration
    ),
    "PutVoiceConnectorProxy": proxy_configurations.put_voice_connector_proxy,
    "PutVoiceConnectorTerminationCredentials": (
        connector_documents.put_voice_connector_termination_credentials
    ),
    "RestorePhoneNumber": phone_numbers.restore_phone_number,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateGlobalSettings": account_settings.update_global_settings,
    "UpdatePhoneNumber": phone_numbers.update_phone_number,
    "UpdatePhoneNumberSettings": account_settings.update_phone_number_settings,
    "UpdateProxySession": proxy_sessions.update_proxy_session,
    "UpdateVoiceConnector": connectors.update_voice_connector,
    "UpdateVoiceConnectorGroup": connector_groups.update_voice_connector_group,
}

OUR_READS: Operations = {
    "DescribeSupport": support.describe_support,
    "EvaluateRoute": routes.evaluate_route,
    "GetCall": call_records.get_call,
    "GetMessage": messages.get_message,
    "GetPoolReport": pool_report.get_pool_report,
    "GetVoiceConnectorRules": connector_rules.get_voice_connector_rules,
    "ListAccessKeys": access_keys.list_access_keys,
    "ListAccounts": accounts.list_accounts,
    "ListAuditRecords": audit.list_audit_records,
    "ListCalls": call_records.list_calls,
    "ListCarriers": carriers.list_carriers,
    "ListMessages": messages.list_messages,
    "ListOptOuts": opt_outs.list_opt_outs,
    "ListImportedPhoneNumbers": phone_number_imports.list_imported_phone_numbers,
}

OUR_WRITES: Operations = {
    "CreateAccessKey": access_keys.create_access_key,
    "CreateAccount": accounts.create_account,
    "DeleteAccessKey": access_keys.delete_access_key,
    "ImportPhoneNumbers": phone_number_imports.import_phone_numbers,
    "PutVoiceConnectorRules": connector_rules.put_voice_connector_rules,
    "RemovePhoneNumbers": phone_number_imports.remove_phone_numbers,
    "RemoveOptOut": opt_outs.remove_opt_out,
    "RetryMessage": messages.retry_message,
    "RotateAccessKey": access_keys.rotate_access_key,
    "UpdateAccessKey": access_keys.update_access_key,
}

SWITCH_WRITES: Operations = {"ReportCall": calls.report_call, "RouteCall": calls.route_call}

# What is done all the time. The others have the store for themselves while they change it.
BESIDE = {
    "PutVoiceConnectorProxy",
    "CreateProxySession",
    "UpdateProxySession",
    "DeleteProxySession",
    "RouteCall",
    "ReportCall",
}

# What reads much, or may: numbers or texts of an account for the few that are wanted, or orders of
# a thousand numbers each.
APART = {
    "GetPoolReport",
    "ListImportedPhoneNumbers",
    "ListMessages",
    "ListPhoneNumberOrders",
    "ListPhoneNumbers",
    "ListSupportedPhoneNumberCountries",
    "SearchAvailablePhoneNumbers",
}

# What reads with one query, unless it finds nothing.
PIECEMEAL = {"GetProxySession"}

TABLE: dict[tuple[str, str], Handler] = {
    (service, name): Handler(function, mutates, name in BESIDE, name in APART, name in PIECEMEAL)
    for service, operations, mutates in (
        ("chime-sdk-voice", VOICE_READS, False),
        ("chime-sdk-voice", VOICE_WRITES, True),
        ("maskline", OUR_READS, False),
        ("maskline", OUR_WRITES, True),
        ("switch", SWITCH_WRITES, True),
    )
    for name, function in operations.items()
}
