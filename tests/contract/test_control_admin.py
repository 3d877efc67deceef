"""The operator's day through boto3, which needs nothing but our service model beside its own."""

from typing import Any

from contract.test_boto3 import refused, status
from house import ONE_TRY, House, session_of

from maskline.cli.signer import AccessKey
from maskline.model import DATA


def admin(house: House, key: AccessKey) -> Any:
    session = session_of(key)
    session._loader.search_paths.append(str(DATA))
    return session.client("maskline", endpoint_url=house.url, config=ONE_TRY)


def key_of(answer: dict[str, Any]) -> AccessKey:
    made = answer["AccessKey"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])


def test_a_tenant_from_its_account_to_its_records(house: House) -> None:
    operator = admin(house, house.operator)
    made = operator.create_account(Name="acme")
    assert status(made) == 201
    assert made["Account"] in operator.list_accounts()["Accounts"]
    tenant_key = key_of(made)
    tenant = admin(house, tenant_key)
    refused(tenant, "ForbiddenException", tenant.list_accounts)
    reader = tenant.create_access_key(Actions=["chime:Get*", "chime:List*"])
    assert "SecretAccessKey" not in str(tenant.list_access_keys())
    voice = house.client(key_of(reader))
    assert voice.list_voice_connectors()["VoiceConnectors"] == []
    refused(
        voice,
        "AccessDeniedException",
        lambda: voice.create_voice_connector(Name="x", RequireEncryption=False),
    )
    assert [
        (each["Action"], each["AccessKeyId"], each["Outcome"])
        for each in tenant.list_audit_records()["AuditRecords"]
    ] == [
        ("chime:CreateVoiceConnector", key_of(reader).id, "AccessDeniedException"),
        ("maskline:CreateAccessKey", tenant_key.id, "Success"),
    ]
    tenant.delete_access_key(AccessKeyId=key_of(reader).id)
    assert len(tenant.list_access_keys()["AccessKeys"]) == 1


def test_the_rules_of_a_connector(house: House) -> None:
    client = admin(house, house.operator)
    made = house.client().create_voice_connector(Name="x", RequireEncryption=False)
    ids = {"VoiceConnectorId": made["VoiceConnector"]["VoiceConnectorId"]}
    before = client.get_voice_connector_rules(**ids)["Rules"]
    own = client.put_voice_connector_rules(**ids, UnknownCaller="fallback", MaxRingSeconds=20)
    assert own["Rules"] == before | {"UnknownCaller": "fallback", "MaxRingSeconds": 20}
    assert client.get_voice_connector_rules(**ids)["Rules"] == own["Rules"]
    assert client.put_voice_connector_rules(**ids)["Rules"] == before
    refused(
        client,
        "BadRequestException",
        lambda: client.put_voice_connector_rules(**ids, MaxRingSeconds=301),
    )
    house.client().delete_voice_connector(**ids)
    refused(client, "NotFoundException", lambda: client.get_voice_connector_rules(**ids))
