"""What Terraform, CDK and scripts do with voice connectors: made, read, changed, deleted, read."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from contract.test_boto3 import refused, status
from house import House

Call = Callable[..., dict[str, Any]]

ABSENT = "a" * 22
NUMBER = "+12065550170"


@pytest.fixture(scope="module")
def house(house: House) -> House:
    house.import_numbers(NUMBER)
    return house


@pytest.fixture
def connector(client: Any) -> Iterator[dict[str, Any]]:
    """A new voice connector, which the test leaves such that it can be deleted."""
    made: dict[str, Any] = client.create_voice_connector(Name="office", RequireEncryption=True)
    yield made["VoiceConnector"]
    client.delete_voice_connector(VoiceConnectorId=made["VoiceConnector"]["VoiceConnectorId"])


@pytest.fixture
def ids(connector: dict[str, Any]) -> dict[str, str]:
    return {"VoiceConnectorId": connector["VoiceConnectorId"]}


def test_a_connector_from_its_beginning_to_its_end(client: Any) -> None:
    made = client.create_voice_connector(
        Name="first", RequireEncryption=True, AwsRegion="eu-west-1", NetworkType="DUAL_STACK"
    )
    assert status(made) == 201
    connector = made["VoiceConnector"]
    ids = {"VoiceConnectorId": connector["VoiceConnectorId"]}
    assert client.get_voice_connector(**ids)["VoiceConnector"] == connector
    changed = client.update_voice_connector(**ids, Name="second", RequireEncryption=False)
    assert status(changed) == 200
    expected = {"Name": "second", "RequireEncryption": False}
    expected["UpdatedTimestamp"] = changed["VoiceConnector"]["UpdatedTimestamp"]
    assert changed["VoiceConnector"] == connector | expected
    assert client.get_voice_connector(**ids)["VoiceConnector"] == changed["VoiceConnector"]
    assert connector["VoiceConnectorId"] in connector_ids(client)
    assert status(client.delete_voice_connector(**ids)) == 204
    assert connector["VoiceConnectorId"] not in connector_ids(client)
    for call in (client.get_voice_connector, client.delete_voice_connector):
        told = refused(client, "NotFoundException", lambda call=call: call(**ids))
        assert status(told) == 404
        assert f"with Id '{ids['VoiceConnectorId']}'" in told["Error"]["Message"]


def connector_ids(client: Any) -> list[str]:
    found, token = [], {}
    while True:
        page = client.list_voice_connectors(MaxResults=1, **token)
        found += [each["VoiceConnectorId"] for each in page["VoiceConnectors"]]
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


def test_a_connector_with_numbers_stays(client: Any, ids: dict[str, str]) -> None:
    client.associate_phone_numbers_with_voice_connector(**ids, E164PhoneNumbers=[NUMBER])
    told = refused(client, "ConflictException", lambda: client.delete_voice_connector(**ids))
    assert status(told) == 409
    client.disassociate_phone_numbers_from_voice_connector(**ids, E164PhoneNumbers=[NUMBER])


def test_a_connector_of_a_group_stays(client: Any, ids: dict[str, str]) -> None:
    items = [{**ids, "Priority": 1}]
    made = client.create_voice_connector_group(Name="g", VoiceConnectorItems=items)
    told = refused(client, "ConflictException", lambda: client.delete_voice_connector(**ids))
    assert status(told) == 409
    group = {"VoiceConnectorGroupId": made["VoiceConnectorGroup"]["VoiceConnectorGroupId"]}
    client.update_voice_connector_group(**group, Name="g", VoiceConnectorItems=[])
    client.delete_voice_connector_group(**group)


# Each configuration: its name, what is put first, what replaces it, and what is read back of that.
ROUTE = {"Host": "192.0.2.7", "Port": 5080, "Protocol": "TCP", "Priority": 1, "Weight": 5}
TARGETS = [{"NotificationTarget": "EventBridge"}]
CONFIGURATIONS = {
    "Termination": (
        {"CallingRegions": ["US"], "CidrAllowedList": ["192.0.2.0/27"], "CpsLimit": 2},
        {"CallingRegions": ["US", "CA"], "CidrAllowedList": [], "DefaultPhoneNumber": NUMBER},
        {"CpsLimit": 1, "Disabled": False},
    ),
    "Origination": (
        {"Routes": [ROUTE], "Disabled": False},
        {"Routes": [ROUTE | {"Priority": 2}, ROUTE | {"Protocol": "UDP"}], "Disabled": True},
        {},
    ),
    "StreamingConfiguration": (
        {"DataRetentionInHours": 24, "Disabled": False, "StreamingNotificationTargets": TARGETS},
        {"DataRetentionInHours": 0, "Disabled": True},
        {},
    ),
    "EmergencyCallingConfiguration": (
        {"DNIS": [{"EmergencyPhoneNumber": "+12065550911", "CallingCountry": "US"}]},
        {"DNIS": []},
        {},
    ),
}


def calls(client: Any, name: str) -> tuple[Call, Call, Call]:
    """What puts, gets and deletes a configuration of a connector."""
    snake = {
        "StreamingConfiguration": "streaming_configuration",
        "EmergencyCallingConfiguration": "emergency_calling_configuration",
    }.get(name, name.lower())
    put, get, delete = (
        getattr(client, f"{verb}_voice_connector_{snake}") for verb in ("put", "get", "delete")
    )
    return put, get, delete


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_from_its_beginning_to_its_end(
    client: Any, ids: dict[str, str], name: str
) -> None:
    put, get, delete = calls(client, name)
    first, second, filled_in = CONFIGURATIONS[name]
    refused(client, "NotFoundException", lambda: get(**ids))
    made = put(**ids, **{name: first})
    assert status(made) == 200
    assert get(**ids)[name] == made[name] == made[name] | first
    put(**ids, **{name: second})
    assert get(**ids)[name] == filled_in | second
    assert status(delete(**ids)) == 204
    refused(client, "NotFoundException", lambda: get(**ids))
    assert status(delete(**ids)) == 204


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_of_no_connector(client: Any, name: str) -> None:
    put, get, delete = calls(client, name)
    for call in (lambda: put(VoiceConnectorId=ABSENT, **{name: CONFIGURATIONS[name][0]}),
                 lambda: get(VoiceConnectorId=ABSENT),
                 lambda: delete(VoiceConnectorId=ABSENT)):  # fmt: skip
        refused(client, "NotFoundException", call)


def test_a_deleted_connector_takes_its_configurations_along(client: Any) -> None:
    made = client.create_voice_connector(Name="x", RequireEncryption=False)["VoiceConnector"]
    ids = {"VoiceConnectorId": made["VoiceConnectorId"]}
    for name, (first, _, _) in CONFIGURATIONS.items():
        calls(client, name)[0](**ids, **{name: first})
    credentials = [{"Username": "u", "Password": "p"}]
    client.put_voice_connector_termination_credentials(**ids, Credentials=credentials)
    assert status(client.delete_voice_connector(**ids)) == 204
    for name in CONFIGURATIONS:
        refused(client, "NotFoundException", lambda name=name: calls(client, name)[1](**ids))


def test_emergency_calling_goes_first(client: Any, ids: dict[str, str]) -> None:
    for name in ("Termination", "EmergencyCallingConfiguration"):
        calls(client, name)[0](**ids, **{name: CONFIGURATIONS[name][0]})
    refused(
        client,
        "BadRequestException",
        lambda: client.delete_voice_connector_termination(**ids),
    )
    client.delete_voice_connector_emergency_calling_configuration(**ids)
    assert status(client.delete_voice_connector_termination(**ids)) == 204


def test_logging_is_switched_on_and_off(client: Any, ids: dict[str, str]) -> None:
    """Terraform deletes it by switching it off: there is no other way."""
    for switches in (
        {"EnableSIPLogs": True, "EnableMediaMetricLogs": True},
        {"EnableSIPLogs": False, "EnableMediaMetricLogs": False},
    ):
        client.put_voice_connector_logging_configuration(**ids, LoggingConfiguration=switches)
        found = client.get_voice_connector_logging_configuration(**ids)
        assert found["LoggingConfiguration"] == switches


def test_external_systems(client: Any, ids: dict[str, str]) -> None:
    get = client.get_voice_connector_external_systems_configuration
    put = client.put_voice_connector_external_systems_configuration
    systems = {"SessionBorderControllerTypes": ["RIBBON_SBC"]}
    put(**ids, ContactCenterSystemTypes=["GENESYS_ENGAGE_ON_PREMISES"])
    assert put(**ids, **systems)["ExternalSystemsConfiguration"] == systems
    assert get(**ids)["ExternalSystemsConfiguration"] == systems
    client.delete_voice_connector_external_systems_configuration(**ids)
    refused(client, "NotFoundException", lambda: get(**ids))


def test_credentials_are_never_shown(client: Any, ids: dict[str, str]) -> None:
    put = client.put_voice_connector_termination_credentials
    names = client.list_voice_connector_termination_credentials
    assert names(**ids)["Usernames"] == []
    made = put(**ids, Credentials=[{"Username": name, "Password": "quiet"} for name in "ab"])
    assert status(made) == 204
    put(**ids, Credentials=[{"Username": "a", "Password": "quieter"}])
    listed = names(**ids)
    assert sorted(listed["Usernames"]) == ["a", "b"]
    assert "quiet" not in str(listed)
    told = refused(
        client, "BadRequestException", lambda: put(**ids, Credentials=[{"Password": "quiet"}])
    )
    assert "quiet" not in str(told)
    client.delete_voice_connector_termination_credentials(**ids, Usernames=["a", "b"])
    assert names(**ids)["Usernames"] == []


def test_termination_health(client: Any, ids: dict[str, str]) -> None:
    get = client.get_voice_connector_termination_health
    refused(client, "NotFoundException", lambda: get(**ids))
    client.put_voice_connector_termination(**ids, Termination=CONFIGURATIONS["Termination"][0])
    assert get(**ids)["TerminationHealth"] == {}


def test_a_group_from_its_beginning_to_its_end(client: Any, ids: dict[str, str]) -> None:
    items = [{**ids, "Priority": 3}]
    made = client.create_voice_connector_group(Name="both", VoiceConnectorItems=items)
    assert status(made) == 201
    group = made["VoiceConnectorGroup"]
    assert group["VoiceConnectorItems"] == items
    group_id = {"VoiceConnectorGroupId": group["VoiceConnectorGroupId"]}
    assert client.get_voice_connector_group(**group_id)["VoiceConnectorGroup"] == group
    told = refused(
        client, "ConflictException", lambda: client.delete_voice_connector_group(**group_id)
    )
    assert status(told) == 409
    changed = client.update_voice_connector_group(**group_id, Name="none", VoiceConnectorItems=[])
    assert status(changed) == 202
    found = client.get_voice_connector_group(**group_id)["VoiceConnectorGroup"]
    assert found == changed["VoiceConnectorGroup"]
    assert (found["Name"], found["VoiceConnectorItems"]) == ("none", [])
    assert found in client.list_voice_connector_groups()["VoiceConnectorGroups"]
    assert status(client.delete_voice_connector_group(**group_id)) == 204
    refused(client, "NotFoundException", lambda: client.get_voice_connector_group(**group_id))


def test_groups_that_cannot_be(client: Any, ids: dict[str, str]) -> None:
    twice = [{**ids, "Priority": 1}, {**ids, "Priority": 2}]
    absent = [{"VoiceConnectorId": ABSENT, "Priority": 1}]
    for name, items in (("BadRequestException", twice), ("NotFoundException", absent)):
        refused(
            client,
            name,
            lambda items=items: client.create_voice_connector_group(
                Name="g", VoiceConnectorItems=items
            ),
        )
    assert client.list_voice_connector_groups()["VoiceConnectorGroups"] == []


def test_tags(client: Any, connector: dict[str, Any]) -> None:
    arn = {"ResourceARN": connector["VoiceConnectorArn"]}
    assert client.list_tags_for_resource(**arn)["Tags"] == []
    tags = [{"Key": "env", "Value": "test"}, {"Key": "owner", "Value": "me"}]
    assert status(client.tag_resource(**arn, Tags=tags)) == 204
    client.tag_resource(**arn, Tags=[{"Key": "env", "Value": "live"}])
    assert tags_of(client, arn) == {"env": "live", "owner": "me"}
    assert status(client.untag_resource(**arn, TagKeys=["owner", "never"])) == 204
    assert tags_of(client, arn) == {"env": "live"}
    absent = {"ResourceARN": arn["ResourceARN"].replace(connector["VoiceConnectorId"], ABSENT)}
    refused(client, "NotFoundException", lambda: client.list_tags_for_resource(**absent))


def tags_of(client: Any, arn: dict[str, str]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in client.list_tags_for_resource(**arn)["Tags"]}


def test_tags_given_at_birth(client: Any) -> None:
    made = client.create_voice_connector(
        Name="tagged", RequireEncryption=False, Tags=[{"Key": "env", "Value": "test"}]
    )["VoiceConnector"]
    assert tags_of(client, {"ResourceARN": made["VoiceConnectorArn"]}) == {"env": "test"}
    client.delete_voice_connector(VoiceConnectorId=made["VoiceConnectorId"])
    arn = {"ResourceARN": made["VoiceConnectorArn"]}
    refused(client, "NotFoundException", lambda: client.list_tags_for_resource(**arn))


def test_global_settings(client: Any) -> None:
    for bucket in ("bills", "receipts"):
        done = client.update_global_settings(VoiceConnector={"CdrBucket": bucket})
        assert status(done) == 204
        assert client.get_global_settings()["VoiceConnector"] == {"CdrBucket": bucket}


def test_a_connector_can_be_made_in_every_region(client: Any) -> None:
    regions = client.list_available_voice_connector_regions()["VoiceConnectorRegions"]
    assert "us-east-1" in regions
    for region in regions:
        made = client.create_voice_connector(Name="r", RequireEncryption=False, AwsRegion=region)
        connector = made["VoiceConnector"]
        assert connector["AwsRegion"] == region
        assert f":{region}:" in connector["VoiceConnectorArn"]
        client.delete_voice_connector(VoiceConnectorId=connector["VoiceConnectorId"])


REFUSED: dict[str, dict[str, Any]] = {
    "validate_e911_address": dict.fromkeys(
        ("StreetNumber", "StreetInfo", "City", "State", "Country", "PostalCode"), "x"
    )
    | {"AwsAccountId": "123456789012"},
    "list_sip_media_applications": {},
    "get_sip_rule": {"SipRuleId": "x"},
    "list_voice_profile_domains": {},
    "get_voice_tone_analysis_task": dict.fromkeys(
        ("VoiceConnectorId", "VoiceToneAnalysisTaskId"), "x"
    )
    | {"IsCaller": True},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_offered_is_refused_by_name(client: Any, name: str) -> None:
    told = refused(client, "ForbiddenException", lambda: getattr(client, name)(**REFUSED[name]))
    assert status(told) == 403
    operation = client.meta.method_to_api_mapping[name]
    assert told["Error"]["Message"].startswith(f"{operation} is not offered")
    assert "Offered are proxy sessions" in told["Error"]["Message"]
